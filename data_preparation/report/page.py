"""The page of a survey."""

from __future__ import annotations

from data_preparation.page.document import document
from data_preparation.page.markup import element, join
from data_preparation.page.pictures import Album
from data_preparation.report.advice import advice
from data_preparation.report.characters import characters
from data_preparation.report.lengths import labels
from data_preparation.report.look import look
from data_preparation.report.opening import opening
from data_preparation.report.outliers import outliers
from data_preparation.report.problems import problems, warnings
from data_preparation.report.repeats import repeats
from data_preparation.report.sizes import sizes
from data_preparation.report.splits import splits
from data_preparation.report.survey import Survey

PICTURES = 1_750_000  # bytes of the page; the rest of it has at most some 1,200,000


def data_report(survey: Survey) -> str:
    """The whole page, some 3 MB at most."""
    album = Album(PICTURES)
    sections = [
        problems(survey, album),
        warnings(survey, album),
        look(survey, album),
        labels(survey),
        characters(survey),
        sizes(survey),
        repeats(survey, album),
        outliers(survey, album),
        splits(survey),
        advice(survey),
    ]
    digest = survey.verdict.report.content_sha256
    closing = join(
        element("p", "Content hash ", element("code", digest or "none: no image was read")),
        element("p", f"{album.left_out:,} pictures were left out, so that this page stays small.")
        if album.left_out
        else None,
    )
    name = survey.folder.resolve().name
    return document(f"Data report: {name}", opening(survey), sections, closing)
