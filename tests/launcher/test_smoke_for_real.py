"""`make smoke` as it is: real training, one interruption, resume at the exact step, export, a model that reads.

And what becomes of that model afterwards: `predict`, and the `paddleocr` package where an environment with it is named.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.paddleocr_package import PYTHON_VARIABLE, compare

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
ROOT = Path(__file__).resolve().parents[2]
PACKAGE_PYTHON = os.environ.get(PYTHON_VARIABLE, "")
needs_package = pytest.mark.skipif(
    not PACKAGE_PYTHON, reason=f"needs the paddleocr package in an environment of its own (1.4 GB): {PYTHON_VARIABLE}"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("smoke") / "smoke"


@pytest.fixture(scope="module")
def smoke(folder: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "launcher.smoke", "--output", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def model(smoke: subprocess.CompletedProcess, folder: Path) -> Path:
    assert smoke.returncode == 0, smoke.stderr[-3000:]
    (model,) = folder.glob("runs/*/model")
    return model


def test_the_smoke_run_reads_held_out_digits_after_an_interruption(
    smoke: subprocess.CompletedProcess, folder: Path
) -> None:
    assert smoke.returncode == 0, smoke.stderr[-3000:]
    accuracy = re.search(r"^accuracy +([\d.]+) on 200 held-out crops", smoke.stdout, re.MULTILINE)
    assert accuracy
    assert float(accuracy[1]) >= 0.90
    stopped = re.search(r"stopped with a checkpoint at step (\d+)", smoke.stdout)
    resumed = re.search(r"^resumed +from step (\d+)", smoke.stdout, re.MULTILINE)
    assert stopped
    assert resumed
    assert stopped[1] == resumed[1]
    assert len(re.findall(r"^images/\S+ +\d+ +\d*", smoke.stdout, re.MULTILINE)) == 10
    assert (folder / "runs").is_dir()


def test_the_run_has_its_page(model: Path, folder: Path) -> None:
    command = [sys.executable, "-m", "launcher", "report", str(model.parent)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    page = Path(done.stdout.strip())
    text = page.read_text(encoding="utf-8")
    assert page == model.parent / "report.html"
    with (model / "predictions.csv").open(newline="", encoding="utf-8") as file:
        wrong = [row for row in csv.DictReader(file) if row["correct"] == "0"]
    assert "Finished: the model reads" in text
    assert text.count("<title>taken up again at step") == 2, "in both charts"
    assert text.count("<img") == min(50, len(wrong)), "it finds the dataset that it was trained on"
    assert str(folder / "demo_digits") in text


def test_predict_reads_what_the_validation_read(model: Path, folder: Path) -> None:
    with (model / "predictions.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    images = [str(folder / "demo_digits" / row["image"]) for row in rows]
    command = [sys.executable, "-m", "container", "predict", str(model), *images]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    read = [line.split("\t") for line in done.stdout.splitlines()]
    assert len(read) == 200
    assert read == [[image, row["prediction"], row["confidence"]] for image, row in zip(images, rows, strict=True)]


@needs_package
def test_the_paddleocr_package_reads_the_same_inside_the_recipes_ratio(model: Path, folder: Path) -> None:
    inside, wider = compare(model, folder / "demo_digits", PACKAGE_PYTHON)
    assert inside.crops + wider.crops == 200
    assert inside.crops
    assert inside.differing == 0
    assert inside.confidence_gap < 0.001


@needs_package
def test_the_python_in_the_documents_runs_as_it_stands(model: Path, folder: Path, tmp_path: Path) -> None:
    page = (ROOT / "docs/using-the-model.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "output/first").mkdir(parents=True)
    (tmp_path / "output/first/model").symlink_to(model)
    (tmp_path / "crops").mkdir()
    with (model / "predictions.csv").open(newline="", encoding="utf-8") as file:
        row = next(csv.DictReader(file))
    for name in ("1.png", "2.png"):
        shutil.copy(folder / "demo_digits" / row["image"], tmp_path / "crops" / name)
    command = [PACKAGE_PYTHON, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert [line.split()[0] for line in done.stdout.splitlines()[-2:]] == [row["prediction"]] * 2
