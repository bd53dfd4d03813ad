"""Check a dataset against a recipe, and look for overrides with which the recipe takes it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from contract.check import check_dataset, check_limits
from contract.dataset import Problem, Sample
from contract.errors import UserError
from contract.hyperparameters import Hyperparameters
from contract.image_check import Found
from contract.label_fit import fit_to_labels, fits_as_wide_as_it_is
from contract.limits import Limits
from contract.parameters import OpenRecipe, apply_parameters
from contract.picture import Picture
from contract.quoting import quoted
from contract.recipe import find_recipe, limits_of, load_recipe, overrides_that_fit, with_override
from contract.report import Report, Split, Warnings
from data_preparation.images import look
from data_preparation.label_swap import STAGED
from data_preparation.label_warnings import label_oddities
from data_preparation.looking import over
from data_preparation.picture_warnings import picture_oddities
from data_preparation.progress import Advance
from data_preparation.spelling import dictionary_notes
from data_preparation.wording import in_shell


@dataclass(frozen=True)
class Verdict:
    """What a check found, what the recipe takes, the `K=V` overrides still needed for the labels, and the number of
    labels without which none is needed."""

    report: Report
    limits: Limits | None
    overrides: tuple[str, ...] = ()
    fits_with_overrides: bool = False  # the whole dataset is sound once the overrides are given
    unfit: int = 0

    @property
    def ok(self) -> bool:
        return not self.report.problems

    def passes(self, strict: bool) -> bool:
        """Strict: without warnings too."""
        return self.ok and not (strict and self.report.warnings.counts)


def open_recipe(name: str, dataset: Path, overrides: list[str]) -> OpenRecipe:
    """A recipe by path, by its place under configs/, or in the dataset, with `K=V` overrides applied."""
    path = Path(name) if Path(name).is_file() else find_recipe(name, dataset.resolve())
    given = []
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals:
            raise UserError(f"-o {override} has no '=': write -o Key.of.the.recipe=value")
        given.append((key, value))
    return apply_parameters(load_recipe(path), Hyperparameters(name, overrides=tuple(given)), name)


def validate(
    dataset: Path,
    recipe: OpenRecipe | None,
    advance: Advance | None,
    found: Found | None = None,
    *,
    images: bool = True,
    workers: int | None = None,
) -> Verdict:
    """Check everything in one pass; with a recipe, also what a job will fit by itself, and whether overrides would make
    the rest fit.

    found: told of each sound image, such as DatasetFiles.add_image.
    images: False checks labels and dictionary alone.
    workers: processes that look at images; None: as suits the machine.
    """
    seen = Warnings()

    def notice(split: Split, sample: Sample, picture: Picture) -> None:
        for kind, what, remedy in picture_oddities(picture, sample.label, asked):
            seen.add(Problem(kind, split.place(sample.line), f"the image {quoted(sample.image)} {what}", remedy))
        if found:
            found(split, sample, picture)

    asked = limits_of(recipe.config) if recipe else None
    decode = look if images else None
    report = check_dataset(dataset, None, decode, progress=advance, found=notice, over=over(workers))
    report.warnings.update(seen)
    _warn_of_labels(report)
    if report.dictionary:
        report.notes += dictionary_notes(report.dictionary)
    if (dataset / STAGED).is_dir():
        report.notes.append(
            "a split was interrupted, so samples may be missing:"
            f" python -m data_preparation split {in_shell(dataset)} puts the rest in place"
        )
    return judge(report, recipe) if recipe else Verdict(report, None)


def judge(report: Report, recipe: OpenRecipe) -> Verdict:
    """What a recipe makes of a checked dataset. Its problems and what a job chooses are added to the report."""
    fitted = fit_to_labels(recipe, report)
    chosen = fitted.changes[len(recipe.changes) :]
    report.notes += [f"the job takes {change.key}={change.after}: {change.reason}" for change in chosen]
    limits = limits_of(fitted.config)
    refused = check_limits(report, limits)
    report.problems += refused
    if not refused:
        return Verdict(report, limits)
    fits = fits_as_wide_as_it_is(recipe)
    unfit = sum(not fits(sample.label) for split in report.splits for sample in split.file.samples)
    config = recipe.config
    needed = overrides_that_fit(
        config,
        longest_label=report.longest_label,
        most_steps=report.most_steps,
        aspect=report.typical_aspect,
        has_space=report.has_space,
    )
    for key, value in needed:
        config = with_override(config, key, value)
    if check_limits(report, limits_of(config)):
        return Verdict(report, limits, unfit=unfit)  # no width or length helps: a network with a fixed number of steps
    overrides = tuple(f"{key}={value}" for key, value in needed)
    return Verdict(report, limits, overrides, len(refused) == len(report.problems), unfit)


def _warn_of_labels(report: Report) -> None:
    for split in report.splits:
        for sample in split.file.samples:
            for kind, what, remedy in label_oddities(sample.label):
                message = f"the label {quoted(sample.label)} {what}"
                report.warnings.add(Problem(kind, split.place(sample.line), message, remedy))
