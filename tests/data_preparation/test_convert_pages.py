"""Annotated pages become crops: all of them or a reason."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import pytest

from data_preparation.scripts.convert_data import main
from tests.data_preparation.pages import box, draw_page, label_line
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
