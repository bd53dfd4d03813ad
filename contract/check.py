"""Will this dataset train with this recipe? All problems in one pass, each with its remedy."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from contract.dataset import (
    DICTIONARY,
    TRAIN_LABELS,
    VAL_LABELS,
    Dictionary,
    LabelFile,
    Problem,
    Sample,
    content_hash,
    image_file,
    read_dictionary,
    read_labels,
)
from contract.errors import UserError
from contract.image_header import ImageHeader, read_header
from contract.recipe import Limits, ctc_steps

EXAMPLES = 3  # how many lines a problem about many lines names

Decode = Callable[[bytes], bool]  # does the image really decode?
Progress = Callable[[int, int], None]  # samples checked, samples in all


@dataclass(frozen=True)
class Split:
    """One label file of the dataset and the folder that its image paths start from."""

    name: str  # train or val
    folder: Path
    file: LabelFile


@dataclass
class Report:
    """What a check found. A dataset is fit to train when `problems` is empty."""

    folder: Path
    splits: list[Split] = field(default_factory=list)
    dictionary: Dictionary | None = None
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    content_sha256: str = ""
    longest_label: int = 0  # code points
    most_steps: int = 0  # CTC time steps that the hardest label needs
    has_space: bool = False
    aspects: list[float] = field(default_factory=list)  # width / height of every readable image

    def samples(self, split: str) -> tuple[Sample, ...]:
        return next((each.file.samples for each in self.splits if each.name == split), ())

    def split_folder(self, split: str) -> Path:
        return next((each.folder for each in self.splits if each.name == split), self.folder)

    @property
    def typical_aspect(self) -> float:
        """Width / height that nine images in ten do not exceed."""
        ordered = sorted(self.aspects)
        return ordered[int(0.9 * (len(ordered) - 1))] if ordered else 1.0

    def refuse(self) -> None:
        """Raise UserError with the first problem and the number of the others, when there is any."""
        if self.problems:
            others = len(self.problems) - 1
            more = f" (and {others} more: python -m data_preparation validate lists all)" if others else ""
            raise UserError(f"{self.folder.resolve()}/{self.problems[0]}{more}")


def check_dataset(
    folder: Path,
    limits: Limits | None,
    decode: Decode,
    *,
    validation: Path | None = None,
    progress: Progress | None = None,
) -> Report:
    """Check a dataset folder and, when given, the dataset folder that validates instead of its val.txt.

    limits: what the recipe can learn; None checks the dataset alone.
    Raises UserError only when there is no dataset folder to check.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is not a dataset folder: it must hold {TRAIN_LABELS}, {VAL_LABELS} and {DICTIONARY}")
    report = Report(folder)
    _read_splits(report, validation)
    _read_dictionary(report)
    _check_images(report, decode, progress)
    _measure(report)
    _check_characters(report, limits)
    if limits:
        _check_lengths(report, limits)
    return report


def _read_splits(report: Report, validation: Path | None) -> None:
    val_folder = validation or report.folder
    val_name = VAL_LABELS
    if validation and not (validation / VAL_LABELS).exists():
        val_name = TRAIN_LABELS
    for name, folder, file_name in (("train", report.folder, TRAIN_LABELS), ("val", val_folder, val_name)):
        try:
            file = read_labels(folder / file_name)
        except UserError as error:
            report.problems.append(_file_problem(folder / file_name, error))
            continue
        report.splits.append(Split(name, folder, file))
        report.problems += file.problems
        report.notes += file.notes
        if not file.samples and not file.problems:
            report.problems.append(Problem("empty", file_name, "the file lists no sample", "add label lines"))


def _read_dictionary(report: Report) -> None:
    try:
        report.dictionary = read_dictionary(report.folder / DICTIONARY)
        report.notes += report.dictionary.notes
    except UserError as error:
        report.problems.append(_file_problem(report.folder / DICTIONARY, error))


def _check_images(report: Report, decode: Decode, progress: Progress | None) -> None:
    total = sum(len(split.file.samples) for split in report.splits)
    done = 0
    entries = []
    for split in report.splits:
        root = split.folder.resolve()
        for sample in split.file.samples:
            try:
                data = _read_image(root, sample.image)
                header = _decodable(data, decode)
            except ValueError as error:
                where = f"{split.file.path.name}:{sample.line}"
                remedy = "replace the image or delete the line"
                report.problems.append(Problem("image", where, f"the image {sample.image!r} {error}", remedy))
            else:
                report.aspects.append(header.width / header.height)
                entries.append((split.name, sample.image, sample.label, hashlib.sha256(data).hexdigest()))
            done += 1
            if progress:
                progress(done, total)
    report.content_sha256 = content_hash(entries)


def _read_image(root: Path, image: str) -> bytes:
    """The bytes of an image inside the dataset; ValueError says why there are none. Links may not lead out."""
    path = image_file(root, image)
    try:
        real = path.resolve(strict=True)
        if not real.is_relative_to(root):
            raise ValueError("is a link that leaves the dataset folder")
        return real.read_bytes()
    except FileNotFoundError:
        raise ValueError("does not exist") from None
    except IsADirectoryError:
        raise ValueError("is a folder") from None
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror})") from None


def _decodable(data: bytes, decode: Decode) -> ImageHeader:
    header = read_header(data)
    if not decode(data):
        raise ValueError("does not decode: the file is damaged")
    return header


def _measure(report: Report) -> None:
    labels = [sample.label for split in report.splits for sample in split.file.samples]
    report.longest_label = max(map(len, labels), default=0)
    report.most_steps = max(map(ctc_steps, labels), default=0)
    report.has_space = any(" " in label for label in labels)


def _check_characters(report: Report, limits: Limits | None) -> None:
    if report.dictionary is None:
        return
    known = set(report.dictionary.characters) | {" "}
    places: dict[str, list[str]] = {}
    for split in report.splits:
        for sample in split.file.samples:
            for character in sample.label:
                if character not in known or (character == " " and limits and not limits.use_space):
                    places.setdefault(character, []).append(f"{split.file.path.name}:{sample.line}")
    for character, where in sorted(places.items(), key=lambda item: -len(item[1])):
        lines = list(dict.fromkeys(where))
        examples = ", ".join(lines[:EXAMPLES]) + (", …" if len(lines) > EXAMPLES else "")
        name = f"{character!r} (U+{ord(character):04X})"
        if character == " ":
            message = f"the space {name} occurs {len(where)} times ({examples}) and the recipe leaves it out"
            remedy = "add -o Global.use_space_char=true"
        else:
            message = f"the character {name} occurs {len(where)} times ({examples}) and is not in {DICTIONARY}"
            remedy = f"add it to {DICTIONARY} or correct the labels"
        report.problems.append(Problem("character", lines[0], message, remedy))


def _check_lengths(report: Report, limits: Limits) -> None:
    """One problem for the longest label and one for the one CTC finds hardest, with the count of the others."""
    labelled = [(split, sample) for split in report.splits for sample in split.file.samples]
    long = [pair for pair in labelled if len(pair[1].label) > limits.longest_label]
    tight = [pair for pair in labelled if ctc_steps(pair[1].label) > limits.time_steps]
    if long:
        split, sample = max(long, key=lambda pair: len(pair[1].label))
        message = (
            f"the label has {len(sample.label)} code points, the recipe takes {limits.longest_label}"
            f" ({len(long)} labels are too long)"
        )
        remedy = "add -o Global.max_text_length=N as python -m data_preparation validate says, or shorten them"
        report.problems.append(_at(split, sample, "too long", message, remedy))
    if tight:
        split, sample = max(tight, key=lambda pair: ctc_steps(pair[1].label))
        needed = ctc_steps(sample.label)
        message = (
            f"CTC needs {needed} time steps for the label, the recipe has {limits.time_steps}"
            f" ({len(tight)} labels do not fit)"
        )
        if limits.pixels_per_step:
            width = -(-needed * limits.pixels_per_step // 32) * 32
            remedy = f"widen the input to image_shape [3,{limits.height},{width}] or split the lines"
        else:
            remedy = "split the lines: this network has a fixed number of steps"
        report.problems.append(_at(split, sample, "too wide", message, remedy))


def _at(split: Split, sample: Sample, kind: str, message: str, remedy: str) -> Problem:
    return Problem(kind, f"{split.file.path.name}:{sample.line}", message, remedy)


def _file_problem(path: Path, error: UserError) -> Problem:
    """A UserError about a whole file as a Problem: `path[:line]: message: remedy` taken apart."""
    text = str(error).removeprefix(str(path)).lstrip(": ")
    line, colon, rest = text.partition(": ")
    where, text = (f"{path.name}:{line}", rest) if colon and line.isdigit() else (path.name, text)
    message, _, remedy = text.partition(": ")
    return Problem("file", where, message, remedy or "replace the file")
