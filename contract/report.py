"""What a check of a dataset found: problems keep it from training, warnings do not, notes say what was accepted."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from contract.dataset import Dictionary, LabelFile, Problem, Sample
from contract.errors import UserError

KEPT = 100  # warnings of a kind; all are counted, and a million samples may be odd


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
class Warnings:
    """What is odd and trains all the same: counted by kind, and the first of each kind kept."""

    counts: Counter[str] = field(default_factory=Counter)
    kept: dict[str, list[Problem]] = field(default_factory=dict)

    def add(self, problem: Problem) -> None:
        self.counts[problem.kind] += 1
        kept = self.kept.setdefault(problem.kind, [])
        if len(kept) < KEPT:
            kept.append(problem)

    def update(self, others: Warnings) -> None:
        """Take in the warnings of other kinds."""
        self.counts.update(others.counts)
        self.kept.update(others.kept)

    def __iter__(self) -> Iterator[Problem]:
        for problems in self.kept.values():
            yield from problems


@dataclass
class Report:
    """What a check found. A dataset is fit to train when `problems` is empty."""

    folder: Path
    splits: list[Split] = field(default_factory=list)
    dictionary: Dictionary | None = None
    problems: list[Problem] = field(default_factory=list)
    warnings: Warnings = field(default_factory=Warnings)
    notes: list[str] = field(default_factory=list)
    content_sha256: str = ""  # of everything, in any order
    split_sha256: dict[str, str] = field(default_factory=dict)  # of each split, in the order of its lines
    longest_label: int = 0  # code points
    most_steps: int = 0  # CTC time steps that the hardest label needs
    has_space: bool = False
    aspects: array[float] = field(default_factory=lambda: array("f"))  # width / height of every readable image

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
