"""Real scans: 70 lines of UW3 as `name.bin.png` and `name.gt.txt`, from the source distribution of Calamari."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

REQUIREMENT = "calamari_ocr==2.3.0"
ARCHIVE = "calamari_ocr-2.3.0.tar.gz"  # 69 MB
SHA256 = "87b3fc0d7bd5b4b7e2a34df474c16bf2a3eb23a127ceb525e017115c9352c496"
LINES = "calamari_ocr-2.3.0/calamari_ocr/test/data/uw3_50lines"
SPLITS = {"train": 50, "test": 20}  # lines in each subfolder


def uw3_lines() -> Path:
    """The folder with train/ and test/, from the user's cache; fetched there the first time.

    Raises RuntimeError when the package index does not give it.
    """
    kept = _cache() / f"uw3-lines-{SHA256[:16]}"
    if not kept.is_dir():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent, prefix=".tmp-") as folder:
            lines = _extract(_download(Path(folder)), Path(folder) / "uw3_50lines")
            try:
                lines.rename(kept)
            except OSError:  # another process was faster
                if not kept.is_dir():
                    raise
    return kept


def _cache() -> Path:
    base = os.environ.get("OCR_CACHE")
    if base:
        return Path(base)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "paddleocr-sagemaker"


def _download(folder: Path) -> Path:
    """Through pip, which knows the user's index; it also checks the hash before anything of it runs."""
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{REQUIREMENT} --hash=sha256:{SHA256}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "calamari-ocr"]
    command += ["--require-hashes", "--requirement", str(requirements), "--dest", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    archive = folder / ARCHIVE
    if done.returncode != 0 or not archive.exists():
        raise RuntimeError(f"pip could not fetch {REQUIREMENT}:\n{done.stderr}")
    with archive.open("rb") as file:
        found = hashlib.sha256()
        while block := file.read(1 << 20):
            found.update(block)
    if found.hexdigest() != SHA256:
        raise RuntimeError(f"{ARCHIVE} has another sha256 than the pinned {SHA256}")
    return archive


def _extract(archive: Path, into: Path) -> Path:
    """Copy the plain files of train/ and test/ by name; nothing else of the archive touches the disk."""
    for split in SPLITS:
        (into / split).mkdir(parents=True)
    with tarfile.open(archive) as tar:
        for member in tar:
            folder, _, name = member.name.rpartition("/")
            split = folder.removeprefix(LINES + "/")
            if member.isfile() and split in SPLITS:
                source = tar.extractfile(member)
                if source:
                    with (into / split / name).open("wb") as target:
                        shutil.copyfileobj(source, target)
    return into
