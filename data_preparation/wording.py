"""Counts, folders and commands as people write them."""

from __future__ import annotations

import os
import shlex
from pathlib import Path


def counted(number: int, noun: str) -> str:
    """The number and the noun, in the plural (with an s) unless it is one: "1 sample", "1,200 samples"."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def verb(number: int, singular: str, plural: str) -> str:
    """The form of a verb that the number asks for: `verb(1, "is", "are")` is "is"."""
    return singular if number == 1 else plural


def folder_name(folder: Path) -> str:
    """The folder's own name with a slash, also of one that is called `.`."""
    return f"{folder.absolute().name}/"


def in_shell(path: Path) -> str:
    """The path as a word of a command that people paste, in quotes where it needs them."""
    text = str(path)
    if os.name == "nt":
        return f'"{text}"' if " " in text else text
    return shlex.quote(text)
