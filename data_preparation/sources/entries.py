"""What every source format is read into."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from contract.dataset import Problem

_LONGEST = 200  # characters of a file's name; file systems take 255, and a hash and endings come to it
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]|^\.")


class BadSample(Exception):
    """Why one annotated sample cannot be used, and what to do."""

    def __init__(self, kind: str, message: str, remedy: str) -> None:
        super().__init__(message)
        self.kind, self.message, self.remedy = kind, message, remedy

    def problem(self, where: str) -> Problem:
        return Problem(self.kind, where, self.message, self.remedy)


@dataclass(frozen=True)
class Entry:
    """One annotated crop. `name` is its place below images/ and its identity for the split."""

    where: str  # file:line of the annotation
    image: Path
    name: str
    label: str
    given_split: str | None = None  # train or val, where the annotation says so


@dataclass(frozen=True)
class Source:
    """Annotations as read: sound entries, a problem for each of the others, what was accepted or guessed."""

    format: str
    reason: str  # why this format, for people
    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]

    @property
    def lines(self) -> int:
        """Annotated samples of the source, sound or not."""
        return len(self.entries) + len(self.problems)


def safe_name(path: PurePosixPath) -> str:
    """The relative path with characters that some file system, S3 or shell minds replaced, and no part too long.

    Two paths never share a name: a changed one ends in a hash of what it was.
    """
    parts = [_shortened(_UNSAFE.sub("_", part)) for part in path.parts]
    if parts != list(path.parts):
        mark = hashlib.sha256(os.fsencode(path.as_posix())).hexdigest()[:8]
        stem, dot, ending = parts[-1].rpartition(".")
        parts[-1] = f"{stem}-{mark}{dot}{ending}"
    return "/".join(parts)


def _shortened(part: str) -> str:
    return part if len(part) <= _LONGEST else part[: _LONGEST // 2] + part[-_LONGEST // 2 :]


def refuse_link(image: Path, *folders: Path) -> None:
    """Raise BadSample when the image is a link that leaves the folders."""
    real = image.resolve()
    if not any(real.is_relative_to(folder.resolve()) for folder in folders):
        message = f"the image {image.name!r} is a link that leaves the folder"
        raise BadSample("image", message, "put the file itself in its place")


def refuse_no_text(label: str) -> None:
    """Raise BadSample when the label holds what no text file can hold: a NUL, or half of a character."""
    if "\0" in label:
        raise BadSample("bad label", "the label holds a NUL character", "remove it")
    try:
        label.encode()
    except UnicodeEncodeError:
        message = "the label holds half of a character (a surrogate)"
        raise BadSample("bad label", message, "write the character itself") from None


def unique(entries: list[Entry]) -> tuple[list[Entry], list[Problem]]:
    """Entries with one name each; a later entry for the same image is a problem."""
    first: dict[str, Entry] = {}
    problems = []
    for entry in entries:
        known = first.setdefault(entry.name, entry)
        if known is not entry:
            message = f"the image {entry.name!r} is listed at {known.where} already"
            if known.label != entry.label:
                message += f", there as {known.label!r} and here as {entry.label!r}"
            problems.append(Problem("listed twice", entry.where, message, "keep one of the lines"))
    return list(first.values()), problems
