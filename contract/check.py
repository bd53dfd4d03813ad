"""Will this dataset train with this recipe? All problems in one pass, each with its remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from contract.dataset import (
    DICTIONARY,
    TRAIN_LABELS,
    VAL_LABELS,
    Problem,
    Sample,
    read_dictionary,
    read_labels,
)
from contract.errors import UserError
from contract.image_check import Found, Over, Progress, check_images
from contract.images import Images, open_images
from contract.limits import MOST_STEPS, Limits, ctc_steps, remedy_for_steps
from contract.picture import Decode
from contract.report import Report, Split

EXAMPLES = 3  # how many lines a problem about many lines names


def check_dataset(
    folder: Path,
    limits: Limits | None,
    decode: Decode | None,
    *,
    validation: Path | None = None,
    progress: Progress | None = None,
    found: Found | None = None,
    over: Over = map,
    keep_data: bool = False,
    images: Callable[[Path], Images] = open_images,
) -> Report:
    """Check a dataset folder and, when given, the dataset folder that validates instead of its val.txt.

    limits: what the recipe can learn; None checks the dataset alone.
    decode: None checks labels and dictionary alone; no image is opened, and there is no content hash.
    found: told of each sound image.
    over: looks at the images of many chunks, here or in other processes.
    keep_data: `found` is given the bytes of the files too.
    images: opens those of a folder; each is seen by the check as it gives them.
    Raises UserError only when there is no dataset folder to check.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is not a dataset folder: it must hold {TRAIN_LABELS}, {VAL_LABELS} and {DICTIONARY}")
    report = Report(folder)
    _read_splits(report, validation)
    _read_dictionary(report)
    if decode:
        check_images(report, decode, over, progress, found, keep_data, images)
    _check_characters(report)
    _warn_of_untaught(report)
    _measure(report)
    if limits:
        report.problems += check_limits(report, limits)
    return report


def check_limits(report: Report, limits: Limits) -> list[Problem]:
    """What of a checked dataset a recipe with these limits cannot learn. Reads no file: cheap to ask again."""
    return [*_spaces(report, limits), *_lengths(report, limits)]


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
        prefix = f"{folder.resolve()}/" if folder != report.folder else ""
        report.splits.append(Split(name, folder, file, prefix))
        report.problems += [replace(problem, where=prefix + problem.where) for problem in file.problems]
        report.notes += file.notes
        if not file.samples and not file.problems:
            where = prefix + file_name
            report.problems.append(Problem("empty", where, "the file lists no sample", "add label lines"))


def _read_dictionary(report: Report) -> None:
    try:
        report.dictionary = read_dictionary(report.folder / DICTIONARY)
        report.notes += report.dictionary.notes
    except UserError as error:
        report.problems.append(_file_problem(report.folder / DICTIONARY, error))


def _measure(report: Report) -> None:
    for _, sample in _labelled(report):
        report.longest_label = max(report.longest_label, len(sample.label))
        if 2 * len(sample.label) > report.most_steps:
            report.most_steps = max(report.most_steps, ctc_steps(sample.label))
        report.has_space = report.has_space or " " in sample.label


def _check_characters(report: Report) -> None:
    """One problem for each character that the dictionary lacks, the most frequent first."""
    if report.dictionary is None:
        return
    known = {*report.dictionary.characters, " "}
    unknown: dict[str, _Places] = {}
    for split, sample in _labelled(report):
        for character in sample.label if not known.issuperset(sample.label) else ():
            if character not in known:
                unknown.setdefault(character, _Places()).add(split, sample)
    for character, places in sorted(unknown.items(), key=lambda item: -item[1].count):
        message = f"the character {character!r} (U+{ord(character):04X}) {places} and is not in {DICTIONARY}"
        remedy = f"add it to {DICTIONARY} or correct the labels"
        report.problems.append(Problem("character", places.lines[0], message, remedy, places.count))


def _warn_of_untaught(report: Report) -> None:
    """Characters of the validation labels that no training label has."""
    train: set[str] = set()
    for sample in report.samples("train"):
        train.update(sample.label)
    untaught: dict[str, _Places] = {}
    for split, sample in _labelled(report) if train else ():
        for character in sample.label if split.name == "val" else ():
            if character not in train:
                untaught.setdefault(character, _Places()).add(split, sample)
    for character, places in sorted(untaught.items(), key=lambda item: -item[1].count):
        message = f"the character {character!r} (U+{ord(character):04X}) {places} and no training label has it"
        remedy = "add samples that teach it"
        report.warnings.add(Problem("untaught character", places.lines[0], message, remedy))


def _spaces(report: Report, limits: Limits) -> list[Problem]:
    places = _Places()
    for split, sample in _labelled(report) if not limits.use_space else ():
        if " " in sample.label:
            places.add(split, sample)
    if not places.count:
        return []
    message = f"the space ' ' (U+0020) {places} and the recipe leaves it out"
    return [Problem("character", places.lines[0], message, "add -o Global.use_space_char=true", places.count)]


class _Places:
    """How often something occurs, and the first lines where it does."""

    def __init__(self) -> None:
        self.count = 0
        self.lines: list[str] = []
        self._more = False

    def add(self, split: Split, sample: Sample) -> None:
        self.count += 1
        if not self._more and (line := split.place(sample.line)) not in self.lines:
            self._more = len(self.lines) == EXAMPLES
            self.lines += [] if self._more else [line]

    def __str__(self) -> str:
        times = f"{self.count:,} time{'s' if self.count > 1 else ''}"
        return f"occurs {times} ({', '.join(self.lines)}{', …' if self._more else ''})"


def _lengths(report: Report, limits: Limits) -> list[Problem]:
    """A problem for the longest label and one for the label that CTC finds hardest, with the number of the others."""
    problems = []
    long = [pair for pair in _labelled(report) if len(pair[1].label) > limits.longest_label]
    tight = [pair for pair in _labelled(report) if ctc_steps(pair[1].label) > limits.time_steps]
    if long:
        split, sample = max(long, key=lambda pair: len(pair[1].label))
        message = (
            f"the label has {len(sample.label)} code points, the recipe takes {limits.longest_label}"
            f" (labels that are too long: {len(long)})"
        )
        needed = len(sample.label) + limits.reserved
        remedy = f"add -o Global.max_text_length={needed} or shorten them"
        if needed > MOST_STEPS:
            remedy = "shorten it or delete its line: that is no line of text"
        problems.append(Problem("too long", split.place(sample.line), message, remedy, len(long)))
    if tight:
        split, sample = max(tight, key=lambda pair: ctc_steps(pair[1].label))
        needed = ctc_steps(sample.label)
        message = (
            f"CTC needs {needed} time steps for the label, the recipe has {limits.time_steps}"
            f" (labels that do not fit: {len(tight)})"
        )
        remedy = remedy_for_steps(limits, needed, report.typical_aspect)
        problems.append(Problem("too wide", split.place(sample.line), message, remedy, len(tight)))
    return problems


def _labelled(report: Report) -> Iterator[tuple[Split, Sample]]:
    return ((split, sample) for split in report.splits for sample in split.file.samples)


def _file_problem(path: Path, error: UserError) -> Problem:
    """A UserError about a whole file as a Problem: `path[:line]: message: remedy` taken apart."""
    text = str(error).removeprefix(str(path)).lstrip(": ")
    line, colon, rest = text.partition(": ")
    where, text = (f"{path.name}:{line}", rest) if colon and line.isdigit() else (path.name, text)
    message, _, remedy = text.partition(": ")
    return Problem("file", where, message, remedy or "replace the file")
