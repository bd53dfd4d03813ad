"""Section: images that are there more than once, with their labels beside each other."""

from __future__ import annotations

from data_preparation.page.blocks import BAD, DOUBTFUL, badge
from data_preparation.page.document import Section
from data_preparation.page.markup import Markup, element, join
from data_preparation.page.pictures import Album, gallery
from data_preparation.page.tables import Column, table
from data_preparation.page.visible import visible
from data_preparation.report.cards import more, place, read
from data_preparation.report.survey import Shot, Survey, contradicts, leaks
from data_preparation.wording import counted

GROUPS = 12  # that are shown
ROWS = 8  # of a group that are shown


def repeats(survey: Survey, album: Album) -> Section:
    """Contradictions first, then images that are in both splits, then plain repetitions."""
    groups = survey.same_images
    if not groups:
        lead = element("p", "No image is there twice.")
        return Section("duplicates", "Duplicates", lead)
    shown = [_group(survey, album, group) for group in groups[:GROUPS]]
    return Section(
        "duplicates",
        "Duplicates",
        join(_lead(groups), *shown, more(len(shown), len(groups), "images that repeat")),
    )


def _lead(groups: list[list[Shot]]) -> Markup:
    contradicting, leaking = sum(map(contradicts, groups)), sum(map(leaks, groups))
    parts = [f"{counted(len(groups), 'image')} with the same content more than once."]
    if contradicting:
        parts.append(f"{contradicting:,} with different labels: at least one of them is wrong, and both are trained.")
    if leaking:
        parts.append(f"{leaking:,} in training and validation: what is known by heart scores too well.")
    return element("p", " ".join(parts))


def _group(survey: Survey, album: Album, group: list[Shot]) -> Markup:
    badges = [badge(BAD, "different labels")] if contradicts(group) else []
    badges += [badge(DOUBTFUL, "in train and val")] if leaks(group) else []
    signs = element("p", *badges or [badge("", "repeated")])
    picture = album.picture(read(survey, group[0].sample.image), f"the image of {group[0].place}", signs)
    rows = [(place(row.place), visible(row.sample.label), visible(row.sample.image)) for row in group[:ROWS]]
    labels = table(f"The labels of one image, first at {group[0].place}", LABELS, rows)
    return element("div", gallery(picture), labels, more(len(rows), len(group), "lines"), class_="pair")


LABELS = (Column("Where"), Column("Label"), Column("Image"))
