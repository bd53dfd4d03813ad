"""Manifests of SageMaker Ground Truth become crops."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.data_preparation.annotations import boxes_line, custom_line
from tests.data_preparation.folders import crops
from tests.data_preparation.pages import box, draw_page
from tests.data_preparation.test_convert_data import samples
from tests.data_preparation.test_convert_pages import convert, rejected
from tests.data_preparation.test_page_xml import crop

CLASSES = {"0": "ร้าน 7", "1": "b", "5": "total"}
TEXTS = [("ร้าน 7", box(20, 30)), ("b", box(120, 60)), ("total", box(20, 150))]
SIZE = {"width": 320, "height": 240}


def converted(folder: Path, lines: list[dict[str, Any]], *flags: str) -> dict[str, str]:
    """Convert the images of a folder with a manifest of these lines; the samples that come of it."""
    manifest = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "output.manifest").write_text(manifest, encoding="utf-8")
    flags = (*flags, *(("--image-format", "png", "--workers", "1") if (folder / "in/1.png").is_file() else ()))
    assert convert(folder / "in", folder / "output.manifest", folder / "out", *flags) == 0
    return samples(folder / "out", "train") | samples(folder / "out", "val")


@pytest.mark.parametrize("image", ["s3://bucket/scans/1.png", "1.png", "/tmp/scans/1.png"])
def test_boxes_whose_classes_are_their_texts(tmp_path: Path, capsys: pytest.CaptureFixture[str], image: str) -> None:
    pixels = draw_page(tmp_path / "in/1.png")
    found = converted(tmp_path, [boxes_line(image, TEXTS, CLASSES), {"source-ref": "s3://bucket/scans/2.png"}])
    assert found == {f"images/1.png/000{number}.png": text for number, (text, _) in enumerate(TEXTS, 1)}
    assert (crop(tmp_path / "out", "1.png/0002.png") == pixels[60:84, 120:200]).all()
    said = capsys.readouterr().err
    assert "format: ground-truth (output.manifest has 1 image with boxes)" in said
    assert "note: 1 image without boxes or text: left alone, first at output.manifest:2" in said
    assert "note: the texts are the names of the boxes' classes, 3 in all" in said


def test_boxes_with_texts_of_their_own(tmp_path: Path) -> None:
    draw_page(tmp_path / "in/1.png")
    line = boxes_line("1.png", [("b", points) for _, points in TEXTS], CLASSES)
    line["boxes"]["annotations"][0]["text"] = "one"
    line["boxes"]["annotations"][1]["attributes"] = {"transcription": "two"}
    line["boxes"]["annotations"][2]["label-category-attributes"] = {"text": "three"}
    assert sorted(converted(tmp_path, [line]).values()) == ["one", "three", "two"]


def test_the_last_job_of_a_chain(tmp_path: Path) -> None:
    draw_page(tmp_path / "in/1.png")
    old = boxes_line("1.png", TEXTS[:1], CLASSES, **{"creation-date": "2020-10-18T22:18:13"})
    new = boxes_line("1.png", TEXTS[1:], CLASSES, **{"creation-date": "2021-10-18T22:18:13"})
    verified = {"type": "groundtruth/label-verification", "class-name": "bad", "creation-date": "2022-10-18T22:18:13"}
    line = {"adjusted": new["boxes"], "adjusted-metadata": new["boxes-metadata"]} | old
    assert sorted(converted(tmp_path, [line | {"check": "1", "check-metadata": verified}]).values()) == ["b", "total"]


@pytest.mark.parametrize("widget", ["boundingBoxes", "polygons"])
def test_templates_with_drawings(tmp_path: Path, widget: str) -> None:
    pixels = draw_page(tmp_path / "in/1.png")
    boxes: list[dict[str, Any]] = []
    for text, points in TEXTS:
        place = {"left": points[0][0], "top": points[0][1], "width": 80, "height": 24}
        vertices = {"vertices": [{"x": x, "y": y} for x, y in points[2:] + points[:2]]}
        boxes.append({"label": text, **(place if widget == "boundingBoxes" else vertices)})
    answer = {"annotatedResult": {widget: boxes, "inputImageProperties": SIZE}, "unsure": {"on": False}}
    found = converted(tmp_path, [custom_line("1.png", answer, answer)])
    assert found == {f"images/1.png/000{number}.png": text for number, (text, _) in enumerate(TEXTS, 1)}
    assert (crop(tmp_path / "out", "1.png/0002.png") == pixels[60:84, 120:200]).all()


def test_texts_of_crops(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    crops(tmp_path / "in", [f"{name}.png" for name in "abcdef"])
    of_class = {"type": "groundtruth/image-classification", "class-name": "42", "confidence": 0.9}
    of_mask = {"type": "groundtruth/semantic-segmentation"}
    own = {"type": "groundtruth/custom"}
    lines = [
        custom_line("s3://bucket/crops/a.png", {"transcription": "one", "comment": "?"}),
        custom_line("s3://bucket/crops/b.png", {"field": "two"}),
        {"source-ref": "s3://bucket/crops/c.png", "word": "three", "word-metadata": own},
        {"source-ref": "s3://bucket/crops/d.png", "word": {"text": "four"}, "word-metadata": own},
        {"source-ref": "s3://bucket/crops/e.png", "digits": 0, "digits-metadata": of_class},
        {"source-ref": "s3://bucket/crops/f.png", "mask-ref": "s3://bucket/mask.png", "mask-ref-metadata": of_mask},
        custom_line("s3://bucket/crops/f.png"),
    ]  # fmt: skip
    assert list(sorted(converted(tmp_path, lines).items())) == [
        ("images/a.png", "one"), ("images/b.png", "two"), ("images/c.png", "three"),
        ("images/d.png", "four"), ("images/e.png", "42"),
    ]  # fmt: skip
    said = capsys.readouterr().err
    assert "format: ground-truth (output.manifest has 5 images with a text)" in said
    assert "note: 2 images without boxes or text: left alone, first at output.manifest:6" in said


def test_every_bad_box_has_its_reason(tmp_path: Path) -> None:
    draw_page(tmp_path / "in/1.png")
    draw_page(tmp_path / "in/small.png", 160, 120)
    line = boxes_line("1.png", TEXTS, CLASSES)
    reasons: list[tuple[Any, str]] = [
        ({"class_id": 9, "left": 1, "top": 2, "width": 30, "height": 40}, "the class '9' no name in the class-map"),
        ({"left": 1, "top": 2, "width": 30, "height": 40}, "the class 'None' no name in the class-map"),
        ({"class_id": 1, "left": 1, "top": 2, "width": 30}, "no place (left, top, width, height)"),
        ({"class_id": 1, "left": 1, "top": 2, "width": 30, "height": "x"}, "no place"),
        ({"class_id": 1, "left": 1, "top": 2, "width": 0, "height": 0}, "the region"),
        ({"class_id": 1, "left": 900, "top": 2, "width": 30, "height": 30}, "outside the page"),
        ({"text": "x", "vertices": [{"x": 1, "y": 1}] * 3}, "3 of at least 4 points"),
        ({"text": "x", "vertices": "none"}, "no place"),
        ("box", "the box is no object"),
    ]
    line["boxes"]["annotations"] += [each for each, _ in reasons]
    converted(
        tmp_path, [line, boxes_line("small.png", TEXTS[:1], CLASSES), boxes_line("s3://b/c/no.png", TEXTS[:1], CLASSES)]
    )
    rows = rejected(tmp_path / "out")
    assert len(rows) == len(reasons) + 2
    for _, words in [*reasons, (None, "320 x 240 pixels"), (None, "download it first: aws s3 sync s3://b/c/ ")]:
        assert any(words in reason for _, _, reason in rows), words


def test_every_bad_line_has_its_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    crops(tmp_path / "in", ["a.png", "b.png"])
    sound = [custom_line(f"{name}.png", {"text": name}) for name in "ab"]
    lines = {
        '{"source-ref": "a.png", ': "the line is not JSON",
        "[" * 100_000: "the line is not JSON",
        '{"source": "a text"}': "the line has no source-ref that names an image",
        "7": "the line has no source-ref that names an image",
        json.dumps(custom_line("a.png", {"text": "one"}, {"text": "two"})): "2 workers answered differently",
        json.dumps(custom_line("a.png", {"text": "\ud800"})): "half of a character",
        json.dumps(custom_line("../no.png", {"text": "x"})): "leaves the dataset folder and no such file",
        json.dumps(
            custom_line("s3://bucket/scans/no.png", {"text": "x"})
        ): f"aws s3 sync s3://bucket/scans/ {tmp_path}/in",
        json.dumps(custom_line("x" * 1_000_000, {"text": "x"})): "… (1,000,000 characters) is neither in in/",
    }
    text = "".join(json.dumps(line) + "\n" for line in sound) + "\n".join(lines)
    (tmp_path / "output.manifest").write_text(text, encoding="utf-8")
    assert convert(tmp_path / "in", tmp_path / "output.manifest", tmp_path / "out", "--skip-bad") == 0
    rows = {int(region): reason for _, region, reason in rejected(tmp_path / "out")}
    assert set(rows) == set(range(3, 3 + len(lines)))
    for number, words in enumerate(lines.values(), start=3):
        assert words in rows[number]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (
            [boxes_line("1.png", [("b", box(20, 30)), ("b", box(20, 90))], CLASSES)],
            "has no texts: all 2 boxes are of the class 'b'",
        ),
        ([{"source-ref": "1.png"}], "labels no image with boxes or a text"),
        ([{"image": "1.png"}], "holds no manifest of Ground Truth"),
    ],
)
def test_manifests_that_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lines: list[dict[str, Any]], words: str
) -> None:
    draw_page(tmp_path / "1.png")
    (tmp_path / "output.manifest").write_text("".join(json.dumps(line) + "\n" for line in lines))
    flags = ("--format", "ground-truth")
    assert convert(tmp_path, tmp_path / "output.manifest", tmp_path / "out", *flags) == 1
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
