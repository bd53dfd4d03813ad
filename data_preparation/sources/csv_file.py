"""Tables of images and texts: CSV with any usual separator, with a header or without one."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from contract.dataset import Problem
from contract.errors import UserError
from data_preparation.sources.annotation import Reading, head
from data_preparation.sources.columns import chosen_columns, is_image_name, listed, named_columns, split_names
from data_preparation.sources.crop_files import Listed, find_crops
from data_preparation.sources.entries import Source, unique
from data_preparation.text_files import read_text_file
from data_preparation.wording import counted

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_FOR_EXCEL = re.compile('"?sep=."?', re.IGNORECASE)  # a first line that tells Excel the separator
_SAMPLED = 100  # lines that the separator and the image column are guessed from


@dataclass(frozen=True)
class _Row:
    cells: tuple[str, ...]
    line: int


def is_csv(path: Path) -> bool:
    """Whether the file is a table: by its name, its named columns, or its columns without the tab of a label file."""
    if path.suffix.lower() in (".csv", ".tsv"):
        return True
    text = head(path)
    if "\t" in text:  # "Unicode Text" of Excel has a header, a label file never
        return named_columns(text.partition("\n")[0].split("\t")) is not None
    return find_separator(text.splitlines()[:_SAMPLED]) is not None


def read_csv(images: Path, table: Path, how: Reading) -> Source:
    """Read one table. Where nobody said which columns are image and text, their names or contents tell.

    Each line is one row: a text in quotes may hold the separator, but no line break. Raises UserError when the file
    is no such table.
    """
    file = read_text_file(table, how.encoding)
    lines = file.text.rstrip("\n").split("\n")
    separator = find_separator(lines)
    if separator is None:
        raise UserError(f"{table} has no columns with an image and its text: separate them with commas in each line")
    notes = [*file.notes, *_drop_empty_rows(table.name, lines, separator)]
    rows, problems = _parse(table.name, lines, separator)
    header = rows[0] if rows and _is_header(rows, how.columns) else None
    body = rows[1:] if header else rows
    width = len(header.cells) if header else _usual_width(body)
    image, label = _columns(table, header, body, width, how.columns)
    problems += [_wrong_width(table.name, row, width) for row in body if len(row.cells) != width]
    sound = [row for row in body if len(row.cells) == width]
    listed = [Listed(f"{table.name}:{row.line}", row.cells[image], row.cells[label]) for row in sound]
    found, missing, moved = find_crops(images, table, listed)
    entries, repeated = unique(found)
    first_line = "the first line names the columns" if header else "no header"
    reason = f"{table.name} is a table separated by {SEPARATORS[separator]}, {first_line}"
    return Source("csv", reason, tuple(entries), (*problems, *missing, *repeated), (*notes, *moved))


def _drop_empty_rows(file: str, lines: list[str], separator: str) -> list[str]:
    """Take empty rows at the end away, which Excel writes where cells were emptied. A note if there are any."""
    count = len(lines)
    while not lines[-1].strip(f"{separator} \t"):
        lines.pop()
    empty = count - len(lines)
    return [f"{file} ends in {counted(empty, 'empty row')}: accepted, ignored"] if empty else []


def find_separator(lines: Sequence[str]) -> str | None:
    """The separator that gives most of the first lines an image beside other columns; None when none does."""
    sampled = [line for line in lines[:_SAMPLED] if line.strip()]
    scores = {separator: sum(map(_is_row, _cells(sampled, separator))) for separator in SEPARATORS}
    best = max(scores, key=scores.__getitem__)  # the first of equals
    return best if scores[best] else None


def _is_row(cells: Sequence[str]) -> bool:
    return len(cells) > 1 and (any(map(is_image_name, cells)) or named_columns(cells) is not None)


def _cells(lines: Sequence[str], separator: str) -> list[list[str]]:
    found = []
    for line in lines:
        try:
            found.append(_split(line, separator))
        except csv.Error:
            continue
    return found


def _split(line: str, separator: str) -> list[str]:
    """The cells of one line; csv.Error when its quotes do not pair up, a cell is too long, or it holds a NUL."""
    if "\0" in line:
        raise csv.Error("NUL")  # as Python 3.10 has it
    return next(csv.reader([line], delimiter=separator, strict=True, skipinitialspace=True), [])


def _parse(file: str, lines: Sequence[str], separator: str) -> tuple[list[_Row], list[Problem]]:
    rows = []
    problems = []
    start = 1 if _FOR_EXCEL.fullmatch(lines[0].strip()) else 0
    for number, line in enumerate(lines[start:], start=start + 1):
        where = f"{file}:{number}"
        if not line.strip():
            problems.append(Problem("columns", where, "the line is blank", "delete it"))
            continue
        try:
            rows.append(_Row(tuple(_split(line, separator)), number))
        except csv.Error as error:
            problems.append(Problem("columns", where, *_in_words(error)))
    return rows, problems


def _in_words(error: csv.Error) -> tuple[str, str]:
    """What is wrong and what to do, in our words."""
    if "NUL" in str(error):
        return "the line holds a NUL character", "remove it"
    if "end of data" in str(error):
        return "a quote is opened and not closed on the line", "close it; a text is one line without line breaks"
    if "limit" in str(error):
        return f"a column has more than {csv.field_size_limit():,} characters", "write the text of one crop"
    return f"the quotes do not pair up ({error})", 'write a quote inside quotes twice: ""'


def _is_header(rows: Sequence[_Row], chosen: str | None) -> bool:
    """True when the first row names columns: those chosen, by names that are known, or as the one without an image."""
    first, others = rows[0].cells, rows[1:_SAMPLED]
    if chosen and set(split_names(chosen)) <= set(first):
        return True
    if any(map(is_image_name, first)) or len(first) < min((len(row.cells) for row in others), default=2):
        return False
    return named_columns(first) is not None or any(any(map(is_image_name, row.cells)) for row in others)


def _usual_width(rows: Sequence[_Row]) -> int:
    """The number of columns that most rows have; the separator was found in one of them at least."""
    return Counter(len(row.cells) for row in rows if len(row.cells) > 1).most_common(1)[0][0]


def _columns(table: Path, header: _Row | None, rows: Sequence[_Row], width: int, chosen: str | None) -> tuple[int, int]:
    """The places of image and text. Raises UserError when nothing tells them."""
    if chosen:
        return chosen_columns(chosen, header.cells if header else None, width)
    named = named_columns(header.cells) if header else None
    if named:
        return named
    counts = [
        sum(is_image_name(row.cells[place]) for row in rows[:_SAMPLED] if len(row.cells) == width)
        for place in range(width)
    ]
    if width != 2 or max(counts) == min(counts):
        names = f" ({listed(header.cells)})" if header else ""
        raise UserError(
            f"{table} has {width} columns{names}, and nothing tells which are the image and its text:"
            " name the two with --columns IMAGE,TEXT (names, or numbers from 1)"
        )
    image = counts.index(max(counts))
    return image, 1 - image


def _wrong_width(file: str, row: _Row, width: int) -> Problem:
    message = f"the line has {len(row.cells)} column{'s' if len(row.cells) != 1 else ''}, the others have {width}"
    remedy = "put a text that holds the separator in quotes"
    return Problem("columns", f"{file}:{row.line}", message, remedy)
