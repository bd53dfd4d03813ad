"""Sections: what keeps the dataset from training, and what trains and is odd all the same."""

from __future__ import annotations

from collections.abc import Sequence

from contract.dataset import Problem
from data_preparation.page.blocks import BAD, DOUBTFUL, finding
from data_preparation.page.document import Section
from data_preparation.page.markup import Content, Markup, element, join
from data_preparation.page.pictures import Album
from data_preparation.page.visible import visible
from data_preparation.report.cards import cards, more, place
from data_preparation.report.survey import Row, Shot, Survey
from data_preparation.wording import counted

ROWS = 50  # of a kind that are in the page
AT_ONCE = 5  # of them that are shown at once
PICTURES = 4  # of a kind
LONGEST = 400  # code points of a message that are shown

# What PaddleOCR would make of a problem (docs/paddleocr-problems.md): why each of them keeps a dataset from training.
_REPLACED = "PaddleOCR trains a random other sample in its place, and validates the next one twice."
FATES = {
    "character": "PaddleOCR leaves the character out of the label and trains what remains.",
    "too long": "PaddleOCR trains a random other sample in its place, however many labels that concerns.",
    "too wide": "The loss of such a label is 0: it teaches nothing.",
    "tab in label": "PaddleOCR ends the label at the tab.",
    "no tab": _REPLACED,
    "blank label": _REPLACED,
    "missing image": _REPLACED,
    "damaged image": _REPLACED,
    "not an image": _REPLACED,
    "unreadable image": _REPLACED,
}

# Kinds whose pictures another section shows, beside what they are compared with.
ELSEWHERE = {
    "contradiction": "duplicates",
    "leak": "duplicates",
    "duplicate": "duplicates",
    "untaught character": "splits",
}


def problems(survey: Survey, album: Album) -> Section:
    """The validator's problems by kind."""
    kinds: dict[str, list[Problem]] = {}
    for problem in survey.verdict.report.problems:
        kinds.setdefault(problem.kind, []).append(problem)
    found = []
    for kind, members in kinds.items():
        times = sum(each.count for each in members)
        count = counted(len(members), "problem") + (f", {times:,} times" if times > len(members) else "")
        found.append(_kind(survey, album, kind, members, (BAD, count), len(members)))
    lead = (
        "A job refuses this dataset until the following is mended. PaddleOCR would train all the same, without what it"
        " drops, and would not say so."
        if found
        else "Nothing: every label and every image can be trained."
    )
    return Section("problems", "What will be dropped, and why", join(element("p", lead), *found))


def warnings(survey: Survey, album: Album) -> Section:
    """Its warnings by kind, and its notes."""
    report = survey.verdict.report
    counts = report.warnings.counts
    odd = [
        _kind(survey, album, kind, members, (DOUBTFUL, counted(counts[kind], "warning")), counts[kind])
        for kind, members in report.warnings.kept.items()
    ]
    lead = "This is trained, and may teach something wrong." if odd else "No label and no image is odd."
    notes = element("ul", *(element("li", visible(note, LONGEST)) for note in report.notes)) if report.notes else None
    heading = element("h3", "Also noticed") if notes else None
    return Section("warnings", "Warnings", join(element("p", lead), *odd, heading, notes))


def _kind(survey: Survey, album: Album, kind: str, members: list[Problem], look: tuple[str, str], total: int) -> Markup:
    """One kind, of which there are `total`. look: how it is meant, and how many there are in words."""
    tone, count = look
    remedies = {each.remedy for each in members}
    rows = [_one(each, with_remedy=len(remedies) > 1) for each in members[:ROWS]]
    return finding(
        tone,
        f"{kind}: {count}",
        element("p", FATES[kind], class_="quiet") if kind in FATES else None,
        element("p", "What to do: ", visible(remedies.pop(), LONGEST)) if len(remedies) == 1 else None,
        element("ul", *rows[:AT_ONCE], class_="where"),
        _rest(rows, total),
        _pictures(survey, album, kind, members),
    )


def _one(problem: Problem, *, with_remedy: bool) -> Markup:
    remedy = element("p", visible(problem.remedy, LONGEST), class_="quiet") if with_remedy else None
    return element("li", place(problem.where), element("div", element("p", visible(problem.message, LONGEST)), remedy))


def _rest(rows: Sequence[Markup], total: int) -> Markup | None:
    if len(rows) <= AT_ONCE:
        return None
    return element(
        "details",
        element("summary", f"{total - AT_ONCE:,} more"),
        element("ul", *rows[AT_ONCE:], class_="where"),
        more(len(rows), total, "places"),
    )


def _pictures(survey: Survey, album: Album, kind: str, members: list[Problem]) -> Content:
    """The first samples that can be shown, or where they are shown."""
    if kind in ELSEWHERE:
        return element("p", element("a", "With pictures below", href=f"#{ELSEWHERE[kind]}"), class_="small")
    shots: dict[str, Row] = {}
    for each in members[:ROWS]:
        row = survey.by_place.get(each.where)
        if isinstance(row, Shot):
            shots.setdefault(row.picture.sha256, row)
    return cards(survey, album, list(shots.values())[:PICTURES]) if shots else None
