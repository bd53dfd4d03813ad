"""Counts as people write them."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """The number and the noun, in the plural (with an s) unless it is one: "1 sample", "1,200 samples"."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def verb(number: int, singular: str, plural: str) -> str:
    """The form of a verb that the number asks for: `verb(1, "is", "are")` is "is"."""
    return singular if number == 1 else plural
