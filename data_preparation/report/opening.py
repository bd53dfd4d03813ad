"""What the page says first: will it train, and the figures that one asks for."""

from __future__ import annotations

from pathlib import Path

from data_preparation.page.blocks import BAD, DOUBTFUL, GOOD, fact, facts, to_copy, verdict
from data_preparation.page.markup import Content, Markup, element, join
from data_preparation.page.visible import visible
from data_preparation.report.advice import flags
from data_preparation.report.survey import Survey, contradicts, leaks
from data_preparation.wording import counted, in_shell

LONGEST = 400  # code points of the first sentence


def opening(survey: Survey) -> Markup:
    """The verdict, what to do about it, and the dataset in figures."""
    return join(_verdict(survey), facts(_figures(survey)))


def _verdict(survey: Survey) -> Markup:
    checked = survey.verdict
    beside = f" with {survey.recipe.name}" if survey.recipe else ""

    def words(text: str) -> Markup:
        return visible(text, LONGEST)

    if checked.ok:
        doubts = checked.report.warnings.counts.total() + len(checked.report.notes)
        what = f"{counted(doubts, 'thing')} to look at below." if doubts else "Nothing is in its way."
        return verdict(GOOD, words(f"Fit to train{beside}"), element("p", what))
    if checked.fits_with_overrides:
        how = element("p", "With these flags, for validate and submit alike, it is fit to train:")
        return verdict(DOUBTFUL, words(f"Not fit to train{beside} as the recipe stands"), how, flags(survey))
    count = counted(len(checked.report.problems), "problem")
    folder = survey.folder if str(survey.folder).isprintable() else Path("DATASET")  # what is copied is what one sees
    return verdict(
        BAD,
        words(f"Not fit to train{beside} as it is"),
        element("p", f"{count}: what each is, and what to do about it, is said below."),
        element("p", "A copy with what can be repaired, and without what cannot be used:"),
        to_copy(f"python -m data_preparation validate {in_shell(folder)} --fix cleaned"),
    )


def _figures(survey: Survey) -> list[tuple[str, Content]]:
    report = survey.verdict.report
    train, val = len(report.samples("train")), len(report.samples("val"))
    listed = len(report.dictionary.characters) if report.dictionary else 0
    groups = survey.same_images
    return [
        ("Samples", fact(train + val, f"{train:,} train, {val:,} val")),
        (
            "Characters",
            fact(len(survey.uses), f"{listed:,} in dict.txt{', and the space' if report.has_space else ''}"),
        ),
        ("Longest label", fact(report.longest_label, f"code points; {report.most_steps:,} CTC steps")),
        ("Images read", fact(len(survey.shots), f"of {len(survey.rows):,}")),
        (
            "Repeated images",
            fact(len(groups), f"{sum(map(contradicts, groups)):,} contradict, {sum(map(leaks, groups)):,} in both"),
        ),
        ("Problems", fact(len(report.problems), counted(report.warnings.counts.total(), "warning"))),
    ]
