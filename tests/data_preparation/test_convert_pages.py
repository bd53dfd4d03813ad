"""Annotated pages become crops: all of them or a reason."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import pytest

from data_preparation.regions import PageSource
from data_preparation.scripts.convert_data import main
from data_preparation.sources import read_source
from tests.data_preparation.pages import box, draw_page, icdar_line, label_line, labelme_file, shape
from tests.data_preparation.test_convert_data import samples


def convert(images: Path, labels: Path, output: Path, *flags: str) -> int:
    return main(["--input-images", str(images), "--input-labels", str(labels), "--output-dir", str(output), *flags])


def rejected(folder: Path) -> list[tuple[str, str, str]]:
    """The rows of rejected.csv: source, region, reason."""
    with (folder / "rejected.csv").open(encoding="utf-8", newline="") as file:
        return [(row["source"], row["region"], row["reason"]) for row in csv.DictReader(file)]


def test_a_label_txt_of_ppocrlabel(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pages = [draw_page(tmp_path / f"in/{number}.png", seed=number) for number in range(3)]
    regions = [("ร้าน 7", box(20, 30)), ("###", box(20, 90)), ("total", box(20, 150, 24, 80))]
    lines = [label_line(f"in/{number}.png", regions) for number in range(3)]
    (tmp_path / "in/Label.txt").write_text("".join(lines), encoding="utf-8")
    out = tmp_path / "out"
    assert convert(tmp_path / "in", tmp_path / "in", out, "--encoding", "png", "--workers", "1") == 0
    assert "9 regions: 6 cut out, 3 left out" in capsys.readouterr().err
    found = samples(out, "train") | samples(out, "val")
    assert found == {
        f"images/{page}.png/{ident}.png": text
        for page in range(3)
        for ident, text in (("0001", "ร้าน 7"), ("0003", "total"))
    }
    assert (cv2.imread(str(out / "images/1.png/0001.png")) == pages[1][30:54, 20:100]).all()
    turned = cv2.rotate(pages[1][150:230, 20:44], cv2.ROTATE_90_COUNTERCLOCKWISE)
    assert (cv2.imread(str(out / "images/1.png/0003.png")) == turned).all()
    assert [row[:2] for row in rejected(out)] == [("Label.txt", f"{line}#2") for line in (1, 2, 3)]


def test_text_files_of_icdar_2015(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pages, texts = tmp_path / "pages", tmp_path / "gt"
    texts.mkdir()
    for number in (1, 2):
        draw_page(pages / f"img_{number}.jpg", seed=number)
        lines = [
            icdar_line("Joe's, since 1,999", box(10, 10)),
            icdar_line("###", box(10, 50)),
            icdar_line("EXIT", box(10, 90)),
        ]
        (texts / f"gt_img_{number}.txt").write_text("".join(lines), encoding="utf-8-sig", newline="\r\n")
    (texts / "gt_img_3.txt").write_text("5,5,80,5,80,30,5,30,no page\nfive,5,80\n")
    (texts / "gt_img_4.txt").write_bytes("5,5,80,5,80,30,5,30,é\n".encode("latin-1"))
    out = tmp_path / "out"
    assert convert(pages, texts, out) == 0
    said = capsys.readouterr().err
    assert "format: icdar (4 text files of eight numbers and a text)" in said
    assert "note: 2 text files: starts with a byte order mark: accepted, ignored" in said
    assert "9 regions: 4 cut out, 5 left out" in said
    found = samples(out, "train") | samples(out, "val")
    assert sorted(found.values()) == ["EXIT", "EXIT", "Joe's, since 1,999", "Joe's, since 1,999"]
    assert "images/img_1.jpg/0001.jpg" in found
    assert rejected(out) == [
        ("gt_img_3.txt", "1", "there is no page img_3.jpg (.png, …) in pages/; add it"),
        ("gt_img_3.txt", "2", "the line is not eight numbers and a text; correct the line"),
        ("gt_img_4.txt", "", "the file is not UTF-8; save it as UTF-8"),
        ("gt_img_1.txt", "2", "the region is marked as illegible; nothing to do: it is left out"),
        ("gt_img_2.txt", "2", "the region is marked as illegible; nothing to do: it is left out"),
    ]


def test_the_scripts_of_icdar_mlt_are_no_text(tmp_path: Path) -> None:
    draw_page(tmp_path / "ts_1.png")
    lines = [icdar_line(text, box(10, 10 + 30 * n)) for n, text in enumerate(("Latin,a, b", "None,###", "Arabic,حمام"))]
    (tmp_path / "gt_ts_1.txt").write_text("".join(lines), encoding="utf-8")
    source = read_source(tmp_path, tmp_path)
    assert isinstance(source, PageSource)
    assert [region.text for region in source.regions] == ["a, b", "حمام"]
    assert [problem.where for problem in source.problems] == ["gt_ts_1.txt:2"]


def test_json_files_of_labelme(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pages, labels = tmp_path / "pages", tmp_path / "labels"
    pixels = draw_page(pages / "a/1.png", seed=1)
    draw_page(pages / "2.png", seed=2)
    anywhere = box(20, 60)[2:] + box(20, 60)[:2]  # drawn from the bottom right corner
    shapes = [
        shape("a polygon", anywhere[::-1]),
        shape("a rectangle", [[99.2, 33.5], [20.7, 10.1]], "rectangle"),
        shape("turned", box(120, 60, 24, 80), "rotation", direction=0.0),
        shape("a circle", [[50, 50], [60, 60]], "circle"),
        shape("###", box(20, 100)),
        shape("hard", box(20, 100), difficult=True),
        shape("a line", [[50, 50], [60, 60], [70, 50]], "linestrip"),
        {"points": []},
    ]
    labelme_file(labels / "a/1.json", "..\\..\\pages\\a\\1.png", shapes, imageWidth=320, imageHeight=240)
    labelme_file(labels / "2.json", "C:\\Users\\me\\old name.png", [shape("second", box(20, 30))])
    labelme_file(labels / "3.json", "2.png", [shape("of a larger page", box(20, 130))], imageWidth=640, imageHeight=480)
    labelme_file(labels / "4.json", "http://host/4.png", [shape("elsewhere", box(20, 30))])
    (labels / "5.json").write_text('{"shapes": [')
    (labels / "classes.json").write_text('{"names": []}')
    out = tmp_path / "out"
    assert convert(pages, labels, out, "--encoding", "png") == 0
    said = capsys.readouterr().err
    assert "format: labelme (5 JSON files with shapes)" in said
    assert "note: 1 JSON file without shapes: left alone" in said
    assert "12 regions: 4 cut out, 8 left out" in said
    found = samples(out, "train") | samples(out, "val")
    assert found == {
        "images/a/1.png/0001.png": "a polygon",
        "images/a/1.png/0002.png": "a rectangle",
        "images/a/1.png/0003.png": "turned",
        "images/2.png/0001.png": "second",
    }
    assert (cv2.imread(str(out / "images/a/1.png/0001.png")) == pixels[60:84, 20:100]).all()
    assert (cv2.imread(str(out / "images/a/1.png/0002.png")) == pixels[10:34, 20:100]).all()
    assert {(source, region) for source, region, _ in rejected(out)} == {
        *(("a/1.json", str(number)) for number in range(4, 9)),
        ("3.json", "1"),
        ("4.json", "1"),
        ("5.json", ""),
    }


def test_texts_of_x_anylabeling_are_descriptions(tmp_path: Path) -> None:
    draw_page(tmp_path / "1.png")
    shapes = [shape("text", box(9, 9 + 30 * n), description=text) for n, text in enumerate(("Menu", "Rice 50", ""))]
    labelme_file(tmp_path / "1.json", "1.png", shapes)
    source = read_source(tmp_path, tmp_path)
    assert isinstance(source, PageSource)
    assert [region.text for region in source.regions] == ["Menu", "Rice 50", ""]
