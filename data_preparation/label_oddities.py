"""Characters in labels that look like others or like nothing: said, never refused and never changed."""

from __future__ import annotations

import re
from collections.abc import Iterable

from data_preparation.wording import counted, verb

# What a label may hold, and what to think of it. Tone marks (U+0E48 to U+0E4B) may stand inside a split SARA AM.
_ODDITIES = (
    (
        re.compile("\u0e4d[\u0e48-\u0e4b]?\u0e32"),
        "SARA AM in two code points (U+0E4D U+0E32), usually ำ (U+0E33) is meant",
    ),
    (re.compile("\u0e40\u0e40"), "SARA E twice (U+0E40 U+0E40), usually แ (U+0E41) is meant"),
    (
        re.compile("[\u200b-\u200d\u2060\ufeff]"),
        "zero-width characters (such as U+200B), which no image shows",
    ),
    (re.compile("\u00a0"), "no-break spaces (U+00A0), usually the space (U+0020) is meant"),
)


def odd_labels(labels: Iterable[tuple[str, str]]) -> list[str]:
    """A note for each kind of odd character in the labels, given as (`file:line`, label).

    It says how many labels hold the kind, where the first of them is, and that they stay as they are.
    """
    places: list[list[str]] = [[] for _ in _ODDITIES]
    for where, label in labels:
        if not label.isascii():
            for (pattern, _), found in zip(_ODDITIES, places, strict=True):
                if pattern.search(label):
                    found.append(where)
    return [_note(what, found) for (_, what), found in zip(_ODDITIES, places, strict=True) if found]


def _note(what: str, places: list[str]) -> str:
    count = len(places)
    return f"{counted(count, 'label')} {verb(count, 'holds', 'hold')} {what}: left as written, first at {places[0]}"
