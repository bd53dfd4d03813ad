"""From annotations to a dataset folder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contract.dataset import Problem
from contract.errors import UserError
from data_preparation.dataset_writer import DatasetWriter
from data_preparation.likeness import likeness_of
from data_preparation.new_folder import new_folder
from data_preparation.progress import Advance
from data_preparation.rejected import write_rejected
from data_preparation.sources.entries import Entry, Source
from data_preparation.split import Split, choose_split, split_by_folders
from data_preparation.split_flags import SplitRule
from data_preparation.together import Candidate, Likeness
from data_preparation.wording import counted, verb


@dataclass(frozen=True)
class Sound:
    """An entry whose image decodes, and what it looks like."""

    entry: Entry
    likeness: Likeness


@dataclass(frozen=True)
class Plan:
    """What will be written: sound entries and their split; what is left out and why."""

    source: Source
    entries: tuple[Entry, ...]
    split: Split
    rejected: tuple[Problem, ...]


def check_entries(source: Source, advance: Advance) -> tuple[list[Sound], list[Problem]]:
    """The entries whose image decodes, and every problem of the source and of its images, in reading order."""
    sound = []
    problems = list(source.problems)
    for done, entry in enumerate(source.entries, start=1):
        try:
            sound.append(Sound(entry, _look_at(entry.image)))
        except ValueError as error:
            message = f"the image {entry.image.name!r} {error}"
            problems.append(Problem("image", entry.where, message, "replace the image or leave the line out"))
        advance(done, len(source.entries))
    return sound, problems


def plan_conversion(
    source: Source,
    sound: Sequence[Sound],
    rejected: Iterable[Problem],
    rule: SplitRule,
) -> Plan:
    """Choose the split. Raises UserError when a side would have no sample."""
    entries = tuple(each.entry for each in sound)
    names = [entry.name for entry in entries]
    if len(names) < 2:
        count = len(names)
        raise UserError(
            f"{counted(count, 'sound sample')} {verb(count, 'is', 'are')} too few:"
            " one to train and one to validate are the least"
        )
    given = frozenset(entry.name for entry in entries if entry.given_split == "val")
    if any(entry.given_split for entry in entries):
        split = Split(given, "the label files are the split", {"by": "label files"})
    else:
        candidates = [Candidate(each.entry.name, each.entry.label, each.likeness) for each in sound]
        split = split_by_folders(names) or choose_split(candidates, rule)
    if not 0 < len(split.val) < len(names):
        raise UserError(f"{split.reason}, and one side has no sound sample: a dataset needs both")
    return Plan(source, entries, split, tuple(rejected))


def write_conversion(plan: Plan, folder: Path, *, with_rejected: bool, advance: Advance) -> dict[str, Any]:
    """Write the dataset, the original image bytes in it; return its manifest."""
    with new_folder(folder) as staging:
        writer = DatasetWriter(staging)
        for done, entry in enumerate(plan.entries, start=1):
            side = "val" if entry.name in plan.split.val else "train"
            writer.add(side, entry.name, entry.label, entry.image.read_bytes())
            advance(done, len(plan.entries))
        if with_rejected:
            write_rejected(staging, plan.rejected)
        facts = {"source": plan.source.format, "rejected": len(plan.rejected), "split": plan.split.facts}
        return writer.finish(facts)


def _look_at(image: Path) -> Likeness:
    try:
        return likeness_of(image.read_bytes())
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror})") from None
