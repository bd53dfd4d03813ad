"""Section: the validation crops that are read worst, as pictures where the dataset is at hand."""

from __future__ import annotations

from contract.image_header import read_header
from data_preparation.page.blocks import to_copy, whole
from data_preparation.page.charts import share
from data_preparation.page.document import Section
from data_preparation.page.markup import Content, Markup, element, join
from data_preparation.page.pictures import Album, gallery
from data_preparation.page.tables import Column, table
from data_preparation.page.visible import visible
from data_preparation.wording import counted
from launcher.run_report.commands import report_command
from launcher.run_report.pictures import Pictures
from launcher.run_report.predictions import Reading, Readings
from launcher.run_report.record import Record
from launcher.run_report.room import fitting

LONGEST = 60  # code points of a text that are shown
ROOM = 300_000  # characters of the page for the table
BROAD = 9  # times as wide as high: a column of the gallery would make a thread of it


def worst(record: Record, readings: Readings, pictures: Pictures | str, album: Album) -> Section:
    """pictures: of the dataset, or why there are none."""
    return Section("worst", "The worst crops", _content(record, readings, pictures, album))


def _content(record: Record, readings: Readings, pictures: Pictures | str, album: Album) -> Markup:
    if not readings.worst:
        return element("p", f"None: all {counted(readings.samples, 'validation crop')} were read exactly.")
    lead = element("p", _lead(readings))
    if isinstance(pictures, str):
        return join(lead, _without(record, pictures), _rows(readings))
    if not any(map(pictures.has, readings.worst)):
        folder = str(pictures.folder)
        words = "No line of its labels is one that this run was judged by, so "
        other = join(words, element("code", visible(folder)), " is another dataset, or it has changed since.")
        return join(lead, element("p", other), _without(record, ""), _rows(readings))
    return join(lead, gallery(*(_card(n, each, pictures, album) for n, each in enumerate(readings.worst, start=1))))


def _lead(readings: Readings) -> str:
    return (
        f"{readings.wrong:,} of {counted(readings.samples, 'validation crop')} are read wrong. These are the"
        f" {len(readings.worst):,} worst: by edits for each character, and of equal ones those first of which the model"
        " was surest. A crop that is read wrong with much confidence often has a wrong label."
    )


def _without(record: Record, why: str) -> Markup:
    reason = join(visible(why, 400), ". ") if why else None
    words = "With the folder of the dataset the page has their pictures:"
    return join(element("p", reason, words), to_copy(report_command(record, "--dataset", "DATASET")))


def _rows(readings: Readings) -> Markup:
    columns = [
        *(Column("Image"), Column("Written"), Column("Read"), Column("Edits", number=True)),
        Column("Confidence", number=True),
    ]
    rows = (
        [whole(visible(each.image, LONGEST)), *_texts(each), each.edits, share(each.confidence, 1)]
        for each in readings.worst
    )
    return table("What is written and what was read", columns, fitting(rows, ROOM), sortable=True)


def _card(number: int, each: Reading, pictures: Pictures, album: Album) -> Markup:
    written, read = _texts(each)
    data = pictures.read(each)
    remark = f"{counted(each.edits, 'edit')}, confidence {share(each.confidence, 1)}"
    return album.picture(
        data,
        f"the crop that is number {number} of the worst",
        element("p", element("span", "written ", class_="quiet small"), written),
        element("p", element("span", "read ", class_="quiet small"), read),
        element("p", remark, class_="small"),
        element("p", whole(visible(each.image, LONGEST)), class_="quiet small"),
        broad=data is not None and _is_broad(data),
    )


def _texts(each: Reading) -> tuple[Content, Content]:
    nothing = element("span", "nothing", class_="quiet")
    return visible(each.label, LONGEST), visible(each.prediction, LONGEST) if each.prediction else nothing


def _is_broad(data: bytes) -> bool:
    try:
        header = read_header(data)
    except ValueError:
        return False
    return header.width > BROAD * header.height
