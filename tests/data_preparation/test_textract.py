"""Answers of Amazon Textract become crops."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import pytest

from tests.data_preparation.annotations import textract, textract_blocks
from tests.data_preparation.pages import box, draw_page
from tests.data_preparation.test_convert_data import samples
from tests.data_preparation.test_convert_pages import convert, rejected
from tests.data_preparation.test_page_xml import crop, cut

TEXTS = [("ร้าน 7", box(20, 30)), ("a < b", box(120, 60)), ("total", box(20, 150))]


def write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")


@pytest.mark.parametrize("name", ["1.json", "1.png.json"])
@pytest.mark.parametrize("page", [1, None])
def test_an_answer_gives_its_lines_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, page: int | None
) -> None:
    pixels = draw_page(tmp_path / "in/1.png")
    lines = textract_blocks("LINE", TEXTS, page)
    del lines[-1]["Geometry"]["Polygon"]  # the box remains
    words = textract_blocks("WORD", [("no", box(0, 0))], page)
    write(tmp_path / "in" / name, textract(*lines, *words, {"BlockType": "TABLE"}))
    write(tmp_path / "in/other.json", {"a": 1})
    out = cut(tmp_path / "in")
    said = capsys.readouterr().err
    assert "format: textract (1 file of answers of Amazon Textract; each LINE is a region)" in said
    found = samples(out, "train") | samples(out, "val")
    assert found == {f"images/1.png/000{number}.png": text for number, (text, _) in enumerate(TEXTS, 1)}
    assert (crop(out, "1.png/0002.png") == pixels[60:84, 120:200]).all()
    assert (crop(out, "1.png/0003.png") == pixels[150:174, 20:100]).all()
    assert rejected(out) == []


def test_words_and_turned_text(tmp_path: Path) -> None:
    pixels = draw_page(tmp_path / "in/1.png")
    points = box(20, 30, 24, 80)
    words = textract_blocks("WORD", [("down", [points[1], points[2], points[3], points[0]]), ("two", box(120, 60))])
    write(tmp_path / "in/1.json", textract(*textract_blocks("LINE", TEXTS), *words))
    out = cut(tmp_path / "in", "--level", "word")
    assert sorted((samples(out, "train") | samples(out, "val")).values()) == ["down", "two"]
    turned = cv2.rotate(pixels[30:110, 21:45], cv2.ROTATE_90_COUNTERCLOCKWISE)
    assert (crop(out, "1.png/0001.png") == turned).all()


def test_pages_of_a_document_in_several_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in (1, 2):
        draw_page(tmp_path / f"in/doc-0{number}.png", seed=number)
    first = textract(*textract_blocks("LINE", TEXTS[:2], 1), JobStatus="SUCCEEDED", NextToken="x")
    blocks = [*textract_blocks("LINE", TEXTS[2:], 1), *textract_blocks("LINE", TEXTS, 2)]
    blocks += textract_blocks("LINE", TEXTS[:1], 3)
    second = textract(*blocks, JobStatus="SUCCEEDED", NextToken="y")
    write(tmp_path / "in/doc.json", [first, second])
    write(tmp_path / "in/failed.json", {"JobStatus": "FAILED", "StatusMessage": "INVALID_IMAGE_TYPE"})
    out = cut(tmp_path / "in")
    assert "note: doc.json ends with a NextToken: what comes after it was not fetched" in capsys.readouterr().err
    found = samples(out, "train") | samples(out, "val")
    assert found == {
        f"images/doc-0{page}.png/000{number}.png": text for page in (1, 2) for number, (text, _) in enumerate(TEXTS, 1)
    }
    assert rejected(out) == [
        ("doc.json", "3#0001", "there is no page doc-3.jpg (.png, …) in in/; add it"),
        ("failed.json", "", "the answer has no Blocks: its job has failed or goes on; fetch it when it is done"),
    ]


def test_every_bad_block_has_its_reason(tmp_path: Path) -> None:
    draw_page(tmp_path / "in/1.png")
    corner = {"X": 0.1, "Y": 0.1}
    reasons: list[tuple[dict[str, Any], str]] = [
        ({"Text": "x"}, "no sound Geometry"),
        ({"Text": "x", "Page": [1]}, "on no page of a document"),
        ({"Text": "x", "Page": 10**4000}, "on no page of a document"),
        ({"Text": "x", "Geometry": {}}, "no sound Geometry"),
        ({"Text": "x", "Geometry": {"Polygon": [{"X": "a", "Y": 0}] * 4}}, "not a list of [x, y]"),
        ({"Text": "x", "Geometry": {"Polygon": [{"X": 10**400, "Y": 0}] * 4}}, "not a list of [x, y]"),
        ({"Text": "x", "Geometry": {"Polygon": [corner] * 3}}, "3 of at least 4 points"),
        ({"Text": "x", "Geometry": {"Polygon": [corner] * 4}}, "no area"),
        ({"Geometry": textract_blocks("LINE", TEXTS)[1]["Geometry"]}, "the block has no Text"),
        ({"Text": "a\ud800", "Geometry": textract_blocks("LINE", TEXTS)[1]["Geometry"]}, "half of a character"),
        ({"Text": "a\0", "Geometry": textract_blocks("LINE", TEXTS)[1]["Geometry"]}, "a NUL character"),
    ]
    blocks = [{"BlockType": "LINE", "Page": 1, **block} for block, _ in reasons]
    write(
        tmp_path / "in/1.json",
        textract(*textract_blocks("LINE", TEXTS), *blocks, 7),
    )
    rows = rejected(cut(tmp_path / "in"))
    assert len(rows) == len(reasons)
    for _, words in reasons:
        assert any(words in reason for _, _, reason in rows), words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"Blocks": [', "the file is not JSON (line 1)"),
        ('{"Blocks": ' + "[" * 100_000, "the file is not JSON"),
        ('{"Blocks": []}', "holds no LINE: Textract has found no text"),
        ('{"Blocks": 7}', "holds no answer of Amazon Textract"),
        ('["Blocks"]', "holds no answer of Amazon Textract"),
        ('{"Blocks": "\xff"}', "the file is not UTF-8"),
    ],
)
def test_files_that_are_no_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, words: str) -> None:
    draw_page(tmp_path / "1.png")
    (tmp_path / "1.json").write_bytes(text.encode("latin-1"))
    assert convert(tmp_path, tmp_path / "1.json", tmp_path / "out", "--format", "textract") == 1
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said
