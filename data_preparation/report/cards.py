"""A sample as a card: its picture, its label, where it stands, and what is to be said of it."""

from __future__ import annotations

from collections.abc import Sequence

from data_preparation.page.blocks import whole
from data_preparation.page.markup import Content, Markup, element
from data_preparation.page.pictures import Album, gallery
from data_preparation.page.visible import visible
from data_preparation.report.survey import Row, Shot, Survey

LONGEST = 60  # code points of a label that are shown
BROAD = 9  # times as wide as high: a column of the gallery would make a thread of it


def card(survey: Survey, album: Album, row: Row, *remarks: Content) -> Markup:
    """One sample. remarks: one line each, below the label."""
    size = f" ·\u00a0{row.picture.width}\u00a0×\u00a0{row.picture.height}\u00a0px" if isinstance(row, Shot) else ""
    return album.picture(
        read(survey, row.sample.image),
        f"the image of {row.place}",
        element("p", visible(row.sample.label, LONGEST)),
        element("p", place(row.place), size, class_="quiet small"),
        *(element("p", remark, class_="small") for remark in remarks),
        broad=isinstance(row, Shot) and row.aspect > BROAD,
    )


def cards(survey: Survey, album: Album, rows: Sequence[Row]) -> Markup:
    """Some samples with nothing to be said of them."""
    return gallery(*(card(survey, album, row) for row in rows))


def read(survey: Survey, image: str) -> bytes | None:
    """The file of an image; None where there is none to show: the validator has said why."""
    if survey.images is None:
        return None
    try:
        return survey.images.read(image)
    except ValueError:
        return None


def place(where: str) -> Markup:
    """`train.txt:12` as it is written everywhere."""
    return whole(visible(where))


def more(shown: int, total: int, what: str) -> Markup | None:
    """That there are more than are shown."""
    return element("p", f"{shown:,} of {total:,} {what} are shown.", class_="quiet small") if shown < total else None
