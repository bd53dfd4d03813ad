"""Validation pictures that look like trained ones of the same text: copies that were encoded again or brightened."""

from __future__ import annotations

from collections import defaultdict

from contract.dataset import Problem, Sample
from contract.errors import UserError
from contract.images import open_images
from contract.quoting import quoted
from contract.report import Report, Split
from contract.text import normalise
from data_preparation.likeness import likeness_of
from data_preparation.progress import Advance
from data_preparation.together import Likeness, near_pairs

Seen = tuple[Split, Sample, Likeness]


def warn_of_near_duplicates(report: Report, advance: Advance) -> None:
    """Look again at the images whose text both splits have, and warn of each that validates what is trained.

    Equal files are no business of this: they are leaks already.
    """
    by_text: dict[str, list[Seen]] = defaultdict(list)
    shared = _texts(report, "train") & _texts(report, "val")
    wanted = [
        (split, each) for split in report.splits for each in split.file.samples if normalise(each.label) in shared
    ]
    try:
        folders = {split.folder: open_images(split.folder) for split in report.splits}
    except UserError:  # shards that the check has told of
        return
    for done, (split, sample) in enumerate(wanted, start=1):
        try:
            likeness = likeness_of(folders[split.folder].read(sample.image))
        except ValueError:  # an image that the check has told of
            continue
        finally:
            advance(done, len(wanted))
        by_text[normalise(sample.label)].append((split, sample, likeness))
    for seen in by_text.values():
        _warn(report, seen)


def _texts(report: Report, split: str) -> set[str]:
    return {normalise(sample.label) for sample in report.samples(split)}


def _warn(report: Report, seen: list[Seen]) -> None:
    """`seen`: samples of one text."""
    trained: dict[int, list[Seen]] = defaultdict(list)
    alike: dict[int, set[int]] = {}
    for each in seen:
        alike[each[2].picture] = {each[2].picture}
        if each[0].name == "train":
            trained[each[2].picture].append(each)
    for one, other in near_pairs(list(alike)):
        alike[one].add(other)
        alike[other].add(one)
    for split, sample, likeness in seen:
        if split.name == "train":
            continue
        mates = [mate for picture in alike[likeness.picture] for mate in trained[picture]]
        if mates and all(mate[2].sha256 != likeness.sha256 for mate in mates):
            there, first, _ = min(mates, key=lambda mate: mate[1].line)
            message = (
                f"the image {quoted(sample.image)} looks like the one of {there.place(first.line)}, of the same text"
            )
            remedy = "split again: python -m data_preparation split keeps such pictures together"
            report.warnings.add(Problem("near-duplicate", split.place(sample.line), message, remedy))
