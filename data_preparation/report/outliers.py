"""Section: samples that stand out, as pictures. Most wrong labels of a dataset are among them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from heapq import nlargest, nsmallest

from contract.limits import ctc_steps
from data_preparation.page.document import Section
from data_preparation.page.markup import Markup, element, join
from data_preparation.page.pictures import Album, gallery
from data_preparation.page.visible import glyph
from data_preparation.picture_warnings import letters
from data_preparation.report.cards import card
from data_preparation.report.characters import RARE
from data_preparation.report.survey import Shot, Survey

EACH = 8  # pictures of a kind
NAMED = 4  # rare characters of a label that are named


@dataclass(frozen=True)
class Kind:
    """One way to stand out: what it is, what it may mean, which samples, and what is said of each."""

    heading: str
    meaning: str
    shots: list[Shot]
    remark: Callable[[Shot], str | Markup]


def outliers(survey: Survey, album: Album) -> Section:
    """The samples at the ends of each scale."""
    kinds = [kind for kind in _kinds(survey) if kind.shots]
    shown = [_shown(survey, album, kind) for kind in kinds] or [element("p", "There is no picture to show.")]
    lead = element("p", "The samples at the ends of each scale. Wrong labels gather here, so a minute of looking pays.")
    return Section("outliers", "Worth a look", join(lead, *shown))


def _kinds(survey: Survey) -> list[Kind]:
    shots = survey.shots
    ratio = survey.verdict.limits.width / survey.verdict.limits.height if survey.verdict.limits else 0.0
    long = [shot for shot in shots if letters(shot.sample.label) > 2]
    return [
        Kind(
            "The widest for the recipe's input" if ratio else "The widest",
            "Squeezed most when they are brought to the size of the input. Split the lines, or widen the input.",
            [shot for shot in _most(shots, lambda shot: shot.aspect) if shot.aspect > ratio],
            lambda shot: f"{shot.aspect:.1f} times as wide as high",
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
            _least(shots, lambda shot: shot.picture.height),
            lambda shot: f"{shot.picture.height} px high",
        ),
        Kind(
            "The longest labels",
            "The more time steps a label takes of those that there are, the harder it is to learn.",
            _most(shots, lambda shot: ctc_steps(shot.sample.label)),
            lambda shot: f"{len(shot.sample.label)} code points, {ctc_steps(shot.sample.label)} CTC steps",
        ),
        _rare(survey),
    ]


def _rare(survey: Survey) -> Kind:
    """Samples with the rarest characters of the training labels, each character once."""
    rare = {use.character: use.train for use in survey.uses if 0 < use.train < RARE}
    first: dict[str, Shot] = {}
    for shot in survey.shots:
        if shot.split == "train":
            for character in rare.keys() & set(shot.sample.label) - first.keys():
                first[character] = shot
    held: dict[str, list[str]] = {}
    for character in sorted(first, key=lambda each: (rare[each], each)):
        held.setdefault(first[character].place, []).append(character)
    shots = list({shot.place: shot for shot in first.values()}.values())
    shots.sort(key=lambda shot: rare[held[shot.place][0]])

    def remark(shot: Shot) -> Markup:
        shown, others = held[shot.place][:NAMED], len(held[shot.place][NAMED:])
        characters = (join(" ", glyph(each), f" ({rare[each]}×)") for each in shown)
        return join("holds", *characters, f" and {others} more" if others else None)

    meaning = "A typing error, or a character that needs more samples. In brackets: times in the training labels."
    return Kind("With the rarest characters", meaning, shots[:EACH], remark)


def _shown(survey: Survey, album: Album, kind: Kind) -> Markup:
    pictures = (card(survey, album, shot, kind.remark(shot)) for shot in kind.shots)
    return join(element("h3", kind.heading), element("p", kind.meaning, class_="quiet"), gallery(*pictures))


def _most(shots: list[Shot], measure: Callable[[Shot], float]) -> list[Shot]:
    return _distinct(nlargest(4 * EACH, shots, key=measure))


def _least(shots: list[Shot], measure: Callable[[Shot], float]) -> list[Shot]:
    return _distinct(nsmallest(4 * EACH, shots, key=measure))


def _distinct(shots: list[Shot]) -> list[Shot]:
    """The first few, each picture once."""
    first: dict[str, Shot] = {}
    for shot in shots:
        first.setdefault(shot.picture.sha256, shot)
    return list(first.values())[:EACH]


def _width_of_a_letter(shot: Shot) -> float:
    """Width of the image for each letter that takes room, in heights of the image."""
    return shot.aspect / max(1, letters(shot.sample.label))


def _of_a_letter(shot: Shot) -> str:
    return f"a letter is {_width_of_a_letter(shot):.2f} times as wide as the crop is high"
