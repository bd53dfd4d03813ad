"""What becomes of the characters that weights know when a dataset has another dictionary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from contract.dataset import DICTIONARY, TRAIN_LABELS, VAL_LABELS, read_dictionary, read_labels
from contract.weights_dictionary import OldDictionary, rows_by_character

BLANK = 1  # of CTC: the one class that is no character


@dataclass(frozen=True)
class Characters:
    """Those of a dataset: its classes in order, and how often each occurs in the labels."""

    classes: tuple[str, ...]
    counts: Counter[str]


@dataclass(frozen=True)
class Comparison:
    """Characters in class order. The rows of a head are its classes: the blank, then the characters, the space last."""

    kept: tuple[str, ...]
    added: tuple[str, ...]
    lost: tuple[str, ...]
    rows: int
    rows_before: int
    rows_kept: int
    known: float  # share of the label characters, as they occur, whose row carries over


def characters_of(dataset: Path) -> Characters:
    """The dictionary of a dataset, and the space, which recipes with official weights always read. Raises UserError."""
    labels = [sample.label for name in (TRAIN_LABELS, VAL_LABELS) for sample in read_labels(dataset / name).samples]
    counts = Counter("".join(labels))
    return Characters((*read_dictionary(dataset / DICTIONARY).characters, " "), counts)


def compare(now: Characters, old: OldDictionary) -> Comparison:
    """As the trainer carries rows over, by character (docs/pretrained.md)."""
    before, after = set(old.characters), set(now.classes)
    total = sum(now.counts.values())
    return Comparison(
        kept=tuple(each for each in now.classes if each in before),
        added=tuple(each for each in now.classes if each not in before),
        lost=_once(each for each in old.characters if each not in after),
        rows=len(now.classes) + BLANK,
        rows_before=len(old.characters) + BLANK,
        rows_kept=len(rows_by_character(old.characters, now.classes, BLANK)),
        known=sum(count for each, count in now.counts.items() if each in before) / max(1, total),
    )


def _once(characters: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(characters))
