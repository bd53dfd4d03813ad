"""The output manifests of SageMaker Ground Truth: a JSON object a line, with `source-ref` and what workers labelled.

A label is a key beside which `KEY-metadata` stands. Read are the boxes of a bounding box job and of a template with
crowd-bounding-box or crowd-polygon, whose text is one of the box's own or else the name of its class; and texts of
whole images, which are crops then: of a template with a text field, or the class of an image classification.
https://docs.aws.amazon.com/sagemaker/latest/dg/sms-data-output.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from contract.dataset import Problem
from contract.errors import UserError
from contract.quoting import quoted
from data_preparation.regions import PageSource, Region
from data_preparation.sources.annotation import Reading, files_below, first_line, parse_json
from data_preparation.sources.crop_files import Listed, find_crops
from data_preparation.sources.entries import BadSample, Source, unique
from data_preparation.sources.groundtruth_labels import Drawing, label_of, read_box
from data_preparation.sources.pages import find_page
from data_preparation.text_files import read_text_file
from data_preparation.wording import counted

NAME = "ground-truth"


@dataclass(frozen=True)
class _Line:
    """One image of a manifest and what was made of it."""

    where: str
    image: str
    label: Drawing | str | None


def recognises(labels: Path) -> bool:
    """Whether the file, or a .manifest of the folder, begins with an image that was given to workers."""
    return bool(_manifests(labels))


def read(images: Path, labels: Path, how: Reading) -> Source | PageSource:
    """Read a manifest, or those of a folder: pages when a label of theirs has boxes, otherwise crops.

    Raises UserError when there is nothing to read, or when the boxes say what they are and not what their text is.
    """
    files = _manifests(labels)
    if not files:
        raise UserError(f"{labels} holds no manifest of Ground Truth: name its output.manifest with --input-labels")
    lines: list[_Line] = []
    problems: list[Problem] = []
    notes: list[str] = []
    for path in files:
        file = read_text_file(path, how.encoding)
        notes += file.notes
        found, bad = _read_lines(file.text, path.name)
        lines += found
        problems += bad
    unlabelled = [line.where for line in lines if line.label is None]
    if unlabelled:
        notes.append(f"{counted(len(unlabelled), 'image')} without boxes or text: left alone, first at {unlabelled[0]}")
    drawn = [(line, line.label) for line in lines if isinstance(line.label, Drawing)]
    texts = [line for line in lines if isinstance(line.label, str)]
    if not drawn and not texts and not problems:
        raise UserError(f"{labels} labels no image with boxes or a text: name the output.manifest of such a job")
    if drawn:
        if texts:
            notes.append(
                f"{counted(len(texts), 'image')} with a text and no boxes: left alone, first at {texts[0].where}"
            )
        return _pages(images, drawn, problems, notes, labels)
    listed = [Listed(line.where, line.image, str(line.label)) for line in texts]
    entries, missing, moved = find_crops(images, files[0], listed)
    kept, repeated = unique(entries)
    reason = f"{labels.name} has {counted(len(texts), 'image')} with a text"
    return Source(NAME, reason, tuple(kept), (*problems, *missing, *repeated), (*notes, *moved))


def _manifests(labels: Path) -> list[Path]:
    return [path for path in files_below(labels, ".manifest") if _is_line(first_line(path))]


def _is_line(line: str) -> bool:
    return line.lstrip().startswith("{") and '"source-ref"' in line


def _read_lines(text: str, name: str) -> tuple[list[_Line], list[Problem]]:
    lines = []
    problems = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{name}:{number}"
        try:
            lines.append(_read_line(line, where))
        except BadSample as bad:
            problems.append(bad.problem(where))
    return lines, problems


def _read_line(line: str, where: str) -> _Line:
    try:
        value = parse_json(line)
    except ValueError:
        raise BadSample("format", "the line is not JSON", "correct the line") from None
    image = value.get("source-ref") if isinstance(value, dict) else None
    if not isinstance(image, str):
        raise BadSample("format", "the line has no source-ref that names an image", "correct the line")
    return _Line(where, image, label_of(value))


def _pages(
    images: Path,
    drawn: Sequence[tuple[_Line, Drawing]],
    problems: Sequence[Problem],
    notes: Sequence[str],
    labels: Path,
) -> PageSource:
    regions = []
    bad_boxes = []
    classes: list[str] = []
    for line, drawing in drawn:
        find = cache(partial(find_page, images, line.image))
        for number, box in enumerate(drawing.boxes, start=1):
            where = f"{line.where}#{number}"
            try:
                outline, text, is_class = read_box(box, drawing.classes)
                if is_class:
                    classes.append(text)
                regions.append(Region(where, find(), outline, text, f"{number:04}", drawing.size))
            except BadSample as bad:
                bad_boxes.append(bad.problem(where))
    if len(classes) > 1 and len(set(classes)) == 1:
        raise UserError(
            f"{labels} has no texts: all {len(classes)} boxes are of the class {quoted(classes[0])}, which says what"
            " they are. Add a text to each box, or have the crops transcribed by a job of their own"
        )
    if classes:
        notes = [*notes, f"the texts are the names of the boxes' classes, {len(set(classes))} in all"]
    reason = f"{labels.name} has {counted(len(drawn), 'image')} with boxes"
    return PageSource(NAME, reason, tuple(regions), (*problems, *bad_boxes), tuple(notes))
