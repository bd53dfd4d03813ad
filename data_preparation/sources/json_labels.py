"""Images and texts in JSON: an object a line, a list of objects, or one object of image → text, as docTR has it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from contract.dataset import Problem
from contract.errors import UserError
from data_preparation.sources.annotation import Reading, first_line, parse_json
from data_preparation.sources.columns import chosen_columns, listed, named_columns
from data_preparation.sources.crop_files import Listed, find_crops
from data_preparation.sources.entries import BadSample, Source, unique
from data_preparation.text_files import read_text_file
from data_preparation.wording import counted


def is_json(path: Path) -> bool:
    """Whether the file begins as such JSON does; a list of images with a tab and a text is a line of a label file."""
    line = first_line(path).lstrip()
    return line.startswith(("{", "[")) and "\t" not in line


def read_json_labels(images: Path, labels: Path, how: Reading) -> Source:
    """Read one file. Where nobody said which keys are image and text, their names tell.

    A value `["a.png", "b.png"]` is several images of one text. Raises UserError when the file is no such JSON.
    """
    file = read_text_file(labels, how.encoding)
    items, problems, noun = _items(labels, file.text)
    listed: list[Listed] = []
    for where, item in items:
        try:
            listed += _read_item(item, where, how.columns)
        except BadSample as bad:
            problems.append(bad.problem(where))
    found, missing, moved = find_crops(images, labels, listed)
    entries, repeated = unique(found)
    reason = f"{labels.name} has {counted(len(items), noun)} of an image and its text"
    return Source("json", reason, tuple(entries), (*problems, *missing, *repeated), (*file.notes, *moved))


def _items(labels: Path, text: str) -> tuple[list[tuple[str, Any]], list[Problem], str]:
    """The place and the value of every item, a problem for each line that is none, and what the items are."""
    whole = _parsed(text)
    if isinstance(whole, list):
        return [(f"{labels.name}#{number}", item) for number, item in enumerate(whole, 1)], [], "JSON object"
    if isinstance(whole, dict) and named_columns(list(whole)) is None and _are_texts(whole.values()):
        pairs = ({"image": image, "text": label} for image, label in whole.items())
        return [(f"{labels.name}#{number}", pair) for number, pair in enumerate(pairs, 1)], [], "pair"
    if isinstance(whole, dict) and "\n" in text.strip():
        raise UserError(f"{labels} is one JSON object of no format known here: write one for each image, in a line")
    items = []
    problems = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        item = _parsed(line)
        where = f"{labels.name}:{number}"
        if item is None:
            remedy = "write an object with an image and its text"
            problems.append(Problem("format", where, "the line is not JSON", remedy))
        else:
            items.append((where, item))
    if not items:
        raise UserError(f"{labels} is not JSON: write a JSON object with an image and its text in each line")
    return items, problems, "JSON line"


def _parsed(text: str) -> Any:
    """The value of a JSON text; None when it has none."""
    try:
        return parse_json(text)
    except ValueError:
        return None


def _read_item(item: Any, where: str, columns: str | None) -> list[Listed]:
    if not isinstance(item, dict):
        raise BadSample("format", "it is no object with an image and its text", "correct it")
    keys = list(item)
    places = chosen_columns(columns, keys, len(keys)) if columns else named_columns(keys)
    if places is None:
        message = f"nothing tells which of {listed(keys) or 'no keys'} are the image and its text"
        raise BadSample("columns", message, "name the two with --columns IMAGE,TEXT")
    image, label = (item[keys[place]] for place in places)
    images = image if isinstance(image, list) else [image]
    if not _are_texts((*images, label)):
        raise BadSample("format", "the image and its text are not both strings", "write them in quotes")
    return [Listed(where, each, label) for each in images]


def _are_texts(values: Iterable[Any]) -> bool:
    return all(isinstance(value, str) for value in values)
