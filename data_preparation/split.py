"""Which samples validate: as the folders say, or by a hash of the sample's name."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from contract.errors import UserError
from data_preparation.wording import counted, verb

TRAIN_FOLDER = "train"
VAL_FOLDERS = ("val", "valid", "validation", "test")


@dataclass(frozen=True)
class Split:
    """The names of the samples that validate, and where that came from."""

    val: frozenset[str]
    reason: str  # for people
    facts: dict[str, Any]  # for the manifest


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


def split_by_hash(names: Collection[str], seed: int, fraction: float) -> Split:
    """A sample validates when the hash of seed and name falls below the fraction.

    So its side depends on nothing else, and adding data never moves it. Only when a side would stay empty,
    the sample nearest to the threshold crosses over. Needs two names or more.
    """
    places = {name: _place(seed, name) for name in names}
    val = {name for name, place in places.items() if place < fraction}
    if not val:
        val = {min(places, key=places.__getitem__)}
    if len(val) == len(places):
        val.remove(max(places, key=places.__getitem__))
    return Split(
        val=frozenset(val),
        reason=f"a hash of each name picks {fraction:.0%} for validation (seed {seed})",
        facts={"by": "hash", "seed": seed, "fraction": fraction},
    )


def _place(seed: int, name: str) -> float:
    """A number in [0, 1) that looks random and belongs to the name."""
    digest = hashlib.sha256(f"{seed}\0{name}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48
