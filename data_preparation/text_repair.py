"""Label files and dictionaries as they should be, made from what people have; every change is listed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from contract.dataset import Sample, path_problem
from contract.shards import plain_path
from contract.text import normalise
from data_preparation.fixes import CHANGED, REMOVED, Fix
from data_preparation.label_warnings import without_invisible
from data_preparation.text_files import read_text_file

_SPACES = re.compile(" {2,}")


@dataclass(frozen=True)
class RepairedLabels:
    """The samples of a label file that can be kept as far as their line tells, and what was done to the others."""

    samples: tuple[Sample, ...]
    fixes: tuple[Fix, ...]


def repair_labels(path: Path, encoding: str | None) -> RepairedLabels:
    """Read a label file, whatever its line ends. encoding: of a file that is not UTF-8 or UTF-16.

    Raises UserError when it cannot be decoded.
    """
    text, fixes = _read(path, encoding)
    samples = []
    lines = text.split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    for number, line in enumerate(lines, start=1):
        kept, done = _repair_line(path.name, number, line)
        fixes += done
        if kept:
            samples.append(kept)
    return RepairedLabels(tuple(samples), tuple(fixes))


def repair_dictionary(path: Path, encoding: str | None) -> tuple[list[str], list[Fix]]:
    """The characters of a dictionary in their order; lines that nothing can ever predict are left out."""
    text, fixes = _read(path, encoding)
    characters: dict[str, None] = {}
    for number, line in enumerate(text.removesuffix("\n").split("\n"), start=1):
        if len(line) == 1 and line != " " and line not in characters:
            characters[line] = None
        else:
            fixes.append(Fix(path.name, number, "file", REMOVED, line))
    return list(characters), fixes


def _repair_line(file: str, number: int, line: str) -> tuple[Sample | None, list[Fix]]:
    def removed(kind: str) -> tuple[None, list[Fix]]:
        return None, [*fixes, Fix(file, number, kind, REMOVED, line)]

    fixes: list[Fix] = []
    image, tab, label = line.partition("\t")
    if not tab:
        return removed("no tab")
    if not image.strip():
        return removed("no image")
    if path_problem(image):
        return removed("path")
    for kind, repair in _REPAIRS:
        repaired = repair(label)
        if repaired != label:
            fixes.append(Fix(file, number, kind, CHANGED, label, repaired))
            label = repaired
    if not label.strip():
        return removed("blank label")
    if plain_path(image) != image:
        fixes.append(Fix(file, number, "path", CHANGED, image, plain_path(image)))
    return Sample(plain_path(image), label, number), fixes


def _read(path: Path, encoding: str | None) -> tuple[str, list[Fix]]:
    """The text, and what of the file as a whole is changed."""
    file = read_text_file(path, encoding)
    changes = []
    if file.encoding != "UTF-8":
        changes.append((file.encoding, "UTF-8"))
    elif file.marked:
        changes.append(("UTF-8 with a byte order mark", "UTF-8"))
    if file.marks_within:
        changes.append(("byte order marks within", ""))
    if file.line_ends != "LF":
        changes.append((f"line ends {file.line_ends}", "LF"))
    return file.text, [Fix(path.name, None, "file", CHANGED, before, after) for before, after in changes]


# In this order: what is taken away may bring others together. Each is the kind that it cures.
_REPAIRS = (
    ("bad character", lambda label: label.replace("\r", "")),
    ("tab in label", lambda label: label.rstrip("\t").replace("\t", " ")),
    ("not normal", normalise),
    ("invisible", lambda label: normalise(without_invisible(label))),
    ("stray space", lambda label: _SPACES.sub(" ", label).strip(" ")),
)
