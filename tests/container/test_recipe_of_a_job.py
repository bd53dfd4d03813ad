"""Hyperparameters and overrides in the recipe, and what has to follow them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from container.inputs import open_recipe
from container.job import read_job
from contract.errors import UserError
from contract.parameters import OpenRecipe, value_at
from contract.paths import JobPaths

TRAIN_SHAPE = "Train.dataset.transforms.2.RecResizeImg.image_shape"
EVAL_SHAPE = "Eval.dataset.transforms.2.RecResizeImg.image_shape"


def opened(folder: Path, **strings: str) -> OpenRecipe:
    (folder / "input/config").mkdir(parents=True)
    (folder / "input/data/training").mkdir(parents=True)
    (folder / "input/data/training/dict.txt").touch()  # an empty channel is refused
    parameters = {"config": "rec/demo_digits.yml"} | strings
    (folder / "input/config/hyperparameters.json").write_text(json.dumps(parameters))
    return open_recipe(read_job(JobPaths(folder)))


def test_learning_rate_scales_the_steps_of_piecewise(tmp_path: Path):
    recipe = opened(tmp_path, learning_rate="0.03")
    assert value_at(recipe.config, "Optimizer.lr.values") == pytest.approx([0.03, 0.006, 0.001])


def test_a_learning_rate_of_0_is_one(tmp_path: Path):
    recipe = opened(tmp_path, learning_rate="0")
    assert value_at(recipe.config, "Optimizer.lr.values") == [0, 0, 0]


def test_another_schedule_starts_from_the_highest_step(tmp_path: Path):
    recipe = opened(tmp_path, **{"Optimizer.lr.name": "Cosine"})
    assert recipe.config["Optimizer"]["lr"] == {"name": "Cosine", "learning_rate": 0.003, "warmup_epoch": 0}


def test_learning_rate_wins_over_the_override_of_the_schedule(tmp_path: Path):
    recipe = opened(tmp_path, learning_rate="1e-4", **{"Optimizer.lr": "{name: Cosine, learning_rate: 0.5}"})
    assert recipe.config["Optimizer"]["lr"] == {"name": "Cosine", "learning_rate": 1e-4}


@pytest.mark.parametrize(
    ("strings", "key"),
    [
        ({"Optimizer.lr.values": "[]"}, "Optimizer.lr.values"),
        ({"Optimizer.lr.values": "[0, 0, 0]", "learning_rate": "0.1"}, "Optimizer.lr.values are all 0"),
        ({"Optimizer.lr": "{name: Piecewise, decay_epochs: [1]}"}, "Optimizer.lr.values"),
        ({"Optimizer.lr": "{name: Const, values: [a, 1]}"}, "Optimizer.lr.values"),
        ({"Optimizer.lr": "{name: Cosine}"}, "Optimizer.lr.learning_rate is missing"),
        ({"Optimizer.lr": "{name: Cosine, learning_rate: -1}"}, "Optimizer.lr.learning_rate"),
        ({"Optimizer.lr.warmup_epoch": "-1"}, "Optimizer.lr.warmup_epoch"),
    ],
)
def test_a_learning_rate_that_is_none_is_refused(tmp_path: Path, strings: dict[str, str], key: str):
    with pytest.raises(UserError, match=f"demo_digits.yml: {key}"):
        opened(tmp_path, **strings)


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ("scale: [1]", "scale"),
        ("scale: 0", "scale"),
        ("embed_dim: 3", "embed_dim"),
        ("embed_dim: []", "embed_dim"),
        ("training_time_steps: x", "training_time_steps"),
        ("out_char_num: [1]", "out_char_num"),
    ],
)
def test_a_size_of_the_network_that_is_none_is_refused(tmp_path: Path, settings: str, key: str):
    with pytest.raises(UserError, match=f"demo_digits.yml: Architecture.Backbone.{key} must"):
        opened(tmp_path, **{"Architecture.Backbone": f"{{name: SVTRNet, {settings}}}"})


def test_evaluation_follows_the_training_input(tmp_path: Path):
    recipe = opened(tmp_path, **{TRAIN_SHAPE: "[3,32,320]"})
    assert value_at(recipe.config, EVAL_SHAPE) == [3, 32, 320]
    assert [change.reason for change in recipe.changes] == ["override", "follows the training input"]


def test_evaluation_keeps_what_was_asked_for(tmp_path: Path):
    recipe = opened(tmp_path, **{TRAIN_SHAPE: "[3,32,320]", EVAL_SHAPE: "[3,32,640]"})
    assert value_at(recipe.config, EVAL_SHAPE) == [3, 32, 640]


def test_every_change_is_a_row_with_its_reason(tmp_path: Path):
    recipe = opened(tmp_path, epochs="3", batch_size="8")
    assert [(change.key, change.before, change.after, change.reason) for change in recipe.changes] == [
        ("Global.epoch_num", 8, 3, "hyperparameter epochs"),
        ("Train.loader.batch_size_per_card", 16, 8, "hyperparameter batch_size"),
    ]
