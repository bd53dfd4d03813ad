"""Check a dataset against a recipe, and look for overrides with which the recipe takes it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from contract.check import Found, Report, check_dataset, check_limits
from contract.errors import UserError
from contract.hyperparameters import Hyperparameters
from contract.parameters import apply_parameters
from contract.recipe import (
    Limits,
    Recipe,
    find_recipe,
    limits_of,
    load_recipe,
    overrides_that_fit,
    with_override,
)
from data_preparation.images import decodes
from data_preparation.label_oddities import odd_labels
from data_preparation.progress import Advance


@dataclass(frozen=True)
class Verdict:
    """What a check found, what the recipe takes, and the `K=V` overrides still needed for the labels."""

    report: Report
    limits: Limits | None
    overrides: tuple[str, ...] = ()
    fits_with_overrides: bool = False  # the whole dataset is sound once the overrides are given

    @property
    def ok(self) -> bool:
        return not self.report.problems


def open_recipe(name: str, dataset: Path, overrides: list[str]) -> Recipe:
    """A recipe by path, by its place under configs/, or in the dataset, with `K=V` overrides applied."""
    path = Path(name) if Path(name).is_file() else find_recipe(name, dataset.resolve())
    given = []
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals:
            raise UserError(f"-o {override} has no '=': write -o Key.of.the.recipe=value")
        given.append((key, value))
    recipe, _ = apply_parameters(load_recipe(path), Hyperparameters(name, overrides=tuple(given)), name)
    return recipe


def validate(
    dataset: Path,
    recipe: Recipe | None,
    advance: Advance | None,
    found: Found | None = None,
    *,
    images: bool = True,
) -> Verdict:
    """Check everything in one pass; with a recipe, also whether overrides would make the labels fit.

    found: told of each sound image, such as DatasetFiles.add_image.
    images: False checks labels and dictionary alone.
    """
    limits = limits_of(recipe) if recipe else None
    report = check_dataset(dataset, limits, decodes if images else None, progress=advance, found=found)
    report.notes += odd_labels(
        (split.place(sample.line), sample.label) for split in report.splits for sample in split.file.samples
    )
    if recipe is None or not report.longest_label:
        return Verdict(report, limits)
    needed = overrides_that_fit(
        recipe,
        longest_label=report.longest_label,
        most_steps=report.most_steps,
        aspect=report.typical_aspect,
        has_space=report.has_space,
    )
    if not needed:
        return Verdict(report, limits)
    for key, value in needed:
        recipe = with_override(recipe, key, value)
    if check_limits(report, limits_of(recipe)):
        return Verdict(report, limits)  # no width or length helps: a network with a fixed number of steps
    assert limits is not None
    cured = check_limits(report, limits)
    overrides = tuple(f"{key}={value}" for key, value in needed)
    return Verdict(report, limits, overrides, len(cured) == len(report.problems))
