"""Section: what keeps the dataset from training, and what PaddleOCR would have left out without a word."""

from __future__ import annotations

from contract.dataset import Problem
from data_preparation.page.document import Section
from data_preparation.page.markup import Markup, element, join
from data_preparation.page.visible import visible
from data_preparation.report.cards import more, place
from data_preparation.report.survey import Survey
from data_preparation.wording import counted

ROWS = 50  # of a kind that are shown
LONGEST = 400  # code points of a message that are shown


def problems(survey: Survey) -> Section:
    """The validator's problems and warnings by kind, and its notes."""
    report = survey.verdict.report
    kinds: dict[str, list[Problem]] = {}
    for problem in report.problems:
        kinds.setdefault(problem.kind, []).append(problem)
    found = [_kind(kind, members, len(members), "problem") for kind, members in kinds.items()]
    counts = report.warnings.counts
    odd = [_kind(kind, members, counts[kind], "warning") for kind, members in report.warnings.kept.items()]
    lead = (
        "A job refuses this dataset until the following is mended. PaddleOCR would train all the same: it leaves such "
        "samples out, or puts others in their place, and says nothing."
        if found
        else "Nothing: every label and every image can be trained."
    )
    notes = [element("li", visible(note, LONGEST)) for note in report.notes]
    return Section(
        "problems",
        "What will be dropped, and why",
        join(
            element("p", lead),
            *found,
            join(element("h3", "Trains, and is odd all the same"), *odd) if odd else None,
            join(element("h3", "Also noticed"), element("ul", *notes)) if notes else None,
        ),
    )


def _kind(kind: str, members: list[Problem], count: int, noun: str) -> Markup:
    """One kind, `count` of it in all; a remedy that is the same for all of them is said once."""
    remedies = {each.remedy for each in members}
    sign = element("span", "✕ " if noun == "problem" else "! ", class_="sign", aria_hidden="true")
    rows = [_one(each, with_remedy=len(remedies) > 1) for each in members[:ROWS]]
    return element(
        "div",
        element("h3", sign, f"{kind}: ", counted(count, noun)),
        element("p", "What to do: ", visible(remedies.pop(), LONGEST)) if len(remedies) == 1 else None,
        element("ul", *rows, class_="where", tabindex=0, aria_label=f"{noun.capitalize()}s of the kind {kind}"),
        more(len(rows), count, f"{noun}s"),
        class_="finding bad" if noun == "problem" else "finding doubtful",
    )


def _one(problem: Problem, *, with_remedy: bool) -> Markup:
    remedy = element("p", visible(problem.remedy, LONGEST), class_="quiet") if with_remedy else None
    return element("li", place(problem.where), element("div", element("p", visible(problem.message, LONGEST)), remedy))
