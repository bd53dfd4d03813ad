"""Real pages in PAGE XML and ABBYY XML: every region is a crop or has its reason, and the crops train."""

from __future__ import annotations

import csv
import json
import re
from html import unescape
from pathlib import Path

import cv2
import pytest

from contract.dataset import read_labels
from contract.events import parse_event
from tests.real.test_train_real_lines import RECIPE, mean, run
from tests.real.uw3 import abbyy_pages, page_xml_pages

pytestmark = pytest.mark.slow


def test_lines_in_page_xml(tmp_path: Path) -> None:
    pages = page_xml_pages()
    lines = re.findall(r"<TextLine\b.*?</TextLine>", together(pages), re.DOTALL)
    with_text = [line for line in lines if re.search(r"<Unicode>\s*[^<\s]", line)]
    assert (len(lines), len(with_text)) == (285, 279)  # counted with grep, too

    data, rejected = convert(pages, tmp_path / "lines")
    crops = labels(data)
    assert len(crops) == len(with_text)
    assert len(crops) + len(rejected) == len(lines)
    assert {row["source"] for row in rejected} == {"006.xml", "008.xml", "009.xml"}
    assert all("text" in row["reason"] for row in rejected)  # three have none, three are blank
    assert crops["images/006.nrm.png/r0_l001.jpg"] == "LIBER PRIMVS."  # of index 0, not what OCR had made of it
    assert_decode(data, crops)
    assert_fit(data)


def test_lines_in_abbyy_xml(tmp_path: Path) -> None:
    pages = abbyy_pages()
    lines = re.findall(r"<line .*?</line>", together(pages), re.DOTALL)
    assert len(lines) == 84  # counted with grep, too
    texts = ["".join(re.findall(r"<charParams [^>]*>([^<]+)</charParams>", line)).strip() for line in lines]

    data, rejected = convert(pages, tmp_path / "lines")
    crops = labels(data)
    assert len(crops) + len(rejected) == len(lines)
    assert sorted(crops.values()) == sorted(map(unescape, texts))
    assert_decode(data, crops)
    assert_fit(data)


def test_words_in_abbyy_xml_train(tmp_path: Path) -> None:
    pages = abbyy_pages()
    lines = re.findall(r"<line .*?</line>", together(pages), re.DOTALL)
    count = sum(len("".join(re.findall(r"<charParams [^>]*>(.)", line)).split()) for line in lines)

    data, rejected = convert(pages, tmp_path / "words", "--level", "word")
    assert len(labels(data)) + len(rejected) == count
    assert len(labels(data)) > 600
    flags = run("data_preparation", "validate", str(data), "--config", RECIPE).split()
    said = run(
        "launcher.submit", "--instance", "process", "--dataset", str(data), "--config", RECIPE,
        "--output", str(tmp_path / "output"), "--run", "words", "--epochs", "1", "--batch-size", "32",
        "--eval-steps", "100", "-o", "Global.print_batch_step=1", "--json", *flags,
    )  # fmt: skip
    assert json.loads(said)["status"] == "finished"
    log = (tmp_path / "output/words/job.log").read_text(encoding="utf-8").splitlines()
    losses = [event["loss"] for event in map(parse_event, log) if event and event["event"] == "train"]
    assert len(losses) >= 10
    assert mean(losses[-3:]) < mean(losses[:3]) / 2


def convert(pages: Path, data: Path, *flags: str) -> tuple[Path, list[dict[str, str]]]:
    """The dataset and the rows of its rejected.csv."""
    run(
        "data_preparation", "convert", "--input-images", str(pages), "--output-dir", str(data), "--workers", "1", *flags
    )
    with (data / "rejected.csv").open(encoding="utf-8", newline="") as file:
        return data, list(csv.DictReader(file))


def labels(data: Path) -> dict[str, str]:
    return {
        sample.image: sample.label
        for split in ("train", "val")
        for sample in read_labels(data / f"{split}.txt").samples
    }


def together(pages: Path) -> str:
    return "".join(path.read_text(encoding="utf-8") for path in sorted(pages.glob("*.xml")))


def assert_decode(data: Path, crops: dict[str, str]) -> None:
    """Every crop is wider than high, unless its text is hardly more than a letter: nothing was turned by mistake."""
    for image, label in crops.items():
        height, width = cv2.imread(str(data / image)).shape[:2]
        assert width > height or len(label) < 3, image


def assert_fit(data: Path) -> None:
    """The overrides that validate prints are all that it wants."""
    flags = run("data_preparation", "validate", str(data), "--config", RECIPE, code=1).split()
    assert flags
    run("data_preparation", "validate", str(data), "--config", RECIPE, *flags)
