"""Scanned lines from raw folder to exported model, with the overrides that validate itself recommends."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from contract.events import parse_event
from tests.real.uw3 import SPLITS, uw3_lines

RECIPE = "rec/demo_digits.yml"  # the smallest network; its input is widened by the overrides


@pytest.mark.slow
def test_sixty_steps_on_scanned_lines(tmp_path: Path) -> None:
    data = tmp_path / "lines"
    run("data_preparation", "convert", "--input-images", str(uw3_lines()), "--output-dir", str(data))
    flags = run("data_preparation", "validate", str(data), "--config", RECIPE, code=1).split()
    assert flags.count("-o") == 3
    said = run(
        "launcher.submit", "--instance", "process", "--dataset", str(data), "--config", RECIPE,
        "--output", str(tmp_path / "output"), "--run", "lines", "--epochs", "9", "--batch-size", "8",
        "--eval-steps", "60", "-o", "Global.print_batch_step=1", "--json", *flags,
    )  # fmt: skip
    result = json.loads(said)
    assert result["status"] == "finished"
    assert result["steps"] >= 60

    log = (tmp_path / "output/lines/job.log").read_text(encoding="utf-8").splitlines()
    losses = [event["loss"] for event in map(parse_event, log) if event and event["event"] == "train"]
    assert len(losses) == result["steps"]
    assert mean(losses[-5:]) < mean(losses[:5]) / 2

    with (tmp_path / "output/lines/model/predictions.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    labels = [line.split("\t") for line in (data / "val.txt").read_text(encoding="utf-8").splitlines()]
    assert len(rows) == SPLITS["test"]
    assert [[row["image"], row["label"]] for row in rows] == labels


def run(module: str, *arguments: str, code: int = 0) -> str:
    """Run a command of ours as a user would; returns its stdout."""
    done = subprocess.run([sys.executable, "-m", module, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr[-3000:]
    return done.stdout


def mean(values: list[float]) -> float:
    return sum(values) / len(values)
