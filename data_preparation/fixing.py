"""A cleaned copy of a dataset: what can be decided without looking is repaired, what cannot be used is left out.

Nothing is ever changed in place. What only a person can decide, such as a crop that is nearly blank, stays as it is.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contract.dataset import DICTIONARY, IMAGES, TRAIN_LABELS, VAL_LABELS, Dictionary, LabelFile, Sample
from contract.errors import BadImage, UserError
from contract.image_check import check_images
from contract.images import Images, open_images
from contract.picture import Picture
from contract.report import Report, Split
from data_preparation.dataset_writer import DatasetWriter
from data_preparation.fixes import ADDED, REMOVED, Fix, write_fixes
from data_preparation.images import look
from data_preparation.looking import over
from data_preparation.new_folder import new_folder
from data_preparation.progress import Advance
from data_preparation.text_repair import repair_dictionary, repair_labels


@dataclass(frozen=True)
class Options:
    """encoding: of text files that are neither UTF-8 nor UTF-16. drop_unknown: leave samples with characters that the
    dictionary lacks out, instead of adding these to it. fits: leave samples out whose label it says no to. workers:
    processes that look at images."""

    encoding: str | None = None
    drop_unknown: bool = False
    fits: Callable[[str], bool] | None = None
    workers: int | None = None


@dataclass(frozen=True)
class Kept:
    """A sample of the copy."""

    split: Split
    sample: Sample
    sha256: str


@dataclass(frozen=True)
class FixPlan:
    """What the copy will hold, and everything that is changed, in the order of the files."""

    images: Images
    kept: tuple[Kept, ...]
    dictionary: Dictionary
    fixes: tuple[Fix, ...]


def plan_fixes(dataset: Path, options: Options, advance: Advance | None) -> FixPlan:
    """Read and check everything. Raises UserError when there is nothing to clean, or nothing would be left."""
    if not dataset.is_dir():
        raise UserError(f"{dataset} is not a dataset folder: it must hold {TRAIN_LABELS} and {VAL_LABELS}")
    fixes: list[Fix] = []
    report = Report(dataset)
    for name, file in (("train", TRAIN_LABELS), ("val", VAL_LABELS)):
        repaired = repair_labels(dataset / file, options.encoding)
        fixes += repaired.fixes
        report.splits.append(Split(name, dataset, LabelFile(dataset / file, repaired.samples, (), ())))
    kept: list[Kept] = []

    def found(split: Split, sample: Sample, picture: Picture) -> None:
        kept.append(Kept(split, sample, picture.sha256))

    images = open_images(dataset)
    check_images(report, look, over(options.workers), advance, found)
    fixes += _unusable(report)
    kept = _once_each(kept, fixes)
    if options.fits:
        kept = _only(options.fits, "too wide", kept, fixes)
    characters, known = _dictionary(dataset, options.encoding, fixes)
    if options.drop_unknown:
        kept = _only(known.issuperset, "character", kept, fixes)
    else:
        characters += _missing(kept, known, fixes)
    for split in report.splits:
        if not any(each.split is split for each in kept):
            raise UserError(f"{dataset / split.file.path.name}: no sample of it can be kept: add sound ones")
    return FixPlan(images, tuple(kept), Dictionary(tuple(characters)), tuple(_in_order(fixes)))


def write_fixed(plan: FixPlan, folder: Path, advance: Advance) -> dict[str, Any]:
    """Write the copy, with fixes.csv in it, all or nothing; return its manifest. Raises UserError."""
    with new_folder(folder) as staging:
        writer = DatasetWriter(staging)
        taken: set[str] = set()
        for done, each in enumerate(plan.kept, start=1):
            name = each.sample.image.removeprefix(f"{IMAGES}/")
            if name in taken:  # images/1.png, and 1.png beside the label file
                name = f"{each.sha256[:8]}/{name}"
            taken.add(name)
            writer.add(each.split.name, name, each.sample.label, _read(plan.images, each))
            advance(done, len(plan.kept))
        write_fixes(staging, plan.fixes)
        return writer.finish({"source": "validate --fix", "fixes": len(plan.fixes)}, plan.dictionary)


def _read(images: Images, kept: Kept) -> bytes:
    where = kept.split.place(kept.sample.line)
    try:
        data = images.read(kept.sample.image)
    except BadImage as error:
        raise UserError(f"{where}: the image {kept.sample.image!r} {error}: it was sound before; try again") from None
    if hashlib.sha256(data).hexdigest() != kept.sha256:
        raise UserError(f"{where}: the image {kept.sample.image!r} was changed meanwhile: try again")
    return data


def _unusable(report: Report) -> list[Fix]:
    """Samples whose image cannot be used. Raises UserError when no image can, for the shards are damaged."""
    if not report.problems:
        return []
    samples = {split.place(each.line): (split, each) for split in report.splits for each in split.file.samples}
    fixes = []
    for problem in report.problems:
        if problem.where not in samples:
            raise UserError(f"{report.folder}/{problem}")
        fixes.append(_removal(*samples[problem.where], problem.kind))
    return fixes


def _once_each(kept: list[Kept], fixes: list[Fix]) -> list[Kept]:
    """Each picture once: in training where it has it; never, where labels contradict each other."""
    same: dict[str, list[Kept]] = defaultdict(list)
    for each in kept:
        same[each.sha256].append(each)
    rest = []
    for each in kept:
        group = same[each.sha256]
        if len({mate.sample.label for mate in group}) > 1:
            fixes.append(_removal(each.split, each.sample, "contradiction"))
        elif each is not group[0]:
            kind = "duplicate" if each.split is group[0].split else "leak"
            fixes.append(_removal(each.split, each.sample, kind))
        else:
            rest.append(each)
    return rest


def _dictionary(dataset: Path, encoding: str | None, fixes: list[Fix]) -> tuple[list[str], set[str]]:
    """The characters of dict.txt, which need not be there; and what labels may hold by it."""
    characters: list[str] = []
    if (dataset / DICTIONARY).exists():
        characters, changed = repair_dictionary(dataset / DICTIONARY, encoding)
        fixes += changed
    return characters, {*characters, " "}


def _missing(kept: Iterable[Kept], known: set[str], fixes: list[Fix]) -> list[str]:
    """Characters of the labels that go to the end of the dictionary, so that those before keep their classes."""
    missing = sorted({character for each in kept for character in each.sample.label} - known)
    fixes += [Fix(DICTIONARY, None, "character", ADDED, "", character) for character in missing]
    return missing


def _only(fits: Callable[[str], bool], kind: str, kept: Iterable[Kept], fixes: list[Fix]) -> list[Kept]:
    rest = []
    for each in kept:
        if fits(each.sample.label):
            rest.append(each)
        else:
            fixes.append(_removal(each.split, each.sample, kind))
    return rest


def _removal(split: Split, sample: Sample, kind: str) -> Fix:
    return Fix(split.file.path.name, sample.line, kind, REMOVED, f"{sample.image}\t{sample.label}")


def _in_order(fixes: Iterable[Fix]) -> list[Fix]:
    files = (TRAIN_LABELS, VAL_LABELS, DICTIONARY)
    return sorted(fixes, key=lambda fix: (files.index(fix.file), fix.line or 0))
