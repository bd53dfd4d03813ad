"""What was changed in a cleaned copy of a dataset, line by line."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

FIXES = "fixes.csv"
CHANGED, REMOVED, ADDED = "changed", "removed", "added"
FIXABLE = frozenset(  # kinds of problems and warnings that a cleaned copy has none of
    (
        *("no tab", "tab in label", "bad character", "blank label", "no image", "path", "character"),
        *("missing image", "unreadable image", "link", "not an image", "damaged image", "huge image"),
        *("duplicate", "contradiction", "leak", "not normal", "invisible", "stray space"),
    )
)
LONGEST = 1000  # characters of a text in the list


@dataclass(frozen=True)
class Fix:
    """One change. `line` is that of the file before it; None: the file as a whole."""

    file: str
    line: int | None
    kind: str  # of the problem or the warning, as docs/data-format.md lists them
    action: str
    before: str
    after: str = ""


def write_fixes(folder: Path, fixes: Iterable[Fix]) -> None:
    """Write fixes.csv. What is invisible is written as Python writes it (`a\\u200bb`)."""
    with (folder / FIXES).open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("file", "line", "kind", "action", "before", "after"))
        for fix in fixes:
            line = "" if fix.line is None else fix.line
            rows.writerow((fix.file, line, fix.kind, fix.action, _shown(fix.before), _shown(fix.after)))


def _shown(text: str) -> str:
    text = text[:LONGEST]
    return text if text.isprintable() else repr(text)[1:-1]
