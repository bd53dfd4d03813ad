"""What the readers of page annotations have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from data_preparation.regions import Polygon
from data_preparation.sources.entries import BadSample

ILLEGIBLE = ("###", "*")  # texts that mean "nobody can read this", to ICDAR and to PaddleOCR's text detection

_SNIFFED = 65_536  # bytes: a page's line of a Label.txt is rarely longer


def as_polygon(points: Any) -> Polygon:
    """A JSON list of [x, y] as points. Raises BadSample for anything else; what the numbers are is checked later."""
    try:
        return tuple((float(x), float(y)) for x, y in points)
    except (TypeError, ValueError):
        raise BadSample("format", "its points are not a list of [x, y]", "correct the annotation") from None


def first_line(path: Path) -> str:
    """The first line of a file that is not blank, as far as it is UTF-8: to tell a format by."""
    with path.open("rb") as file:
        head = file.read(_SNIFFED).decode("utf-8-sig", errors="ignore")
    return next((line for line in head.splitlines() if line.strip()), "")
