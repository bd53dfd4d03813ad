"""Section: samples that stand out, as pictures. Most wrong labels of a dataset are among them."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from heapq import nlargest, nsmallest

from contract.recipe import ctc_steps
from data_preparation.page.document import Section
from data_preparation.page.markup import Markup, element, join
from data_preparation.page.pictures import Album, gallery
from data_preparation.page.visible import visible
from data_preparation.report.cards import card
from data_preparation.report.characters import RARE
from data_preparation.report.survey import Row, Seen, Survey

EACH = 8  # pictures of a kind


@dataclass(frozen=True)
class Kind:
    """One way to stand out: what it is, what it may mean, which samples, and what is said of each."""

    heading: str
    meaning: str
    rows: list[Row]
    remark: Callable[[Row], str | Markup]


def outliers(survey: Survey, album: Album) -> Section:
    """The samples at the ends of each scale."""
    kinds = [kind for kind in _kinds(survey) if kind.rows]
    shown = [_shown(survey, album, kind) for kind in kinds] or [element("p", "There is no picture to show.")]
    lead = element("p", "The samples at the ends of each scale. Wrong labels gather here, so a minute of looking pays.")
    return Section("outliers", "Worth a look", join(lead, *shown))


def _kinds(survey: Survey) -> list[Kind]:
    rows = survey.with_image
    ratio = survey.verdict.limits.width / survey.verdict.limits.height if survey.verdict.limits else 0.0
    long = [row for row in rows if _letters(row) > 2]
    return [
        Kind(
            "The widest for the recipe's input" if ratio else "The widest",
            "Squeezed most when they are brought to the size of the input. Split the lines, or widen the input.",
            [row for row in _most(rows, _aspect) if _aspect(row) > ratio],
            lambda row: f"{_aspect(row):.1f} times as wide as high",
        ),
        Kind(
            "Much text for the width",
            "Letters narrower than real ones: the label says more than the picture shows, or the crop has two lines.",
            _least(long, _width_of_a_letter),
            _of_a_letter,
        ),
        Kind(
            "Little text for the width",
            "The label may be cut short, or the crop holds more than its text.",
            _most(long, _width_of_a_letter),
            _of_a_letter,
        ),
        Kind(
            "The lowest",
            "Small images are enlarged to the height of the input, and stay blurred.",
            _least(rows, lambda row: _seen(row).header.height),
            lambda row: f"{_seen(row).header.height} px high",
        ),
        Kind(
            "The longest labels",
            "The more time steps a label takes of those that there are, the harder it is to learn.",
            _most(rows, lambda row: ctc_steps(row.sample.label)),
            lambda row: f"{len(row.sample.label)} code points, {ctc_steps(row.sample.label)} CTC steps",
        ),
        _rare(survey),
    ]


def _rare(survey: Survey) -> Kind:
    """A sample for each of the rarest characters of the training labels."""
    rare = sorted((use for use in survey.uses if 0 < use.train < RARE), key=lambda use: (use.train, use.character))
    wanted = {use.character: use.train for use in rare[:EACH]}
    found: dict[str, Row] = {}
    for row in survey.with_image:
        for character in wanted.keys() & set(row.sample.label) - found.keys():
            if row.split == "train":
                found[character] = row
    of_row = {row.place: character for character, row in found.items()}

    def remark(row: Row) -> Markup:
        character = of_row[row.place]
        return join("holds ", visible(character), f", which stands {wanted[character]}× in the training labels")

    rows = list({row.place: row for row in found.values()}.values())
    return Kind("With the rarest characters", "A typing error, or a character that needs more samples.", rows, remark)


def _shown(survey: Survey, album: Album, kind: Kind) -> Markup:
    pictures = (card(survey, album, row, kind.remark(row)) for row in kind.rows)
    return join(element("h3", kind.heading), element("p", kind.meaning, class_="quiet"), gallery(*pictures))


def _most(rows: list[Row], measure: Callable[[Row], float]) -> list[Row]:
    return _distinct(nlargest(4 * EACH, rows, key=measure))


def _least(rows: list[Row], measure: Callable[[Row], float]) -> list[Row]:
    return _distinct(nsmallest(4 * EACH, rows, key=measure))


def _distinct(rows: list[Row]) -> list[Row]:
    """The first few, each picture once."""
    return list({_seen(row).sha256: row for row in reversed(rows)}.values())[::-1][:EACH]


def _seen(row: Row) -> Seen:
    assert row.image  # these are rows of survey.with_image
    return row.image


def _aspect(row: Row) -> float:
    return _seen(row).aspect


def _width_of_a_letter(row: Row) -> float:
    """Width of the image for each letter that takes room, in heights of the image."""
    return _aspect(row) / max(1, _letters(row))


def _of_a_letter(row: Row) -> str:
    return f"a letter is {_width_of_a_letter(row):.2f} times as wide as the crop is high"


def _letters(row: Row) -> int:
    """Code points that take room beside each other: marks stand above or below others."""
    return sum(unicodedata.category(character)[0] != "M" for character in row.sample.label)
