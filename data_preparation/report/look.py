"""Section: some samples by chance, so that one knows what the dataset looks like."""

from __future__ import annotations

import hashlib
from heapq import nsmallest

from data_preparation.page.document import Section
from data_preparation.page.markup import element, join
from data_preparation.page.pictures import Album
from data_preparation.report.cards import cards
from data_preparation.report.survey import SPLITS, Row, Shot, Survey

SAMPLES = {"train": 16, "val": 8}


def look(survey: Survey, album: Album) -> Section:
    """The samples with the smallest hashes of their paths: the same ones again as long as they are there."""
    chosen = [row for split in SPLITS for row in nsmallest(SAMPLES[split], _of(survey, split), key=_chance)]
    lead = element("p", "Samples by chance, those of train.txt first. Does each label say what its picture shows?")
    return Section("samples", "Samples by chance", join(lead, cards(survey, album, chosen)))


def _of(survey: Survey, split: str) -> list[Shot]:
    return [shot for shot in survey.shots if shot.split == split]


def _chance(row: Row) -> bytes:
    return hashlib.sha256(row.sample.image.encode()).digest()
