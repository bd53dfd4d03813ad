"""Label files: one `path<TAB>text` a line, the images in a folder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from contract.dataset import (
    IMAGES,
    TRAIN_LABELS,
    VAL_LABELS,
    LabelFile,
    Problem,
    Sample,
    parse_labels,
)
from contract.errors import UserError
from contract.shards import is_packed
from data_preparation.sources.annotation import Reading, parse_json
from data_preparation.sources.crop_files import SWAPPED, Listed, find_crops
from data_preparation.sources.entries import Entry, Source, unique
from data_preparation.sources.ppocrlabel import NAME as PPOCRLABEL
from data_preparation.sources.ppocrlabel import lists_regions
from data_preparation.sources.wrong_columns import guess_separator
from data_preparation.text_files import TextFile, read_text_file
from data_preparation.wording import counted, verb

_LINE = "write image path, one tab, label"
_IN_QUOTES = re.compile('"(?=.*(?:,|""))(?:[^"]|"")+"')  # a text that holds a comma or quotes, which are doubled


def read_label_file(images: Path, labels: Path, how: Reading) -> Source:
    """Read one label file. Image paths start at the image folder or beside the label file."""
    return _read(images, [(labels, None)], f"{labels.name} is a label file", how)


def read_split_label_files(images: Path, folder: Path, how: Reading) -> Source:
    """Read train.txt and val.txt of a folder: an existing dataset, whose split is kept."""
    if is_packed(folder):
        raise UserError(
            f"{folder} is packed, its images are in shards: unpack it first (python -m data_preparation unpack)"
        )
    if images == folder and (folder / IMAGES).is_dir():
        images = folder / IMAGES  # so that images/0001.png stays images/0001.png
    files = [(folder / TRAIN_LABELS, "train"), (folder / VAL_LABELS, "val")]
    return _read(images, files, f"{folder} holds {TRAIN_LABELS} and {VAL_LABELS}, which are the split", how)


def _read(images: Path, files: Sequence[tuple[Path, str | None]], reason: str, how: Reading) -> Source:
    entries: list[Entry] = []
    problems: list[Problem] = []
    notes: list[str] = []
    for path, split in files:
        file = read_text_file(path, how.encoding)
        labels = parse_labels(path, file.text, file.notes)
        _refuse_no_tabs(labels, file)
        _refuse_regions(labels)
        notes += labels.notes
        outside, others = _outside(labels, file)
        problems += others
        samples = sorted([*labels.samples, *outside], key=lambda sample: sample.line)
        listed, of_lists = _listed(path.name, samples)
        found, missing, moved = find_crops(images, path, listed, split)
        if not found and 2 * sum(problem.kind == SWAPPED for problem in missing) > len(missing):
            raise UserError(f"{path} has its columns swapped, the second one names the images: {_LINE} in each line")
        entries += found
        problems += missing
        notes += [*of_lists, *moved, *_quoted_note(listed)]
    entries, repeated = unique(entries)
    return Source("label-file", reason, tuple(entries), tuple(problems + repeated), tuple(notes))


def _refuse_no_tabs(labels: LabelFile, file: TextFile) -> None:
    """Raise UserError when the file has no line, or none with a tab: one sentence instead of one for each line."""
    if labels.samples or any(problem.kind != "no tab" for problem in labels.problems):
        return
    if not labels.problems:
        raise UserError(f"{labels.path} lists no sample: write one line 'image path, tab, text' for each crop")
    guess = guess_separator(file.text.split("\n"))
    looks = f", the file looks {guess}" if guess else ""
    raise UserError(f"{labels.path} has no tab in any line{looks}: {_LINE} in each line")


def _refuse_regions(labels: LabelFile) -> None:
    """Raise UserError when the text of a line is the list of a page's regions."""
    if line := next((sample.line for sample in labels.samples if lists_regions(sample.label)), None):
        raise UserError(f"{labels.path}:{line} lists regions of a page: --format {PPOCRLABEL} cuts them out")


def _outside(labels: LabelFile, file: TextFile) -> tuple[list[Sample], list[Problem]]:
    """The lines that were refused for where their path leads, as samples to look for; and the other problems."""
    lines = file.text.split("\n") if labels.problems else []
    samples: list[Sample] = []
    others: list[Problem] = []
    for problem in labels.problems:
        number = int(problem.where.rpartition(":")[2])
        image, _, label = lines[number - 1].partition("\t")
        if problem.kind == "path":
            samples.append(Sample(image, label, number))
        else:
            others.append(problem)
    return samples, others


def _listed(file: str, samples: Sequence[Sample]) -> tuple[list[Listed], list[str]]:
    """The samples, several for a line that lists images of the same text: `["a.png", "b.png"]`, as PaddleOCR has it.

    PaddleOCR trains one of them, chosen at random, in each epoch; here each is a sample of its own.
    """
    listed = []
    lists = []
    for sample in samples:
        where = f"{file}:{sample.line}"
        images = _list_of_images(sample.image)
        if images:
            lists.append(where)
        listed += [Listed(where, image, sample.label) for image in images or [sample.image]]
    if not lists:
        return listed, []
    lines = f"{counted(len(lists), 'line')} {verb(len(lists), 'lists', 'list')} several images"
    return listed, [f"{lines}: each image becomes a sample of its own, first at {lists[0]}"]


def _quoted_note(listed: Sequence[Listed]) -> list[str]:
    """A note about quotes that a table program has put around texts: in a label file they are text."""
    found = [each.where for each in listed if _IN_QUOTES.fullmatch(each.label)]
    if not found:
        return []
    labels = f"{counted(len(found), 'label')} {verb(len(found), 'stands', 'stand')} in quotes, as Excel writes them"
    return [f"{labels}: kept, first at {found[0]}; --format csv reads the text in them"]


def _list_of_images(text: str) -> list[str] | None:
    if not text.startswith("["):
        return None
    try:
        images = parse_json(text)
    except ValueError:
        return None
    sound = isinstance(images, list) and images and all(isinstance(image, str) for image in images)
    return images if sound else None
