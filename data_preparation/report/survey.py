"""What a report is made of: the verdict of the one validator, and what its pass over the images has seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from contract.dataset import Sample
from contract.errors import UserError
from contract.images import Images, open_images
from contract.parameters import OpenRecipe
from contract.picture import Picture
from contract.report import Split
from data_preparation.old_dictionaries import find_tree
from data_preparation.progress import Advance
from data_preparation.suggestion import Suggestion, suggest_for
from data_preparation.validation import Verdict, validate

SPLITS = ("train", "val")


@dataclass(frozen=True)
class Row:
    """One label line that parsed."""

    split: str
    place: str  # file:line
    sample: Sample


@dataclass(frozen=True)
class Shot(Row):
    """One whose image is sound."""

    picture: Picture

    @property
    def aspect(self) -> float:
        return self.picture.width / self.picture.height


@dataclass(frozen=True)
class Use:
    """A character of the labels: how often each split has it, and the first place."""

    character: str
    train: int
    val: int
    place: str


@dataclass
class Survey:
    """Everything that the sections of a report draw on; what costs a pass over the labels is found once."""

    verdict: Verdict
    recipe: OpenRecipe | None
    images: Images | None  # None: the shards are not those that were packed, and no picture can be read
    suggestion: Suggestion | str  # str: why there is none
    pictures: dict[str, Picture] = field(default_factory=dict)  # by the path that labels name

    @property
    def folder(self) -> Path:
        return self.verdict.report.folder

    @cached_property
    def rows(self) -> list[Row]:
        """All label lines, those of train first."""
        return [
            self._row(split.name, split.place(sample.line), sample)
            for split in self.verdict.report.splits
            for sample in split.file.samples
        ]

    @cached_property
    def by_place(self) -> dict[str, Row]:
        """The lines by `file:line`."""
        return {row.place: row for row in self.rows}

    @cached_property
    def shots(self) -> list[Shot]:
        """Those with a sound image."""
        return [row for row in self.rows if isinstance(row, Shot)]

    def _row(self, split: str, place: str, sample: Sample) -> Row:
        picture = self.pictures.get(sample.image)
        return Shot(split, place, sample, picture) if picture else Row(split, place, sample)

    @cached_property
    def uses(self) -> list[Use]:
        """The characters of the labels, the space among them, the most frequent first."""
        counts = {split: Counter[str]() for split in SPLITS}
        places: dict[str, str] = {}
        for row in self.rows:
            counts[row.split].update(row.sample.label)
            for character in set(row.sample.label):
                places.setdefault(character, row.place)
        total = sum(counts.values(), Counter[str]())
        return [Use(c, counts["train"][c], counts["val"][c], places[c]) for c, _ in total.most_common()]

    @cached_property
    def same_images(self) -> list[list[Shot]]:
        """Groups whose images have the same content: contradictory ones first, then those of both splits."""
        groups: dict[str, list[Shot]] = {}
        for shot in self.shots:
            groups.setdefault(shot.picture.sha256, []).append(shot)
        several = [group for group in groups.values() if len(group) > 1]
        return sorted(several, key=lambda group: (not contradicts(group), not leaks(group), -len(group)))


def take_survey(folder: Path, recipe: OpenRecipe | None, tree: Path | None, advance: Advance | None) -> Survey:
    """Check a dataset as `validate` does, and keep what the pass over its images has seen.

    tree: a PaddleOCR tree, whose dictionaries say which weights suit; None: the one of this machine, if it has one.
    Raises UserError only when there is no dataset folder to look at.
    """
    pictures: dict[str, Picture] = {}

    def found(split: Split, sample: Sample, picture: Picture) -> None:
        pictures[sample.image] = picture

    verdict = validate(folder, recipe, advance, found)
    try:
        images = open_images(folder)
    except UserError:  # it is among the problems
        images = None
    try:
        suggestion: Suggestion | str = suggest_for(verdict.report, find_tree(tree))
    except UserError as error:
        suggestion = str(error)
    return Survey(verdict, recipe, images, suggestion, pictures)


def contradicts(group: Sequence[Row]) -> bool:
    """Rows of one image that have different labels."""
    return len({row.sample.label for row in group}) > 1


def leaks(group: Sequence[Row]) -> bool:
    """Rows of one image in both splits."""
    return len({row.split for row in group}) > 1
