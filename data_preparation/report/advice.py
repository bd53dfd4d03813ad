"""Section: which recipe, and with which settings."""

from __future__ import annotations

from data_preparation.page.document import Section
from data_preparation.page.markup import Markup, element, join
from data_preparation.page.tables import Column, table
from data_preparation.report.survey import Survey


def advice(survey: Survey) -> Section:
    """What the recipe takes beside what the dataset asks for, and the flags that are still needed."""
    if survey.recipe is None:
        lead = element("p", "No recipe was named: `--config RECIPE` checks the dataset against one.")
        return Section("recipe", "Recipe", lead)
    return Section(
        "recipe",
        "Recipe",
        join(
            element("p", "Checked against ", element("code", survey.recipe.name), "."), _limits(survey), flags(survey)
        ),
    )


def flags(survey: Survey) -> Markup | None:
    """The overrides to copy."""
    overrides = survey.verdict.overrides
    return code(" ".join(f"-o {override}" for override in overrides)) if overrides else None


def code(text: str) -> Markup:
    """Text to copy into a shell."""
    return element("div", element("pre", element("code", text)), class_="code")


def _limits(survey: Survey) -> Markup | None:
    report, limits = survey.verdict.report, survey.verdict.limits
    if limits is None:
        return None
    columns = [Column("What"), Column("The dataset needs", number=True), Column("The recipe takes", number=True)]
    rows = [
        ("Code points of a label", report.longest_label, limits.longest_label),
        ("CTC time steps of a label", report.most_steps, limits.time_steps),
        ("The space", "yes" if report.has_space else "no", "yes" if limits.use_space else "no"),
        ("Width ÷ height of nine images in ten", f"{report.typical_aspect:.1f}", f"{limits.width / limits.height:.1f}"),
    ]
    return table("What the dataset needs and what the recipe takes", columns, rows)
