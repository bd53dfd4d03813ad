"""What a job says of its dataset before it trains."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from container.inputs import open_dataset
from contract.hyperparameters import Hyperparameters
from contract.parameters import apply_parameters
from contract.recipe import find_recipe, load_recipe
from tests.data_preparation.folders import dataset

RECIPE = "rec/demo_digits.yml"


def test_what_trains_and_is_odd_is_said_once_for_each_kind(tmp_path: Path) -> None:
    folder = dataset(tmp_path / "data", {"1.png": "12", "2.png": "34"}, {"v.png": "12", "w.png": "43"})
    for copy, original in {"v.png": "1.png", "w.png": "2.png"}.items():
        (folder / "images" / copy).write_bytes((folder / "images" / original).read_bytes())
    recipe = apply_parameters(load_recipe(find_recipe(RECIPE)), Hyperparameters(RECIPE), RECIPE)
    job: Any = SimpleNamespace(training=folder, validation=None)
    said: list[str] = []
    report, _ = open_dataset(job, recipe, said.append)
    assert report.problems == []
    leaks, contradictions = (line for line in said if line.startswith("warning: "))
    assert leaks.startswith(
        "warning: leak: 2, the first at val.txt:1: the image 'images/v.png' is the one of train.txt:1"
    )
    assert contradictions.startswith("warning: contradiction: 1, the first at val.txt:2: ")
