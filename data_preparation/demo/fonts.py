"""Fonts that really draw every character asked for: Pillow's own, or those of the system."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont, features

from contract.errors import UserError
from data_preparation.demo.words import Kind

ENDINGS = (".ttf", ".otf", ".ttc")
MOST_FONTS = 8  # enough variety; reading all fonts of a desktop takes seconds
STYLES_OF_A_FAMILY = 2  # regular and bold, rather than four slants of one design
PROBE_SIZE = 20  # pixels
NOT_A_CHARACTER = "\uffff"  # no font has it, so every font draws its "missing" sign


@dataclass(frozen=True)
class Face:
    """A font at any size. Without a path it is the one that Pillow carries."""

    path: Path | None = None

    def at(self, size: int) -> ImageFont.FreeTypeFont:
        return _load(self.path, size)


def faces_for(kind: Kind) -> tuple[Face, ...]:
    """The faces that draw a kind. Raises UserError that says where to get one."""
    if kind.package is None:
        return (Face(),)
    faces = tuple(Face(path) for path in _covering(kind.characters))
    if not faces:
        raise UserError(
            f"no installed font draws {kind.script} (--kinds {kind.name}): on Debian and Ubuntu run"
            f" apt-get install {kind.package}, elsewhere install a Noto font for {kind.script}"
        )
    return faces


def shapes_text() -> bool:
    """True when Pillow can stack marks as a font wants it (Raqm); Thai needs it."""
    return bool(features.check("raqm"))


def covers(path: Path, characters: Iterable[str]) -> bool:
    """True when the font has a glyph of its own for every character."""
    try:
        font = ImageFont.truetype(str(path), PROBE_SIZE, layout_engine=ImageFont.Layout.BASIC)
        missing = _glyph(font, NOT_A_CHARACTER)
        return all(_glyph(font, character) != missing for character in characters)
    except OSError:  # not a font, or one without scalable glyphs
        return False


def font_folders() -> list[Path]:
    """Where this operating system keeps fonts; the same places that Pillow searches."""
    home = Path.home()
    if sys.platform == "darwin":
        return [Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library/Fonts"]
    if sys.platform == "win32":
        return [Path(os.environ.get("WINDIR", "C:/Windows")) / "Fonts"]
    shared = os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    own = os.environ.get("XDG_DATA_HOME") or str(home / ".local/share")
    return [Path(folder) / "fonts" for folder in (own, *shared.split(":"))]


def _covering(characters: frozenset[str]) -> list[Path]:
    found: list[Path] = []
    families: Counter[str] = Counter()
    for path in _font_files():
        if covers(path, sorted(characters)):
            family, style = ImageFont.truetype(str(path), PROBE_SIZE).getname()
            slanted = any(word in (style or "") for word in ("Italic", "Oblique"))
            if slanted or families[family or ""] == STYLES_OF_A_FAMILY:
                continue
            families[family or ""] += 1
            found.append(path)
        if len(found) == MOST_FONTS:
            break
    return found


def _font_files() -> Iterator[Path]:
    for folder in font_folders():
        yield from sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS)


def _glyph(font: ImageFont.FreeTypeFont, character: str) -> tuple[object, ...]:
    mask = font.getmask(character)
    return mask.size, bytes(mask), font.getlength(character)


@lru_cache(maxsize=1024)
def _load(path: Path | None, size: int) -> ImageFont.FreeTypeFont:
    if path is None:
        font = ImageFont.load_default(size)
        if not isinstance(font, ImageFont.FreeTypeFont):
            raise UserError("this Pillow has no FreeType, so it cannot draw: install the Pillow wheel of PyPI")
        return font
    return ImageFont.truetype(str(path), size)
