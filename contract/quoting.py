"""Text from outside as messages show it."""

from __future__ import annotations

LONGEST = 80  # characters of a text that a message shows


def quoted(text: str) -> str:
    """The text as Python writes it, so that nothing invisible stays so; of a long one the beginning and its length."""
    return repr(text) if len(text) <= LONGEST else f"{text[:LONGEST]!r}… ({len(text):,} characters)"
