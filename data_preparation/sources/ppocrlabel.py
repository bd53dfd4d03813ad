"""PPOCRLabel's Label.txt, which is also PaddleOCR's label file for text detection.

A line is the page's path, one tab, and a JSON list with an object for each region: `transcription`, `points`
(four or more [x, y]) and, by PPOCRLabel, `difficult`. PPOCRLabel shows pages as OpenCV decodes them: upright.
https://github.com/PFCCLab/PPOCRLabel
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from contract.dataset import Problem
from contract.errors import UserError
from data_preparation.regions import PageSource, Region
from data_preparation.sources.annotation import (
    ILLEGIBLE,
    Reading,
    as_polygon,
    files_below,
    first_line,
    illegible,
    parse_json,
)
from data_preparation.sources.entries import BadSample
from data_preparation.sources.pages import find_page, relative_folder
from data_preparation.text_files import read_text_file
from data_preparation.wording import counted

NAME = "ppocrlabel"

# What PPOCRLabel writes, in its two languages, for a box whose text nobody has typed yet or its OCR could not read.
PLACEHOLDERS = ("TEMPORARY", "NULL", "待识别", "无法识别")


def recognises(labels: Path) -> bool:
    """Whether the file, or a text file in the folder or below it, begins as a Label.txt does."""
    return any(map(_is_label_file, files_below(labels, ".txt")))


def read(images: Path, labels: Path, how: Reading) -> PageSource:
    """Read a Label.txt, or all such files below a folder. Raises UserError for a file that is no text."""
    root = labels.parent if labels.is_file() else labels
    files = [labels] if labels.is_file() else list(filter(_is_label_file, files_below(labels, ".txt")))
    if not files:
        raise UserError(f"{labels} holds no Label.txt: name it with --input-labels")
    regions: list[Region] = []
    problems: list[Problem] = []
    notes: list[str] = []
    for path in files:
        relative = path.relative_to(root)
        file = read_text_file(path, how.encoding)
        notes += file.notes
        for number, line in enumerate(file.text.split("\n"), start=1):
            if line.strip():
                found, bad = _read_line(images, line, relative_folder(relative), f"{relative.as_posix()}:{number}")
                regions += found
                problems += bad
    first = files[0].relative_to(root).as_posix()
    reason = f"{counted(len(files), 'file')} of pages and JSON lists of regions, first {first}"
    return PageSource(NAME, reason, tuple(regions), tuple(problems), tuple(notes))


def _is_label_file(path: Path) -> bool:
    return _is_label_line(first_line(path))


def _is_label_line(line: str) -> bool:
    regions = line.partition("\t")[2].strip()
    return regions == "[]" or lists_regions(regions)


def lists_regions(text: str) -> bool:
    """Whether it is the JSON list of a page's regions, told by its beginning and keys."""
    return text.startswith("[{") and '"transcription"' in text and '"points"' in text


def _read_line(images: Path, line: str, beside: str, where: str) -> tuple[list[Region], list[Problem]]:
    """The regions of a page. A line that cannot be read is one problem; a page that is missing, one for each region."""
    name, _, listed = line.partition("\t")
    try:
        annotations = parse_json(listed)
        if not isinstance(annotations, list):
            raise ValueError
    except ValueError:
        return [], [Problem("format", where, "the line is not a path, one tab, and a JSON list", "correct the line")]
    places = [f"{where}#{number}" for number in range(1, len(annotations) + 1)]
    try:
        page = find_page(images, name, beside)
    except BadSample as bad:
        return [], [bad.problem(place) for place in places]
    regions = []
    problems = []
    for number, (place, annotation) in enumerate(zip(places, annotations, strict=True), start=1):
        try:
            text, points = _text_and_points(annotation)
            regions.append(Region(place, page, as_polygon(points), text, f"{number:04}"))
        except BadSample as bad:
            problems.append(bad.problem(place))
    return regions, problems


def _text_and_points(annotation: Any) -> tuple[str, Any]:
    """What a region says and where. Raises BadSample for one that nobody can read, or that is no region."""
    if not isinstance(annotation, dict) or not isinstance(annotation.get("transcription"), str):
        raise BadSample("format", "the region has no transcription", "correct the line")
    text = annotation["transcription"]
    if annotation.get("difficult") is True or text in ILLEGIBLE:
        raise illegible()
    if text in PLACEHOLDERS:
        raise BadSample("placeholder", f"{text!r} is PPOCRLabel's word for no text", "write the text in PPOCRLabel")
    return text, annotation.get("points")
