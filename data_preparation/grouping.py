"""What samples share besides their text: the page they were cut from, a folder, a column, a part of the name."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path, PurePosixPath

from contract.dataset import IMAGES
from contract.errors import UserError
from data_preparation.sources.columns import IMAGE_NAMES
from data_preparation.sources.csv_file import SEPARATORS
from data_preparation.sources.entries import safe_name
from data_preparation.sources.finding import IMAGE_ENDINGS
from data_preparation.split_flags import FOLDER, PAGE, SAMPLE
from data_preparation.text_files import read_text_file

_REMEDY = (
    f"give {PAGE}, {FOLDER}, {SAMPLE}, a pattern with a group such as '^(\\d+)_',"
    " or a column of the table that --groups names"
)


def groups_of(names: Sequence[str], by: str, table: Path | None, encoding: str | None = None) -> list[str]:
    """The group of each sample, by its path below images/; one of which nothing says the group is a group of its own.

    encoding: of a table that is not UTF-8. Raises UserError when `by` says nothing at all.
    """
    if table is not None:
        return _from_table(names, by, table, encoding)
    if by == SAMPLE:
        return list(names)
    if by in (PAGE, FOLDER):
        folders = [PurePosixPath(name).parent for name in names]
        return [
            folder.as_posix() if by == FOLDER or folder.suffix.lower() in IMAGE_ENDINGS else name
            for name, folder in zip(names, folders, strict=True)
        ]
    return _from_pattern(names, by)


def name_of(image: str) -> str:
    """A sample's path below images/, from its path as a label has it."""
    return PurePosixPath(image.replace("\\", "/")).as_posix().removeprefix(f"{IMAGES}/")


def _from_pattern(names: Sequence[str], pattern: str) -> list[str]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UserError(f"--group-by {pattern} is no regular expression ({error}): {_REMEDY}") from None
    if not compiled.groups:
        raise UserError(f"--group-by {pattern} says no group: {_REMEDY}")
    found = [compiled.search(name) for name in names]
    if names and not any(found):
        raise UserError(f"--group-by {pattern} is found in no image path (the first is {names[0]}): {_REMEDY}")
    return [
        "/".join(group or "" for group in match.groups()) if match else name
        for name, match in zip(names, found, strict=True)
    ]


def _from_table(names: Sequence[str], column: str, table: Path, encoding: str | None) -> list[str]:
    known = set(names)
    groups = {_name_in(known, image): group for image, group in _rows(table, column, encoding) if group}
    if names and not any(name in groups for name in names):
        raise UserError(
            f"{table} names none of the images (the first is {names[0]}): write paths as the labels have them"
        )
    return [groups.get(name, name) for name in names]


def _name_in(known: Collection[str], image: str) -> str | None:
    """Which sample a table means by the path of an image; leading folders may be those of another machine."""
    parts = PurePosixPath(image.replace("\\", "/")).parts
    names = (safe_name(PurePosixPath(*parts[dropped:])) for dropped in range(len(parts)))
    return next((name for name in names if name in known), None)


def _rows(table: Path, column: str, encoding: str | None) -> Iterator[tuple[str, str]]:
    """(image, group) of each row."""
    text = read_text_file(table, encoding).text
    header = text.partition("\n")[0]
    usual = max(SEPARATORS, key=header.count)
    separator = next((each for each in SEPARATORS if column in header.split(each)), usual)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator)
    columns = reader.fieldnames or ()
    image = next((name for name in IMAGE_NAMES if name in columns), None)
    if image is None or column not in columns:
        lacking = f"column {column!r}" if image else f"column of the images, such as {IMAGE_NAMES[0]!r}"
        raise UserError(f"{table}:1: there is no {lacking}, only {', '.join(columns) or 'nothing'}: name it there")
    try:
        for row in reader:
            yield row[image] or "", row[column] or ""
    except csv.Error as error:
        raise UserError(f"{table}:{reader.line_num + 1} is no line of a table ({error}): correct it") from None
