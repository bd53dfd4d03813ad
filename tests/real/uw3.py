"""Real scans: 70 lines of UW3 as `name.bin.png` and `name.gt.txt`, from the source distribution of Calamari."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
from pathlib import Path

from container.tree import cache_folder, download_source

SHA256 = "87b3fc0d7bd5b4b7e2a34df474c16bf2a3eb23a127ceb525e017115c9352c496"  # calamari_ocr-2.3.0.tar.gz, 69 MB
LINES = "calamari_ocr-2.3.0/calamari_ocr/test/data/uw3_50lines"
SPLITS = {"train": 50, "test": 20}  # lines in each subfolder


def uw3_lines() -> Path:
    """The folder with train/ and test/, from the user's cache; fetched there the first time.

    Raises UserError when the package index does not give it.
    """
    kept = cache_folder() / f"uw3-lines-{SHA256[:16]}"
    if not kept.is_dir():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent, prefix=".tmp-") as folder:
            archive = download_source("calamari-ocr", "2.3.0", SHA256, Path(folder))
            lines = _extract(archive, Path(folder) / "uw3_50lines")
            try:
                lines.rename(kept)
            except OSError:  # another process was faster
                if not kept.is_dir():
                    raise
    return kept


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
