"""From recipe, data and machine to what trains: the table of decisions, and what a checkpoint changes about it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from container.checkpoints import Checkpoint
from container.hosts import Place
from container.inputs import open_dataset, open_recipe
from container.job import read_job
from container.resolve import ResolvedRecipe, resolve_recipe
from contract.machine import GIB, Gpu, Machine
from contract.paths import JobPaths
from tests.container.jobs import ROOT, draw_dataset

T4 = Machine(4, 16 * GIB, (Gpu("Tesla T4", 15360 << 20, (7, 5)),))


class Asked:
    """One job on a made-up machine, resolved as the supervisor does it."""

    def __init__(self, folder: Path, train: int, **parameters: str):
        (folder / "input/config").mkdir(parents=True)
        dataset = draw_dataset(folder / "input/data/training", train=train, val=4)
        recipe = yaml.safe_load((ROOT / "configs/rec/demo_digits.yml").read_text())
        recipe["Train"]["loader"]["batch_size_per_card"] = 64
        recipe["Global"]["max_text_length"] = 3
        (dataset / "mine.yml").write_text(yaml.safe_dump(recipe))
        given = {"config": "mine.yml"} | parameters
        (folder / "input/config/hyperparameters.json").write_text(json.dumps(given))
        self.job = read_job(JobPaths(folder))
        self.said: list[str] = []

    def resolved(self, state: dict[str, Any] | None = None, counts: tuple[int, ...] = (1,)) -> ResolvedRecipe:
        dataset, recipe = open_dataset(self.job, open_recipe(self.job), self.said.append)
        resume = Checkpoint(Path("step-000000003"), state) if state else None
        place = Place(0, counts, "127.0.0.1", "127.0.0.1:7000")
        return resolve_recipe(self.job, recipe, dataset, T4, resume, place, self.said.append)


def batch_of(resolved: ResolvedRecipe) -> int:
    return resolved.config["Train"]["loader"]["batch_size_per_card"]


def state_of(resolved: ResolvedRecipe, asked: Asked) -> dict[str, Any]:
    """What a checkpoint of this run says."""
    dataset, _ = open_dataset(asked.job, open_recipe(asked.job), print)
    return {
        "run": "run",
        "fitted_batch": resolved.fitted_batch,
        "dictionary_sha256": dataset.dictionary.sha256,
        "recipe_sha256": resolved.recipe_sha256,
    }


def test_every_decision_is_a_row_with_its_reason(tmp_path: Path):
    asked = Asked(tmp_path, train=20)
    resolved = asked.resolved()
    rows = {change.key: change.reason for change in resolved.changes}
    assert rows["Global.max_text_length"] == "the longest label has 6 code points"
    assert rows["Global.use_amp"] == "Tesla T4, compute capability 7.5"
    assert rows["Train.loader.batch_size_per_card"].startswith("20 samples: ")
    table = "\n".join(asked.said)
    assert all(key in table and reason in table for key, reason in rows.items())
    text = resolved.text()
    assert "#   Train.loader.batch_size_per_card: 64 -> 16 (20 samples: " in text
    assert "#   Train.loader.num_workers: 0 -> 3 (3 cores beside the trainer's)" in text
    assert yaml.safe_load(text) == resolved.config


def test_what_was_asked_for_is_a_row_too(tmp_path: Path):
    parameters = {"batch_size": "8", "workers": "2", "amp": "off", "eval_steps": "7", "max_text_length": "9"}
    resolved = Asked(tmp_path, train=20, **parameters).resolved()
    reasons = [change.reason for change in resolved.changes]
    assert all(f"hyperparameter {name}" in reasons for name in parameters)
    assert resolved.fitted_batch is None


@pytest.mark.parametrize(("asked", "seed"), [({}, 1024), ({"seed": "7"}, 7), ({"seed": "0"}, 0)])
def test_a_seed_is_the_one_that_was_asked_for(tmp_path: Path, asked: dict[str, str], seed: int):
    assert Asked(tmp_path, train=20, **asked).resolved().config["Global"]["seed"] == seed


def test_a_resumed_run_keeps_its_batch_although_there_is_more_data(tmp_path: Path):
    few, more = Asked(tmp_path / "few", train=20), Asked(tmp_path / "more", train=700)
    began = few.resolved()
    state = state_of(began, few)
    assert (batch_of(began), batch_of(more.resolved())) == (16, 32)
    assert batch_of(more.resolved(state)) == 16
    assert any("as the run began" in line for line in more.said)
    asked = Asked(tmp_path / "asked", train=700, batch_size="48")
    assert batch_of(asked.resolved(state)) == 48
    smaller = state | {"fitted_batch": 8}
    assert batch_of(more.resolved(smaller)) == 8
    assert batch_of(more.resolved(smaller, counts=(1, 1))) == 16, "several hosts decide anew"


@pytest.mark.parametrize("counts", [(2,), (1, 1)])
def test_processes_share_steps_and_cores(tmp_path: Path, counts: tuple[int, ...]):
    resolved = Asked(tmp_path, train=700).resolved(counts=counts)
    assert batch_of(resolved) == 16
    assert resolved.config["Train"]["loader"]["num_workers"] == (1 if counts == (2,) else 3)
    assert resolved.config["Global"]["eval_batch_step"] == [0, 22]
