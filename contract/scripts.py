"""Which script a character belongs to, in the words that scores and reports use."""

from __future__ import annotations

import unicodedata


def script_of(character: str) -> str:
    """`digits`, `punctuation`, `space`, or the script of a letter or mark: the first word of its Unicode name."""
    category = unicodedata.category(character)
    if category == "Nd":
        return "digits"
    if category[0] in "PS":
        return "punctuation"
    if category[0] == "Z":
        return "space"
    word = unicodedata.name(character, "").split(" ")[0]
    if category[0] == "C" or not word:
        return "other"
    return word if word == "CJK" else word.capitalize()
