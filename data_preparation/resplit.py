"""Chooses a new split for an existing dataset, loose or packed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from contract.dataset import (
    DICTIONARY,
    MANIFEST_FORMAT,
    TRAIN_LABELS,
    VAL_LABELS,
    Sample,
    content_hash,
    read_dictionary,
    read_labels,
)
from contract.errors import UserError
from contract.images import Images, open_images
from data_preparation.grouping import groups_of, name_of
from data_preparation.label_swap import swap_in
from data_preparation.likeness import likeness_of
from data_preparation.manifest import manifest_bytes, read_manifest
from data_preparation.progress import Advance
from data_preparation.split import Split, split_by_hash
from data_preparation.split_flags import SplitRule
from data_preparation.together import Candidate

FILES = {"train": TRAIN_LABELS, "val": VAL_LABELS}


@dataclass(frozen=True)
class Listed:
    """A sample of the dataset and the side that it is on."""

    side: str
    sample: Sample

    @property
    def where(self) -> str:
        return f"{FILES[self.side]}:{self.sample.line}"


@dataclass(frozen=True)
class Resplit:
    """A split of an existing dataset, not yet written: (image path, label) of each side in the order of the paths."""

    folder: Path
    split: Split
    sides: dict[str, list[tuple[str, str]]]
    moving: int  # samples that change sides
    manifest: dict[str, Any]

    def write(self) -> None:
        """Put it in place of the old one. Raises UserError when the folder cannot be written."""
        swap_in(self.folder, self.sides["train"], self.sides["val"], manifest_bytes(self.manifest))


def plan_resplit(folder: Path, rule: SplitRule, advance: Advance) -> Resplit:
    """Look at every image and choose. Raises UserError for a dataset that is not sound."""
    listed = [Listed(side, sample) for side in FILES for sample in _samples(folder, side)]
    names = [name_of(each.sample.image) for each in listed]
    if len(set(names)) < 2:
        raise UserError(f"{folder} has one image only: one to train and one to validate are the least")
    groups = groups_of(names, rule.group_by, rule.groups, rule.encoding)  # before the images: they take long
    candidates = _candidates(open_images(folder), listed, advance)
    split = split_by_hash(candidates, groups, rule)
    rows = []
    moving = 0
    for each, candidate in zip(listed, candidates, strict=True):
        side = "val" if candidate.name in split.val else "train"
        moving += side != each.side
        rows.append((side, each.sample.image, each.sample.label, candidate.likeness.sha256))
    sides = {side: sorted((image, label) for chosen, image, label, _ in rows if chosen == side) for side in FILES}
    manifest = read_manifest(folder) or {
        "format": MANIFEST_FORMAT,
        "train": 0,
        "val": 0,
        "characters": len(read_dictionary(folder / DICTIONARY).characters),
    }
    before = _grouped_by(manifest)
    if before and before != rule.group_by == SplitRule.group_by:
        note = f"the split before kept together what has one {before}: --group-by {before} does so again"
        split = replace(split, notes=(*split.notes, note))
    manifest |= {side: len(samples) for side, samples in sides.items()}
    manifest |= {"split": split.facts, "content_sha256": content_hash(rows)}
    return Resplit(folder, split, sides, moving, manifest)


def _grouped_by(manifest: dict[str, Any]) -> str:
    split = manifest.get("split")
    return str(split.get("group_by", "")) if isinstance(split, dict) else ""


def _samples(folder: Path, side: str) -> tuple[Sample, ...]:
    labels = read_labels(folder / FILES[side])
    _refuse([str(problem) for problem in labels.problems])
    return labels.samples


def _candidates(images: Images, listed: list[Listed], advance: Advance) -> list[Candidate]:
    candidates = []
    problems = []
    for done, each in enumerate(listed, start=1):
        image = each.sample.image
        try:
            likeness = likeness_of(images.read_verified(image)[0])
        except ValueError as error:
            problems.append(f"{each.where}: the image {image!r} {error}; {images.remedy}")
        else:
            candidates.append(Candidate(name_of(image), each.sample.label, likeness))
        advance(done, len(listed))
    _refuse(problems)
    return candidates


def _refuse(problems: list[str]) -> None:
    if problems:
        more = f" (and {len(problems) - 1:,} more: validate lists all)" if problems[1:] else ""
        raise UserError(f"{problems[0]}{more}")
