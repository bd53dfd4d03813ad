"""Will this dataset train with this recipe? All problems in one pass, each with its remedy."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
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
    read_dictionary,
    read_labels,
)
from contract.errors import UserError
from contract.image_header import ImageHeader, read_header
from contract.images import Images, open_images
from contract.recipe import Limits, ctc_steps, remedy_for_steps

EXAMPLES = 3  # how many lines a problem about many lines names

Decode = Callable[[bytes], bool]  # does the image really decode?
Progress = Callable[[int, int], None]  # samples checked, samples in all
Found = Callable[[str, bytes, str], None]  # a sound image: its path as the label has it, its bytes, their sha256


@dataclass(frozen=True)
class Split:
    """One label file of the dataset and the folder that its image paths start from."""

    name: str  # train or val
    folder: Path
    file: LabelFile
    prefix: str = ""  # of places in messages: the folder, when it is not the dataset's own

    def place(self, line: int) -> str:
        """`file:line` for messages."""
        return f"{self.prefix}{self.file.path.name}:{line}"


@dataclass
class Report:
    """What a check found. A dataset is fit to train when `problems` is empty."""

    folder: Path
    splits: list[Split] = field(default_factory=list)
    dictionary: Dictionary | None = None
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    content_sha256: str = ""  # of everything, in any order
    split_sha256: dict[str, str] = field(default_factory=dict)  # of each split, in the order of its lines
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
            problem = self.problems[0]
            folder = "" if Path(problem.where).is_absolute() else f"{self.folder.resolve()}/"
            raise UserError(f"{folder}{problem}{more}")


def check_dataset(
    folder: Path,
    limits: Limits | None,
    decode: Decode | None,
    *,
    validation: Path | None = None,
    progress: Progress | None = None,
    found: Found | None = None,
    images: Callable[[Path], Images] = open_images,
) -> Report:
    """Check a dataset folder and, when given, the dataset folder that validates instead of its val.txt.

    limits: what the recipe can learn; None checks the dataset alone.
    decode: None checks labels and dictionary alone; no image is opened, and there is no content hash.
    found: told of each sound image.
    images: opens those of a folder; each is seen by the check as it gives them.
    Raises UserError only when there is no dataset folder to check.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is not a dataset folder: it must hold {TRAIN_LABELS}, {VAL_LABELS} and {DICTIONARY}")
    report = Report(folder)
    _read_splits(report, validation)
    _read_dictionary(report)
    if decode:
        _check_images(report, decode, progress, found, images)
    _check_characters(report)
    _note_untaught(report)
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


def _check_images(
    report: Report,
    decode: Decode,
    progress: Progress | None,
    found: Found | None,
    open_folder: Callable[[Path], Images],
) -> None:
    total = len(_labelled(report))
    done = 0
    entries: list[tuple[str, str, str, str]] = []
    seen: dict[str, tuple[str, str]] = {}  # image sha256 → split and label where it was met first
    leaked = contradicting = 0
    opened: dict[Path, Images | None] = {}  # None: its shards cannot be used, and the report says why
    for split in report.splits:
        if split.folder not in opened:
            opened[split.folder] = _open_images(report, split, open_folder)
        images = opened[split.folder]
        if images is None:
            continue
        before = len(entries)
        for sample in split.file.samples:
            try:
                data, digest = images.read_verified(sample.image)
                header = _decodable(data, decode)
            except ValueError as error:
                where = split.place(sample.line)
                report.problems.append(Problem("image", where, f"the image {sample.image!r} {error}", images.remedy))
            else:
                report.aspects.append(header.width / header.height)
                entries.append((split.name, sample.image, sample.label, digest))
                if found:
                    found(sample.image, data, digest)
                first_split, first_label = seen.setdefault(digest, (split.name, sample.label))
                leaked += first_split != split.name
                contradicting += first_label != sample.label
            done += 1
            if progress:
                progress(done, total)
        report.split_sha256[split.name] = hashlib.sha256(repr(entries[before:]).encode()).hexdigest()
    report.content_sha256 = content_hash(entries)
    for images in opened.values() if len(opened) < len(report.splits) else ():  # one folder, and all of its labels
        report.notes += images.unnamed(sample.image for _, sample in _labelled(report)) if images else ()
    if leaked:
        report.notes.append(f"validation images that are in the training set too: {leaked}; their scores say nothing")
    if contradicting:
        report.notes.append(f"images with another label than the same image elsewhere: {contradicting}")


def _open_images(report: Report, split: Split, open_folder: Callable[[Path], Images]) -> Images | None:
    try:
        return open_folder(split.folder)
    except UserError as error:  # `folder/shards/file[:line:] message: remedy`
        where, _, text = str(error).removeprefix(str(split.folder))[1:].partition(" ")
        message, _, remedy = text.partition(": ")
        report.problems.append(Problem("shards", split.prefix + where.rstrip(":"), message, remedy))
        return None


def _decodable(data: bytes, decode: Decode) -> ImageHeader:
    header = read_header(data)
    if not decode(data):
        raise ValueError("does not decode: the file is damaged")
    return header


def _measure(report: Report) -> None:
    labels = [sample.label for _, sample in _labelled(report)]
    report.longest_label = max(map(len, labels), default=0)
    report.most_steps = max(map(ctc_steps, labels), default=0)
    report.has_space = any(" " in label for label in labels)


def _check_characters(report: Report) -> None:
    """One problem for each character that the dictionary lacks, the most frequent first."""
    if report.dictionary is None:
        return
    known = {*report.dictionary.characters, " "}
    places: dict[str, list[str]] = {}
    for split, sample in _labelled(report):
        for character in sample.label:
            if character not in known:
                places.setdefault(character, []).append(split.place(sample.line))
    for character, where in sorted(places.items(), key=lambda item: -len(item[1])):
        message = f"the character {character!r} (U+{ord(character):04X}) {_occurs(where)} and is not in {DICTIONARY}"
        remedy = f"add it to {DICTIONARY} or correct the labels"
        report.problems.append(Problem("character", where[0], message, remedy))


def _note_untaught(report: Report) -> None:
    """Characters of the validation labels that no training label has."""
    train, val = (
        Counter("".join(sample.label for split, sample in _labelled(report) if split.name == name))
        for name in ("train", "val")
    )
    untaught = {character: times for character, times in val.most_common() if character not in train}
    if train and untaught:
        shown = [f"{each!r} (U+{ord(each):04X}) {times}×" for each, times in untaught.items()][:EXAMPLES]
        more = ", …" if len(untaught) > EXAMPLES else ""
        report.notes.append(f"characters of validation labels that no training label has: {', '.join(shown)}{more}")


def _spaces(report: Report, limits: Limits) -> list[Problem]:
    where = [split.place(sample.line) for split, sample in _labelled(report) if " " in sample.label]
    if limits.use_space or not where:
        return []
    message = f"the space ' ' (U+0020) {_occurs(where)} and the recipe leaves it out"
    return [Problem("character", where[0], message, "add -o Global.use_space_char=true")]


def _occurs(where: list[str]) -> str:
    lines = list(dict.fromkeys(where))
    examples = ", ".join(lines[:EXAMPLES]) + (", …" if len(lines) > EXAMPLES else "")
    return f"occurs {len(where)} time{'s' if len(where) > 1 else ''} ({examples})"


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
        remedy = f"add -o Global.max_text_length={len(sample.label) + limits.reserved} or shorten them"
        problems.append(_at(split, sample, "too long", message, remedy))
    if tight:
        split, sample = max(tight, key=lambda pair: ctc_steps(pair[1].label))
        needed = ctc_steps(sample.label)
        message = (
            f"CTC needs {needed} time steps for the label, the recipe has {limits.time_steps}"
            f" (labels that do not fit: {len(tight)})"
        )
        remedy = remedy_for_steps(limits, needed, report.typical_aspect)
        problems.append(_at(split, sample, "too wide", message, remedy))
    return problems


def _labelled(report: Report) -> list[tuple[Split, Sample]]:
    return [(split, sample) for split in report.splits for sample in split.file.samples]


def _at(split: Split, sample: Sample, kind: str, message: str, remedy: str) -> Problem:
    return Problem(kind, split.place(sample.line), message, remedy)


def _file_problem(path: Path, error: UserError) -> Problem:
    """A UserError about a whole file as a Problem: `path[:line]: message: remedy` taken apart."""
    text = str(error).removeprefix(str(path)).lstrip(": ")
    line, colon, rest = text.partition(": ")
    where, text = (f"{path.name}:{line}", rest) if colon and line.isdigit() else (path.name, text)
    message, _, remedy = text.partition(": ")
    return Problem("file", where, message, remedy or "replace the file")
