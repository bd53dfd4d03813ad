"""What the page says first: will it train, and the figures that one asks for."""

from __future__ import annotations

from data_preparation.page.markup import Content, Markup, element, join
from data_preparation.page.tables import facts
from data_preparation.page.visible import visible
from data_preparation.report.advice import flags
from data_preparation.report.survey import Survey, contradicts, leaks
from data_preparation.wording import counted


def opening(survey: Survey) -> Markup:
    """The verdict, what to do about it, and the dataset in figures."""
    return join(_verdict(survey), facts(_figures(survey)))


def _verdict(survey: Survey) -> Markup:
    verdict = survey.verdict
    beside = f" with {survey.recipe.name}" if survey.recipe else ""
    count = len(verdict.report.problems)
    if verdict.ok:
        doubts = verdict.report.warnings.counts.total() + len(verdict.report.notes)
        what = f"{counted(doubts, 'thing')} to look at below." if doubts else "Nothing is in its way."
        return _card("good", "✓", f"Fit to train{beside}", element("p", what))
    if verdict.fits_with_overrides:
        how = element("p", "With these flags, for validate and submit alike, it is fit to train:")
        return _card("doubtful", "!", f"Not fit to train{beside} as the recipe stands", how, flags(survey))
    what = f"{counted(count, 'problem')}: what each is, and what to do about it, is said below."
    return _card("bad", "✕", f"Not fit to train{beside} as it is", element("p", what))


def _card(tone: str, sign: str, words: str, *content: Content) -> Markup:
    return element(
        "div",
        element("span", sign, class_="sign", aria_hidden="true"),
        element("div", element("p", element("strong", visible(words))), *content),
        class_=f"verdict {tone}",
    )


def _figures(survey: Survey) -> list[tuple[str, Content]]:
    report = survey.verdict.report
    train, val = len(report.samples("train")), len(report.samples("val"))
    listed = len(report.dictionary.characters) if report.dictionary else 0
    groups = survey.same_images
    return [
        ("Samples", _with(train + val, f"{train:,} train, {val:,} val")),
        (
            "Characters",
            _with(len(survey.uses), f"{listed:,} in dict.txt{', and the space' if report.has_space else ''}"),
        ),
        ("Longest label", _with(report.longest_label, f"code points; {report.most_steps:,} CTC steps")),
        ("Images read", _with(len(survey.shots), f"of {len(survey.rows):,}")),
        (
            "Repeated images",
            _with(len(groups), f"{sum(map(contradicts, groups)):,} contradict, {sum(map(leaks, groups)):,} in both"),
        ),
        ("Problems", _with(len(report.problems), counted(report.warnings.counts.total(), "warning"))),
    ]


def _with(figure: int, more: str) -> Content:
    return join(figure, element("small", more))
