"""Outlines of text that may stand on its side or on its head, put in the order of the text."""

from __future__ import annotations

from data_preparation.regions import Polygon
from data_preparation.sources.annotation import from_top_left, upright_box


def quarter_turns(angle: float) -> int:
    """How many quarter turns, 0 to 3, come nearest to an angle in degrees."""
    return round(angle / 90) % 4


def from_the_text(outline: Polygon, turns: int) -> Polygon:
    """The outline from where its text begins, clockwise. `turns`: quarter turns clockwise after which it can be read.

    More than four points become an upright box, unless the text is upright: the cutter knows better then.
    """
    if not turns or len(outline) < 4:
        return from_top_left(outline)
    corners = from_top_left(outline) if len(outline) == 4 else upright_box(outline)
    start = -turns % 4  # turned clockwise to be read, it begins counter-clockwise from the top left
    return corners[start:] + corners[:start]
