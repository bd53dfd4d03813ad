"""Which shipped recipe, and which official weights, suit a dataset: by its characters, label lengths and shapes."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from contract.check import check_dataset
from contract.errors import UserError
from contract.image_check import Progress
from contract.picture import Look
from contract.recipe import find_recipe, limits_of, load_recipe
from contract.report import Report
from contract.scripts import script_of
from data_preparation.dictionary_comparison import Characters, Comparison
from data_preparation.official_weights import RECIPES, V5, Ranked, rank_weights
from data_preparation.validation import Verdict, judge, open_recipe
from data_preparation.wording import in_shell

# For languages whose recipe is not shipped. Thai's keeps what stands above and below the letters: upstream's settings
# crop there, and train at 32 pixels too.
PLAIN, STACKED = RECIPES[f"latin_{V5}"], RECIPES[f"th_{V5}"]
STACKING = 0.01  # share of characters that are marks, from which on they decide
SMALL = "rec/rec_mv3_none_bilstm_ctc.yml"
HELPFUL = 0.5  # share of the characters that weights must know to be named


@dataclass(frozen=True)
class Option:
    """Official weights, the recipe for them, and what the dataset asks of that."""

    weights: str
    recipe: str
    comparison: Comparison
    verdict: Verdict

    @property
    def renamed(self) -> bool:
        """The recipe is another language's: its model must have the name of these weights, or paddleocr opens none."""
        return self.helpful and RECIPES.get(self.weights) != self.recipe

    @property
    def overrides(self) -> tuple[str, ...]:
        """`K=V` for the recipe."""
        return (*((f"Global.model_name={self.weights}",) if self.renamed else ()), *self.verdict.overrides)

    @property
    def fits(self) -> bool:
        return self.verdict.ok or self.verdict.fits_with_overrides

    @property
    def helpful(self) -> bool:
        return self.comparison.known >= HELPFUL


@dataclass(frozen=True)
class Suggestion:
    """The best option first, and what spoke for it."""

    report: Report
    options: tuple[Option, ...]
    scripts: tuple[tuple[str, float], ...]  # share of the characters, the most frequent first

    def as_json(self) -> dict[str, object]:
        best = self.best
        options = [
            {
                "weights": option.weights,
                "config": option.recipe,
                "known": option.comparison.known,
                "added": "".join(option.comparison.added),
                "lost": len(option.comparison.lost),
                "fits": option.fits,
            }
            for option in self.options
        ]
        return {
            "config": best.recipe,
            "overrides": list(best.overrides),
            "weights": best.weights if best.helpful else None,
            "fits": best.fits,
            "scripts": dict(self.scripts),
            "longest_label": self.report.longest_label,
            "most_steps": self.report.most_steps,
            "aspect": self.report.typical_aspect,
            "options": options,
        }

    @property
    def best(self) -> Option:
        return next((option for option in self.options if option.fits), self.options[0])


def suggest(dataset: Path, tree: Path, progress: Progress) -> Suggestion:
    """Read labels and the headers of all images, and compare. Raises UserError when there is no label."""
    return suggest_for(check_dataset(dataset, None, _not_decoded, progress=progress), tree)


def suggest_for(report: Report, tree: Path) -> Suggestion:
    """The same for a dataset that was checked; what the check had against it is left aside. Raises UserError."""
    counts = Counter("".join(sample.label for split in report.splits for sample in split.file.samples))
    if not counts:
        folder = report.folder
        raise UserError(
            f"{folder} has no label to go by: python -m data_preparation validate {in_shell(folder)} says why"
        )
    characters = Characters((*sorted({*counts} - {" "}), " "), counts)
    total = sum(counts.values())
    stacked = sum(count for each, count in counts.items() if unicodedata.category(each) == "Mn") > STACKING * total
    options = tuple(_options(report, rank_weights(characters, tree), STACKED if stacked else PLAIN))
    scripts: Counter[str] = Counter()
    for each, count in counts.items():
        scripts[script_of(each)] += count
    return Suggestion(report, options, tuple((name, count / total) for name, count in scripts.most_common()))


def _options(report: Report, ranked: list[Ranked], otherwise: str) -> Iterator[Option]:
    verdicts: dict[str, Verdict] = {}
    for each in ranked:
        recipe = RECIPES.get(each.weights, otherwise) if each.comparison.known >= HELPFUL else otherwise
        if recipe not in verdicts:
            asked = replace(report, problems=[], notes=[])
            verdicts[recipe] = judge(asked, open_recipe(recipe, report.folder, []))
        yield Option(each.weights, recipe, each.comparison, verdicts[recipe])


def shape_of(recipe: str) -> tuple[int, int]:
    """Height and width of the recipe's input, in pixels."""
    limits = limits_of(load_recipe(find_recipe(recipe)))
    return limits.height, limits.width


def _not_decoded(data: bytes) -> Look:
    """Whether the pixels are sound is validate's question."""
    return Look()
