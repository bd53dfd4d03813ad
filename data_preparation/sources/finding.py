"""Finds the files that annotations name, wherever the annotations were made."""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

from contract.quoting import quoted
from data_preparation.sources.entries import BadSample
from data_preparation.wording import folder_name

# In order of preference: a line may lie there as scanned and as binarised.
IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".nrm.png", ".bin.png")

_FORMS: tuple[Literal["NFC", "NFD"], ...] = ("NFC", "NFD")
_LONGEST_ADDRESS = 1_100  # characters: s3://, a bucket of 63, a key of 1,024
_ANCHOR = re.compile(r"^(?:[A-Za-z]:)?/+")  # what makes a path absolute: `/`, `C:/`, `//server`


def find_file(name: str, roots: Sequence[Path], shortened_in: Sequence[Path]) -> Path | None:
    """Where the file lies: at its path below a root, or below one of `shortened_in` without some leading folders.

    Annotations made elsewhere carry such folders (`train_data/rec/0001.png`, `C:\\crops\\0001.png`): these are
    dropped one by one, as are `s3://` and `file://`. No path with `..` in it is ever looked up, and no web address.
    """
    if name.startswith(("http://", "https://")):
        return None
    path = PurePosixPath(_ANCHOR.sub("", name.replace("\\", "/")))
    tails = [path.parts[dropped:] for dropped in range(1, len(path.parts))]
    places = [root / path for root in roots if ".." not in path.parts]
    places += [root.joinpath(*tail) for tail in tails if ".." not in tail for root in shortened_in]
    try:
        return next((place for place in places if place.is_file()), None)
    except (OSError, ValueError):  # longer than a file name can be: often the two columns are swapped
        return None


def other_spellings(name: str) -> list[str]:
    """How a file may be named that a person wrote as `name`: without blanks around it, its ending in the other case or
    added (Windows hides it), its accents composed or apart (as macOS has them).
    """
    plain = name.strip()
    stem, dot, ending = plain.rpartition(".")
    if f".{ending.lower()}" in IMAGE_ENDINGS:
        ended = [f"{stem}{dot}{ending.lower()}", f"{stem}{dot}{ending.upper()}"]
    else:
        ended = [plain + added for each in IMAGE_ENDINGS for added in (each, each.upper())]
    composed = [unicodedata.normalize(form, plain) for form in _FORMS]
    return [other for other in dict.fromkeys((plain, *ended, *composed)) if other != name]


def is_spelled(file: Path, name: str) -> bool:
    """Whether the file has just that name, without its folders."""
    return file.name == name.replace("\\", "/").rpartition("/")[2]


def only_in_s3(address: str, folder: Path) -> BadSample:
    """For an image that an annotation names by its address in S3 and that is not in the folder."""
    message = f"the image {quoted(address)} is in S3, no copy of it is in {folder_name(folder)}"
    if len(address) > _LONGEST_ADDRESS:
        return BadSample("in S3", message, "correct the address: S3 has none that long")
    command = shlex.join(["aws", "s3", "sync", address.rpartition("/")[0] + "/", str(folder)])
    return BadSample("in S3", message, f"download it first: {command}")


@dataclass
class ImagesByStem:
    """Finds images by their names without the ending, whatever its case. Reads every folder once."""

    listed: dict[Path, dict[str, Path]] = field(default_factory=dict)

    def find(self, folder: Path, stem: str) -> Path | None:
        """The first of `stem.png`, `stem.jpg`, … (IMAGE_ENDINGS) in the folder."""
        if folder not in self.listed:
            files = sorted(folder.iterdir()) if folder.is_dir() else []
            self.listed[folder] = {_lower_ending(file.name): file for file in files}
        names = (stem + ending for ending in IMAGE_ENDINGS)
        return next((self.listed[folder][name] for name in names if name in self.listed[folder]), None)


def _lower_ending(name: str) -> str:
    ending = next((ending for ending in IMAGE_ENDINGS[::-1] if name.lower().endswith(ending)), "")
    return name[: len(name) - len(ending)] + ending
