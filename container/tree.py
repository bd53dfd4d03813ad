"""Which PaddleOCR tree trains: the folder in PADDLEOCR_HOME, or the hash-pinned source distribution in a cache."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

from container.checkpoints import sha256_of
from contract.errors import UserError
from contract.streams import people
from contract.tree_places import HOME_VARIABLE, cache_folder

VERSION = "3.7.0"
SHA256 = "9b81eb62cf37e590d4873e60262ff56f968ff9de6ce1f565749760ceb1c422e2"


def locate_tree(say: Callable[[str], None]) -> Path:
    """The folder to import PaddleOCR from; fetched from the package index when no cache holds it yet.

    The image has the tree baked in, so a job never downloads. Raises UserError.
    """
    home = os.environ.get(HOME_VARIABLE)
    if home:
        tree = Path(home).resolve()
        if not (tree / "ppocr" / "data").is_dir():
            raise UserError(f"{HOME_VARIABLE}={home} is not a PaddleOCR tree: it must hold ppocr/data")
        return tree
    tree = cache_folder() / f"paddleocr-{VERSION}-{SHA256[:16]}"
    if not tree.is_dir():
        say(f"fetching the source distribution paddleocr=={VERSION} (3 MB, once)")
        try:
            _fetch(tree)
        except UserError as error:
            raise UserError(f"{error}, or unpack the archive yourself and name its folder in {HOME_VARIABLE}") from None
    return tree


def fetch_tree() -> int:
    """`python -m container fetch-tree`: fill the cache; prints where the tree is."""
    try:
        print(locate_tree(lambda line: print(line, file=people())))
    except UserError as error:
        print(f"error: {error}", file=people())
        return 1
    return 0


def download_source(name: str, version: str, sha256: str, folder: Path) -> Path:
    """The source distribution of a package, by pip, which knows the user's index, mirror, proxy and certificates.

    pip checks the hash before anything of the archive runs. Raises UserError with pip's last line.
    """
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{name}=={version} --hash=sha256:{sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--no-binary", name, "--require-hashes", "--requirement", str(requirements), "--dest", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = list(folder.glob("*.tar.gz"))
    if done.returncode != 0 or len(found) != 1:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise UserError(f"{name}=={version} could not be fetched from the package index ({last}): check pip's settings")
    if sha256_of(found[0]) != sha256:
        raise UserError(f"{found[0].name} from the package index has another sha256 than the pinned {sha256}")
    return found[0]


def _fetch(tree: Path) -> None:
    tree.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=tree.parent, prefix=".tmp-") as folder:
        unpacked = Path(folder) / "unpacked"
        with tarfile.open(download_source("paddleocr", VERSION, SHA256, Path(folder))) as tar:
            tar.extractall(unpacked, members=_sound_members(tar))
        try:
            (unpacked / f"paddleocr-{VERSION}").rename(tree)
        except OSError:  # another process was faster
            if not tree.is_dir():
                raise


def _sound_members(tar: tarfile.TarFile) -> list[tarfile.TarInfo]:
    """Plain files and folders below the top folder; the pinned hash vouches for the rest."""
    return [
        member
        for member in tar.getmembers()
        if (member.isfile() or member.isdir()) and ".." not in Path(member.name).parts
    ]
