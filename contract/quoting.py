"""Text from outside as messages show it."""

from __future__ import annotations

LONGEST = 80  # characters of a text that a message shows


def quoted(text: str) -> str:
    """The text as Python writes it, so that nothing invisible stays so; the end of a long one is left out."""
    return repr(text) if len(text) <= LONGEST else f"{text[:LONGEST]!r}…"
