"""Real scans from the source distribution of Calamari: 70 lines of UW3 as `name.bin.png` and `name.gt.txt`, and pages.

The pages: four of a Latin Avicenna in PAGE XML with their grey `name.nrm.png`, three of a German novel in Fraktur
in ABBYY XML.
"""

from __future__ import annotations

import shutil
import tarfile
import tempfile
from pathlib import Path

from container.tree import download_source
from contract.tree_places import cache_folder

SHA256 = "87b3fc0d7bd5b4b7e2a34df474c16bf2a3eb23a127ceb525e017115c9352c496"  # calamari_ocr-2.3.0.tar.gz, 69 MB
DATA = "calamari_ocr-2.3.0/calamari_ocr/test/data"
SPLITS = {"train": 50, "test": 20}  # lines in each subfolder

# What is kept: a folder in the cache, and the folders of the archive whose files with these endings lie in it.
KEPT = {
    "uw3-lines": ("uw3_50lines", tuple(SPLITS), (".png", ".txt")),
    "avicenna-pages": ("avicanon_pagexml", ("",), (".nrm.png", ".xml")),
    "hiltl-pages": ("hiltl_die_bank_des_verderbens_abbyyxml", ("",), (".jpg", ".xml")),
}


def uw3_lines() -> Path:
    """The folder with train/ and test/, from the user's cache; fetched there the first time.

    Raises UserError when the package index does not give it.
    """
    return _kept("uw3-lines")


def page_xml_pages() -> Path:
    """The folder of the four pages in PAGE XML; as uw3_lines."""
    return _kept("avicenna-pages")


def abbyy_pages() -> Path:
    """The folder of the three pages in ABBYY XML; as uw3_lines."""
    return _kept("hiltl-pages")


def _kept(name: str) -> Path:
    folder = cache_folder() / f"{name}-{SHA256[:16]}"
    if not folder.is_dir():
        _fetch(cache_folder())
    return folder


def _fetch(cache: Path) -> None:
    """Put all that is kept and not there yet into the cache: the archive is downloaded once for all of it."""
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".tmp-") as folder:
        archive = download_source("calamari-ocr", "2.3.0", SHA256, Path(folder))
        _extract(archive, Path(folder))
        for name in KEPT:
            kept = cache / f"{name}-{SHA256[:16]}"
            try:
                if not kept.is_dir():
                    (Path(folder) / name).rename(kept)
            except OSError:  # another process was faster
                if not kept.is_dir():
                    raise


def _extract(archive: Path, into: Path) -> None:
    """Copy the plain files that are kept by name; nothing else of the archive touches the disk."""
    targets = {}
    for name, (source, parts, endings) in KEPT.items():
        for part in parts:
            (into / name / part).mkdir(parents=True, exist_ok=True)
            targets[f"{DATA}/{source}/{part}".rstrip("/")] = (into / name / part, endings)
    with tarfile.open(archive) as tar:
        for member in tar:
            folder, _, file = member.name.rpartition("/")
            target, endings = targets.get(folder, (into, ()))
            if member.isfile() and file.endswith(endings):
                data = tar.extractfile(member)
                if data:
                    with (target / file).open("wb") as copy:
                        shutil.copyfileobj(data, copy)
