"""Keeps a page small whatever a file says: invisible characters take forty times their room once they are marked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from data_preparation.page.markup import Content

Row = Sequence[Content]


def fitting(rows: Iterable[Row], room: int) -> list[Row]:
    """The first rows that have room, in characters of the page."""
    kept = []
    for row in rows:
        room -= sum(len(cell) if isinstance(cell, str) else 20 for cell in row)
        if room < 0:
            break
        kept.append(row)
    return kept
