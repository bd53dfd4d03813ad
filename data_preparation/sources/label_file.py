"""Label files: one `path<TAB>text` a line, the images in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from contract.dataset import (
    IMAGES,
    TRAIN_LABELS,
    VAL_LABELS,
    LabelFile,
    Problem,
    Sample,
    path_problem,
    read_labels,
    read_text,
)
from contract.errors import UserError
from contract.shards import is_packed
from data_preparation.sources.entries import BadSample, Entry, Source, refuse_link, safe_name, unique
from data_preparation.sources.finding import find_file
from data_preparation.sources.wrong_columns import guess_separator
from data_preparation.wording import counted, quoted, verb

SWAPPED = "swapped columns"
_LINE = "write image path, one tab, label"


def read_label_file(images: Path, labels: Path) -> Source:
    """Read one label file. Image paths start at the image folder or beside the label file."""
    return _read(images, [(labels, None)], f"{labels.name} is a label file")


def read_split_label_files(images: Path, folder: Path) -> Source:
    """Read train.txt and val.txt of a folder: an existing dataset, whose split is kept."""
    if is_packed(folder):
        raise UserError(
            f"{folder} is packed, its images are in shards: unpack it first (python -m data_preparation unpack)"
        )
    if images == folder and (folder / IMAGES).is_dir():
        images = folder / IMAGES  # so that images/0001.png stays images/0001.png
    files = [(folder / TRAIN_LABELS, "train"), (folder / VAL_LABELS, "val")]
    return _read(images, files, f"{folder} holds {TRAIN_LABELS} and {VAL_LABELS}, which are the split")


def _read(images: Path, files: Sequence[tuple[Path, str | None]], reason: str) -> Source:
    entries: list[Entry] = []
    problems: list[Problem] = []
    notes: list[str] = []
    for path, split in files:
        labels = read_labels(path)
        _refuse_no_tabs(labels)
        notes += labels.notes
        outside, others = _outside(labels)
        problems += others
        samples = sorted([*labels.samples, *outside], key=lambda sample: sample.line)
        found, missing = _locate((images.resolve(), path.parent.resolve()), path.name, split, samples)
        if not found and 2 * sum(problem.kind == SWAPPED for problem in missing) > len(missing):
            raise UserError(f"{path} has its columns swapped, the second one names the images: {_LINE} in each line")
        entries += found
        problems += missing
        notes += _moved_note(outside, found, images.resolve())
    entries, repeated = unique(entries)
    return Source("label-file", reason, tuple(entries), tuple(problems + repeated), tuple(notes))


def _locate(
    roots: tuple[Path, Path], file: str, split: str | None, samples: Sequence[Sample]
) -> tuple[list[Entry], list[Problem]]:
    """An entry for each sample whose image is found, and a problem for each of the others."""
    entries = []
    problems = []
    for sample in samples:
        where = f"{file}:{sample.line}"
        try:
            image, name = _image(roots, sample)
        except BadSample as bad:
            problems.append(bad.problem(where))
        else:
            entries.append(Entry(where, image, name, sample.label, split))
    return entries, problems


def _refuse_no_tabs(labels: LabelFile) -> None:
    """Raise UserError when the file has no line, or none with a tab: one sentence instead of one for each line."""
    if labels.samples or any(problem.kind != "no tab" for problem in labels.problems):
        return
    if not labels.problems:
        raise UserError(f"{labels.path} lists no sample: write one line 'image path, tab, text' for each crop")
    guess = guess_separator(read_text(labels.path)[0].split("\n"))
    looks = f", the file looks {guess}" if guess else ""
    raise UserError(f"{labels.path} has no tab in any line{looks}: {_LINE} in each line")


def _outside(labels: LabelFile) -> tuple[list[Sample], list[Problem]]:
    """The lines that were refused for where their path leads, as samples to look for; and the other problems."""
    lines = read_text(labels.path)[0].split("\n") if labels.problems else []
    samples: list[Sample] = []
    others: list[Problem] = []
    for problem in labels.problems:
        number = int(problem.where.rpartition(":")[2])
        image, _, label = lines[number - 1].partition("\t")
        if problem.kind == "path" and "://" not in image and "\0" not in image:
            samples.append(Sample(image, label, number))
        else:
            others.append(problem)
    return samples, others


def _moved_note(outside: Sequence[Sample], found: Sequence[Entry], root: Path) -> list[str]:
    """A note when paths that lead outside were found below the image folder all the same."""
    places = {int(entry.where.rpartition(":")[2]): entry.where for entry in found}
    moved = [sample for sample in outside if sample.line in places]
    if not moved:
        return []
    what = f"{counted(len(moved), 'image path')} {verb(len(moved), 'leads', 'lead')} elsewhere"
    first = f"{places[moved[0].line]} {moved[0].image!r}"
    return [f"{what}: found below {root.name}/ without the leading folders, first at {first}"]


def _image(roots: tuple[Path, Path], sample: Sample) -> tuple[Path, str]:
    """The image file of a label line and its name in the dataset. Raises BadSample when there is none.

    A path that is absolute or holds `..` is looked for below the image folder only, never where it points.
    """
    reason = path_problem(sample.image)
    allowed = roots[:1] if reason else roots
    image = find_file(sample.image, allowed, shortened_in=allowed[:1])
    if image is None:
        raise _not_found(roots[0], sample, reason)
    refuse_link(image, *allowed)
    root = next(root for root in allowed if image.is_relative_to(root))
    return image, safe_name(PurePosixPath(image.relative_to(root).as_posix()))


def _not_found(root: Path, sample: Sample, reason: str | None) -> BadSample:
    if find_file(sample.label, (root,), shortened_in=(root,)):
        return BadSample(SWAPPED, f"the columns are swapped, the second one is the image {quoted(sample.label)}", _LINE)
    if reason:
        message = f"{quoted(sample.image)} {reason} and no such file is in {root.name}/"
        return BadSample("path", message, "write it relative to --input-images")
    message = f"the image {quoted(sample.image)} is neither in {root.name}/ nor beside the label file"
    return BadSample("image", message, "correct the path or --input-images")
