"""Section: which recipe and which weights suit, and what the recipe that was named makes of the dataset."""

from __future__ import annotations

from collections.abc import Sequence

from contract.limits import Limits
from contract.report import Report
from data_preparation.page.blocks import to_copy, whole
from data_preparation.page.document import Section
from data_preparation.page.markup import Content, Markup, element, join
from data_preparation.page.tables import Column, table
from data_preparation.page.visible import glyph, visible
from data_preparation.report.survey import Survey
from data_preparation.suggestion import SMALL, Option, Suggestion
from data_preparation.wording import counted

OPTIONS = 6  # weights that are compared
NAMED = 12  # characters of each that are named


def advice(survey: Survey) -> Section:
    """What suits, and what the recipe takes beside what the dataset asks for."""
    suggestion = survey.suggestion
    suited = (
        element("p", "No recommendation: ", visible(suggestion, 600), ".")
        if isinstance(suggestion, str)
        else _suggested(suggestion)
    )
    return Section("recipe", "Recipe", join(suited, _checked(survey)))


def flags(survey: Survey) -> Markup | None:
    """The overrides to copy."""
    overrides = survey.verdict.overrides
    return to_copy(" ".join(f"-o {override}" for override in overrides)) if overrides else None


def _suggested(suggestion: Suggestion) -> Markup:
    best = suggestion.best
    weights = (
        f", with the official weights {best.weights}: they know {_known(best)} of the characters in the labels."
        if best.helpful
        else ". No official weights know most of these characters, and training from the start takes far more samples."
    )
    fit = (
        None
        if best.fits
        else element("p", "No setting makes all labels fit: check the dataset against it to see which.")
    )
    pretrained = join(" (submit takes the folder of the weights with ", whole("--pretrained"), ")")
    columns = [
        *(Column("Weights"), Column("Know", number=True), Column("To be learnt"), Column("Forgotten", number=True)),
        *(Column("Labels fit"), Column("Recipe")),
    ]
    return join(
        element("p", "Recommended is ", element("code", best.recipe), weights),
        fit,
        element("p", "For validate, report and submit alike", pretrained if best.helpful else None, ":"),
        to_copy(" ".join([f"--config {best.recipe}", *(f"-o {override}" for override in best.overrides)])),
        table("Official weights beside each other", columns, map(_option, _worth_comparing(suggestion))),
        element("p", "Without a GPU: ", element("code", SMALL), ", a small network that learns from nothing."),
    )


def _worth_comparing(suggestion: Suggestion) -> Sequence[Option]:
    helpful = [option for option in suggestion.options if option.helpful]
    return helpful[:OPTIONS] or suggestion.options[:1]


def _option(option: Option) -> list[Content]:
    comparison = option.comparison
    named = join(*(join(glyph(each), " ") for each in sorted(comparison.added)[:NAMED]))
    others = len(comparison.added) - NAMED
    learnt = join(named, f"and {others:,} more" if others > 0 else None) if comparison.added else "none"
    fit = "yes" if option.verdict.ok else "with overrides" if option.fits else "no"
    return [option.weights, _known(option), learnt, len(comparison.lost), fit, element("code", option.recipe)]


def _known(option: Option) -> str:
    return f"{option.comparison.known:.1%}"


def _checked(survey: Survey) -> Markup:
    if survey.recipe is None or survey.verdict.limits is None:
        words = "No recipe was named, so labels and images are not compared with one: "
        return element("p", words, whole("--config RECIPE"), " does that.")
    report, limits = survey.verdict.report, survey.verdict.limits
    changes = len(survey.recipe.changes)
    changed = f", with {counted(changes, 'override')}" if changes else ""
    return join(
        element("h3", "The recipe that was named"),
        element("p", "Checked against ", element("code", visible(survey.recipe.name)), changed, "."),
        _limits(report, limits),
        flags(survey),
    )


def _limits(report: Report, limits: Limits) -> Markup:
    columns = [Column("What"), Column("The dataset needs", number=True), Column("The recipe takes", number=True)]
    rows: list[list[Content]] = [
        ["Code points of a label", report.longest_label, limits.longest_label],
        ["CTC time steps of a label", report.most_steps, limits.time_steps],
        ["The space", "yes" if report.has_space else "no", "yes" if limits.use_space else "no"],
        [
            "Width ÷ height of nine images in ten",
            f"{report.typical_aspect:.1f}",
            f"{limits.width / limits.height:.1f}",
        ],
    ]
    return table("What the dataset needs and what the recipe takes", columns, rows)
