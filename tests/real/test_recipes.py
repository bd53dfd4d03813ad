"""Every recipe we ship, as a job: twenty steps on real word crops, interrupted, resumed, exported, read with again.

Three of them always; the others, which cost minutes, by

    python -m pytest -m every_recipe tests/real/test_recipes.py
"""

from __future__ import annotations

import csv
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.paddleocr_package import PYTHON_VARIABLE, compare
from contract.paths import EXIT_INTERRUPTED
from data_preparation.scripts import create_demo_data
from tests.container.jobs import ROOT, Base, at_step
from tests.real.words import word_dataset

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

PACKAGE_PYTHON = os.environ.get(PYTHON_VARIABLE, "")
VOWEL, TONE = "([\u0e31\u0e34-\u0e39\u0e47])", "([\u0e48-\u0e4b])"  # marks above and below a consonant
STACKED, SWAPPED = VOWEL + TONE, TONE + VOWEL
THAI = "rec/PP-OCRv5/th_PP-OCRv5_mobile_rec.yml"
ALWAYS = ("rec/rec_mv3_none_bilstm_ctc.yml", "rec/rec_svtrnet.yml", "rec/PP-OCRv4/en_PP-OCRv4_rec.yml")
OTHERS = (
    "rec/rec_svtr_base.yml",
    "rec/PP-OCRv5/en_PP-OCRv5_mobile_rec.yml",
    "rec/PP-OCRv5/latin_PP-OCRv5_mobile_rec.yml",
)


@pytest.mark.parametrize("recipe", [*ALWAYS, *(pytest.param(name, marks=pytest.mark.every_recipe) for name in OTHERS)])
def test_twenty_steps_interrupted_resumed_and_exported(recipe: str, tmp_path: Path):
    data = word_dataset(tmp_path / "words", train=10, val=6)
    twenty_steps(Base(tmp_path / "ml", data), recipe)


@pytest.mark.every_recipe
def test_thai_with_marks_in_any_order_loses_nothing(tmp_path: Path):
    """Stacked marks, SARA AM, and in every second label the marks swapped, as another keyboard types them."""
    data = tmp_path / "thai"
    drawn = ["--output-dir", str(data), "--count", "16", "--val-count", "6", "--kinds", "thai"]
    assert create_demo_data.main(drawn) == 0
    labels = {"train": swap_marks(data / "train.txt"), "val": swap_marks(data / "val.txt")}
    everything = "".join(labels["train"])
    assert re.search(STACKED, everything)
    assert re.search(SWAPPED, everything)
    assert "\u0e33" in everything

    base = Base(tmp_path / "ml", data)
    twenty_steps(base, THAI)
    report = base.report()
    for split, texts in labels.items():
        samples, code_points = len(texts), sum(map(len, texts))
        assert report["labels"][split] == {
            "samples": samples,
            "code_points": code_points,
            "encoded_samples": samples,
            "encoded_code_points": code_points,
        }
        assert report["unusable"][split]["samples"] == 0
    with (base.folder / "model/predictions.csv").open(newline="", encoding="utf-8") as file:
        assert [row["label"] for row in csv.DictReader(file)] == labels["val"]


def twenty_steps(base: Base, recipe: str) -> None:
    """Train a recipe for some twenty steps with a stop in between, and look at all that it left."""
    base.set(
        config=recipe,
        run_id="r",
        epochs=3 if "PP-OCR" in recipe else 4,  # its larger scales take more batches
        batch_size=2,
        eval_steps=1000,  # only at the end
        workers=0,
        **{"Global.print_batch_step": 1, "Eval.loader.batch_size_per_card": 6},
    )
    stopped = base.run(stop_when=at_step(8))
    assert stopped.code == EXIT_INTERRUPTED, stopped.errors[-3000:]
    saved = base.checkpoints()[-1]
    resumed = base.run()
    assert resumed.code == 0, resumed.errors[-3000:]

    (resume,) = resumed.of("resume")
    assert resume["step"] == int(saved.name.removeprefix("step-")) >= 8
    steps = [*stopped.of("train"), *resumed.of("train")]
    assert [event["step"] for event in steps] == list(range(1, len(steps) + 1))
    assert len(steps) >= 20
    assert all(math.isfinite(event["loss"]) for event in steps)
    first, last = ([event["loss"] for event in steps if event["epoch"] == epoch] for epoch in (1, steps[-1]["epoch"]))
    assert sum(last) < sum(first)
    report = base.report()
    assert (report["status"], report["steps"]) == ("finished", len(steps))
    assert report["export"]["read_differently"] == 0
    assert report["export"]["crops"] == 6
    read_again(base.folder / "model", base.folder / "input/data/training", report["export"]["paddleocr_model_name"])


def read_again(model: Path, dataset: Path, package_name: str | None) -> None:
    """`predict` reads what the validation read, and so does the paddleocr package where it can and is at hand."""
    with (model / "predictions.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    images = [str(dataset / row["image"]) for row in rows]
    command = [sys.executable, "-m", "container", "predict", str(model), *images]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    expected = [[image, row["prediction"], row["confidence"]] for image, row in zip(images, rows, strict=True)]
    assert [line.split("\t") for line in done.stdout.splitlines()] == expected
    if package_name and PACKAGE_PYTHON:
        inside, _ = compare(model, dataset, PACKAGE_PYTHON)
        assert (inside.differing, inside.confidence_gap < 0.001) == (0, True)


def swap_marks(path: Path) -> list[str]:
    """Swap vowel and tone marks in every second line of a label file. Returns its labels."""
    lines = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    labels = [re.sub(STACKED, r"\2\1", label) if at % 2 else label for at, (_, label) in enumerate(lines)]
    text = "".join(f"{image}\t{label}\n" for (image, _), label in zip(lines, labels, strict=True))
    path.write_text(text, encoding="utf-8")
    return labels
