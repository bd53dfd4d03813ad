"""Annotations that are damaged, or of another format than is said: a sentence or a row each, never anything else."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from contract.errors import UserError
from data_preparation.sources import FORMATS
from data_preparation.sources.reading import PAGE_FORMATS, TABLES, read_source
from tests.data_preparation.annotations import (
    abbyy_page,
    abbyy_xml,
    boxes_line,
    custom_line,
    page_xml,
    textract,
    textract_blocks,
)
from tests.data_preparation.pages import box, draw_page, icdar_line, label_line

TEXTS = [("ร้าน 7", box(20, 30)), ("b & <c", box(120, 60)), ("total", box(20, 150))]
CLASSES = {"0": "ร้าน 7", "1": "b & <c", "5": "total"}
DRAWN = {"annotatedResult": {"polygons": [{"label": "x", "vertices": [{"x": 1, "y": 2}] * 4}]}}

ANNOTATIONS = {
    "page-xml": ("a.xml", page_xml("1.png", TEXTS)),
    "page-xml of 2010": ("a.xml", page_xml("1.png", TEXTS, "2010-03-19")),
    "abbyy-xml": ("1.xml", abbyy_xml(abbyy_page(TEXTS))),
    "textract": ("1.json", json.dumps(textract(*textract_blocks("LINE", TEXTS)))),
    "ground-truth": (
        "output.manifest",
        json.dumps(boxes_line("1.png", TEXTS, CLASSES)) + "\n" + json.dumps(custom_line("1.png", DRAWN)),
    ),
    "ppocrlabel": ("Label.txt", label_line("1.png", TEXTS)),
    "icdar": ("gt_1.txt", "".join(icdar_line(text, points) for text, points in TEXTS)),
    "csv": ("crops.csv", 'image,text\n1.png,"a, ""b"""\n1.png,x\n'),
    "json": ("crops.jsonl", '{"image": "1.png", "text": "x"}\n{"image": ["1.png"], "text": "y"}\n'),
    "label-file": ("crops.txt", '["1.png", "1.png"]\tx\n1.png\ty\n'),
}
SPLINTERS = [
    b"null", b"{}", b"[]", b"-1", b"1e999", b"true", b'"', b"\\ud800", b"\x00", b"\xff", b"<", b">", b"&", b",",
    b"[[[", b"NaN", b"1" * 30, b"'", b"\n", b"\t", b'{"a":1}', b'""', b"<!DOCTYPE a>", b"../", b"s3://b/",
]  # fmt: skip


def read(folder: Path, name: str, data: bytes, form: str) -> None:
    """Nothing but a UserError of one line, or samples and problems that can be written."""
    (folder / name).write_bytes(data)
    try:
        said = [str(problem) for problem in read_source(folder / "in", folder / name, form).problems]
    except UserError as error:
        said = [str(error)]
    for words in said:
        assert "\n" not in words
        assert len(words.encode()) < 2_000


@pytest.mark.parametrize("case", ANNOTATIONS)
def test_damage_of_any_kind(tmp_path: Path, case: str) -> None:
    draw_page(tmp_path / "in/1.png")
    name, text = ANNOTATIONS[case]
    chance = random.Random(case)
    for _ in range(80):
        data = bytearray(text.encode())
        for _ in range(chance.choice((1, 1, 2, 5))):
            place = chance.randrange(len(data) + 1)
            length = chance.choice((0, 1, 3, 20, 200, 10_000))
            data[place : place + length] = chance.choice([b"", bytes([chance.randrange(256)]), *SPLINTERS])
        read(tmp_path, name, bytes(data), chance.choice(["auto", case.partition(" ")[0]]))


@pytest.mark.parametrize("form", ["label-file", *TABLES, *PAGE_FORMATS])
def test_a_format_that_is_wrong(tmp_path: Path, form: str) -> None:
    assert form in FORMATS
    draw_page(tmp_path / "in/1.png")
    for name, text in ANNOTATIONS.values():
        read(tmp_path, name, text.encode(), form)
    read(tmp_path, "1.png", (tmp_path / "in/1.png").read_bytes(), form)
