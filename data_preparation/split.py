"""Which samples validate: as the folders say, or by a hash of what belongs together."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from contract.errors import UserError
from data_preparation.grouping import groups_of
from data_preparation.split_flags import SplitRule
from data_preparation.together import Candidate, Together, keep_together
from data_preparation.wording import counted, verb

TRAIN_FOLDER = "train"
VAL_FOLDERS = ("val", "valid", "validation", "test")
EXAMPLES = 5  # characters that a note names


@dataclass(frozen=True)
class Split:
    """The names of the samples that validate, and where that came from."""

    val: frozenset[str]
    reason: str  # for people
    facts: dict[str, Any]  # for the manifest
    notes: tuple[str, ...] = ()


def split_by_folders(names: Collection[str]) -> Split | None:
    """The split that the top folders `train` and `val` (or valid, validation, test) make; None without them.

    Raises UserError when samples lie beside the two: nobody can say which side they belong to.
    """
    tops = {name.partition("/")[0] for name in names if "/" in name}
    val_folder = next((folder for folder in VAL_FOLDERS if folder in tops), None)
    if TRAIN_FOLDER not in tops or val_folder is None:
        return None
    sides = (TRAIN_FOLDER + "/", val_folder + "/")
    beside = sorted(name for name in names if not name.startswith(sides))
    if beside:
        raise UserError(
            f"the folders {TRAIN_FOLDER} and {val_folder} are a split, but {counted(len(beside), 'sample')}"
            f" {verb(len(beside), 'lies', 'lie')} outside them (first: {beside[0]}):"
            " move what lies outside into one of the two or convert it apart"
        )
    return Split(
        val=frozenset(name for name in names if name.startswith(sides[1])),
        reason=f"the folders {TRAIN_FOLDER}/ and {val_folder}/ are the split",
        facts={"by": "folders", "train": TRAIN_FOLDER, "val": val_folder},
    )


def choose_split(samples: Sequence[Candidate], rule: SplitRule) -> Split:
    """Split by hash as the rule says. Raises UserError for groups that nothing is in."""
    return split_by_hash(
        samples, groups_of([sample.name for sample in samples], rule.group_by, rule.groups, rule.encoding), rule
    )


def split_by_hash(samples: Sequence[Candidate], groups: Sequence[str], rule: SplitRule) -> Split:
    """A cluster of samples validates when the hash of seed and name of one of its groups falls below the fraction.

    Its side depends on nothing else, so adding data moves no sample, but for rare cases: a new sample that belongs to
    two clusters makes them one, and one of the two may move; a cluster goes to training where only it has a character,
    until another one has it too (but half of the validation samples stay), or where groups that are alike would be
    more than half of validation; where a side would stay empty, the cluster nearest to the threshold crosses over.
    Needs samples of two names or more.

    groups: the group of each sample.
    """
    together = keep_together(samples, groups)
    clusters, notes = together.clusters, list(together.notes)
    places = _places(together, rule)
    order = sorted(range(len(clusters)), key=places.__getitem__)
    val = [number for number in order if places[number] < rule.fraction] or order[:1]
    val = val[: len(clusters) - 1]
    facts: dict[str, Any] = {"by": "hash", "seed": rule.seed, "fraction": rule.fraction}
    grouped = len(set(together.groups)) < len({sample.name for sample in samples})
    what = "name"
    if grouped:
        what = "group's name"
        facts["group_by"] = rule.group_by
    if together.alike:
        facts["alike"] = together.alike
        show = verb(together.alike, "shows", "show")
        notes.append(f"{counted(together.alike, 'sample')} {show} what another one does: they stay together")
    characters = [{*"".join(samples[each].label for each in members)} for members in clusters]
    moved, untaught = _lone_teachers(characters, [len(members) for members in clusters], val)
    if moved:
        count = facts["moved_to_train"] = sum(len(clusters[number]) for number in moved)
        go = f"{counted(count, 'sample')} {verb(count, 'goes', 'go')} to training"
        notes.append(f"{go}, which would not have {_shown(moved.values())} otherwise")
    if untaught:
        facts["not_in_train"] = "".join(untaught)
        notes.append(f"only validation has {_shown(untaught)}: annotate more samples with such characters")
    return Split(
        val=frozenset(samples[each].name for number in val if number not in moved for each in clusters[number]),
        reason=f"a hash of each {what} picks {rule.fraction:.0%} for validation (seed {rule.seed})",
        facts=facts,
        notes=tuple(notes),
    )


def _lone_teachers(
    characters: Sequence[set[str]], sizes: Sequence[int], val: Sequence[int]
) -> tuple[dict[int, str], list[str]]:
    """The clusters that go to training so that it has every character of validation, and for which character; and the
    characters that it lacks all the same, because at most half of the validation samples go. Small clusters go first.

    characters, sizes: of each cluster. val: the numbers of those that validate, the one nearest to training last.
    """
    validating = set(val)
    taught = set().union(*(each for number, each in enumerate(characters) if number not in validating))
    holder = {character: number for number in val for character in characters[number] - taught}
    may_go = sum(sizes[number] for number in val) // 2
    moved: dict[int, str] = {}
    for character in sorted(holder, key=lambda each: (sizes[holder[each]], each)):
        number = holder[character]
        if character not in taught and sizes[number] <= may_go:
            moved[number] = character
            taught |= characters[number]
            may_go -= sizes[number]
    return moved, sorted(holder.keys() - taught)


def _shown(characters: Iterable[str]) -> str:
    shown = [f"{each!r} (U+{ord(each):04X})" for each in characters]
    return ", ".join(shown[:EXAMPLES]) + (", …" if shown[EXAMPLES:] else "")


def _places(together: Together, rule: SplitRule) -> list[float]:
    """For each cluster a number in [0, 1) that looks random; more than 1 where it is too large to validate.

    It is that of one of the cluster's groups. Other bytes of the hash choose which, so that a cluster of many groups is
    not drawn to one side.
    """
    most = max(1, rule.fraction * len(together.groups) / 2)  # samples that are alike: more would be all of validation
    places = []
    for members in together.clusters:
        groups = {together.groups[each] for each in members}
        digests = [hashlib.sha256(f"{rule.seed}\0{group}".encode()).digest() for group in groups]
        place = int.from_bytes(min(digests, key=lambda digest: digest[6:])[:6], "big") / 2**48
        places.append(place + 1 if len(groups) > 1 and len(members) > most else place)
    return places
