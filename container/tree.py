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

HOME_VARIABLE = "PADDLEOCR_HOME"
CACHE_VARIABLE = "OCR_CACHE"
VERSION = "3.7.0"
SHA256 = "9b81eb62cf37e590d4873e60262ff56f968ff9de6ce1f565749760ceb1c422e2"
ARCHIVE = f"paddleocr-{VERSION}.tar.gz"


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
    tree = _cache() / f"paddleocr-{VERSION}-{SHA256[:16]}"
    if not tree.is_dir():
        say(f"fetching the source distribution paddleocr=={VERSION} (3 MB, once)")
        _fetch(tree)
    return tree


def fetch_tree() -> int:
    """`python -m container fetch-tree`: fill the cache; prints where the tree is."""
    try:
        print(locate_tree(lambda line: print(line, file=sys.stderr)))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _cache() -> Path:
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "paddleocr-sagemaker"


def _fetch(tree: Path) -> None:
    tree.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=tree.parent, prefix=".tmp-") as folder:
        archive = _download(Path(folder))
        if sha256_of(archive) != SHA256:
            raise UserError(f"{archive.name} from the package index has another sha256 than the pinned {SHA256}")
        unpacked = Path(folder) / "unpacked"
        with tarfile.open(archive) as tar:
            tar.extractall(unpacked, members=_sound_members(tar))
        try:
            (unpacked / f"paddleocr-{VERSION}").rename(tree)
        except OSError:  # another process was faster
            if not tree.is_dir():
                raise


def _download(folder: Path) -> Path:
    """Through pip, which knows the user's index, mirror, proxy and certificates."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
    done = subprocess.run(
        [*command, "--dest", str(folder), f"paddleocr=={VERSION}"], capture_output=True, text=True, check=False
    )
    archive = folder / ARCHIVE
    if done.returncode != 0 or not archive.exists():
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise UserError(
            f"paddleocr=={VERSION} could not be fetched from the package index ({last}): "
            f"check pip's settings, or unpack {ARCHIVE} yourself and set {HOME_VARIABLE} to its folder"
        )
    return archive


def _sound_members(tar: tarfile.TarFile) -> list[tarfile.TarInfo]:
    """Plain files and folders below the top folder; the pinned hash vouches for the rest."""
    return [
        member
        for member in tar.getmembers()
        if (member.isfile() or member.isdir()) and ".." not in Path(member.name).parts
    ]
