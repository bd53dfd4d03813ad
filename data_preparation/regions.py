"""Annotated pages: where text stands on them, before it is cut out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from contract.dataset import Problem

Polygon = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)  # there may be millions
class Region:
    """One annotated text of a page, as its format has it: nothing of it is checked but that the page exists."""

    where: str  # file:line, or file#id: where the annotation stands
    page: Path  # the image file, below --input-images
    polygon: Polygon  # in pixels of the page as people see it, its EXIF orientation applied; 4 points: a quadrilateral
    text: str
    ident: str  # the annotation's id or number, stable and unique on the page: it names the crop
    page_size: tuple[int, int] | None = None  # width and height of the page as the annotation states them


@dataclass(frozen=True)
class PageSource:
    """Annotations as read: every annotated region is either one of `regions` or one of `problems`."""

    format: str
    reason: str  # why this format, for people
    regions: tuple[Region, ...]
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]

    @property
    def count(self) -> int:
        """Annotated regions of the source, sound or not."""
        return len(self.regions) + len(self.problems)
