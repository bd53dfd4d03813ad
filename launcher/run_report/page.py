"""The page of a run."""

from __future__ import annotations

from pathlib import Path

from data_preparation.page.document import Section, document
from data_preparation.page.markup import element, join
from data_preparation.page.pictures import Album
from launcher.run_report.bill import bill
from launcher.run_report.commands import report_command
from launcher.run_report.course import course
from launcher.run_report.data import data
from launcher.run_report.machine import machine
from launcher.run_report.opening import opening
from launcher.run_report.pictures import Pictures
from launcher.run_report.recipe import asked_for, recipe
from launcher.run_report.record import Record
from launcher.run_report.scores import characters, confusions, scores
from launcher.run_report.use import use
from launcher.run_report.worst import worst

PICTURES = 1_000_000  # bytes of the page; the rest of it has at most some 2,000,000, and mostly a tenth of that


def run_report(record: Record, pictures: Pictures | str) -> str:
    """The whole page, 3 MB at most. pictures: of the dataset, or why there are none."""
    album = Album(PICTURES)
    sections = _of_a_model(record, record.places.model, pictures, album) if record.places.model else _without(record)
    closing = join(
        element("p", "Made anew by ", element("code", report_command(record)), "."),
        element("p", f"{album.left_out:,} pictures were left out, so that this page stays small.")
        if album.left_out
        else None,
    )
    return document(f"Run report: {record.places.name}", opening(record), sections, closing)


def _of_a_model(record: Record, model: Path, pictures: Pictures | str, album: Album) -> list[Section]:
    """What an older version has not noted has no section."""
    run = record.facts
    found = run.inside("scores")
    return [
        course(record.curve),
        *([scores(found), confusions(found)] if found else []),
        *([worst(record, record.readings, pictures, album)] if record.readings else []),
        *([characters(found)] if found else []),
        use(record, model),
        *([recipe(record)] if run.inside("config") else []),
        bill(record.jobs),
        machine(record),
        data(record),
    ]


def _without(record: Record) -> list[Section]:
    """Of a run that has no model: it failed, goes on, or is not here."""
    job = record.jobs.newest
    return [course(record.curve), *([asked_for(job)] if job else []), bill(record.jobs)]
