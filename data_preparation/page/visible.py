"""Text of a dataset as people can see it: what is invisible gets a mark, and nothing in it steers the page."""

from __future__ import annotations

import re
import unicodedata

from data_preparation.page.markup import Markup, element, join

LONGEST = 160  # code points of a text that are shown

# Shown as nothing although their category is that of a mark or a letter: fillers, joiners and variation selectors.
_BLANK = "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\ufe00-\ufe0f\U000e0100-\U000e01ef"
# Categories C (control, format, unassigned …) and Z (blanks) are found by trial below; this pattern only saves time.
_PLAIN = re.compile(r"[\x21-\x7e\u00a1-\u00ac\u00ae-\u02ff\u0e01-\u0e3a\u0e3f-\u0e5b\u4e00-\u9fff]*")
_BLANKS = re.compile(f"[{_BLANK}]")


def visible(text: str, longest: int = LONGEST) -> Markup:
    """A text, isolated from the direction of what stands around it, with a mark for each character that shows nothing.

    Spaces are marked where they are easily missed: at the ends, and beside another one.
    """
    shown = text[:longest]
    pieces: list[str | Markup] = []
    position = 0
    while position < len(shown):
        plain = _PLAIN.match(shown, position)
        if plain and plain.end() > position:
            pieces.append(plain.group())
            position = plain.end()
            continue
        pieces.append(_one(text, position))
        position += 1
    if len(text) > longest:
        pieces.append(element("span", f"… {len(text) - longest:,} more", class_="mark"))
    return element("bdi", join(*pieces), class_="text", lang="")


def glyph(character: str) -> Markup:
    """One character by itself: a combining mark stands on a dotted circle, an invisible one is its code point."""
    if not is_visible(character):
        return element("bdi", _mark(character), class_="text", lang="")
    base = "\u25cc" if unicodedata.combining(character) or unicodedata.category(character)[0] == "M" else ""
    return element("bdi", base + character, class_="text", lang="")


def is_visible(character: str) -> bool:
    """Whether a character shows anything by itself."""
    return unicodedata.category(character)[0] not in "CZ" and not _BLANKS.match(character)


def code_point(character: str) -> str:
    """`U+0E33`."""
    return f"U+{ord(character):04X}"


def name_of(character: str) -> str:
    """The Unicode name in lower case, such as "thai character sara am"; control characters have none."""
    return unicodedata.name(character, "no name").lower()


def _one(text: str, position: int) -> str | Markup:
    character = text[position]
    if character == " ":
        alone = 0 < position < len(text) - 1 and text[position - 1] != " " != text[position + 1]
        return " " if alone else _mark(character)
    return character if is_visible(character) else _mark(character)


def _mark(character: str) -> Markup:
    if character == " ":
        return element("span", "\u2423", class_="mark", title="space")
    return element("span", code_point(character), class_="mark", title=name_of(character))
