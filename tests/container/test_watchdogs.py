"""A run without hope ends early, with a reason and a checkpoint; one that is only slow goes on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from container.checkpoints import damage
from container.trainer.zero_accuracy import Circumstances, likely_causes, steps_until_hopeless
from tests.container.jobs import Base, draw_dataset

RECIPE = {"config": "configs/rec/demo_digits.yml", "workers": 0, "Global__print_batch_step": 1}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_dataset(tmp_path_factory.mktemp("data") / "digits", train=16, val=4)


def test_nothing_read_for_long_ends_the_run_with_a_checkpoint(dataset: Path, tmp_path: Path):
    parameters = RECIPE | {"epochs": 20, "batch_size": 8, "learning_rate": "1e-9", "zero_accuracy_steps": 5}
    base = Base(tmp_path / "ml", dataset, **parameters)
    finished = base.run()
    assert finished.code == 2, finished.errors
    assert "Traceback" not in finished.errors
    evaluated = [event["step"] for event in finished.of("eval")]
    assert evaluated[-1] == 6, "the first evaluation from step 5 on"
    assert "note: 40 steps are few: letters are found within some hundred to 2,000 of them" in finished.errors
    reason = base.failure
    assert re.match(
        r"nothing is read right after 6 steps \(CER \S+ at best\): likely the loss does not fall \(", reason
    )
    assert "at learning_rate 1e-09" in reason
    assert "16 samples are few to learn letters from" in reason
    assert "start again with --fresh" in reason
    (saved,) = [path for path in base.checkpoints() if path.name == "step-000000006"]
    assert damage(saved) is None
    assert not (base.folder / "model/run.json").exists()

    base.set(**parameters | {"zero_accuracy_steps": 0, "epochs": 4})
    finished = base.run()
    assert finished.code == 0, finished.errors
    assert finished.of("resume")[0]["step"] == 6
    assert "note: 8 steps" not in finished.errors
    assert "note: no validation crop is read right: likely the loss does not fall (" in finished.errors


def test_a_loss_that_is_no_number_ends_the_run(dataset: Path, tmp_path: Path):
    """And what it spoilt is never saved."""
    base = Base(tmp_path / "ml", dataset, **RECIPE, epochs=20, batch_size=8, learning_rate="1e30", save_minutes=0)
    finished = base.run()
    assert finished.code == 2, finished.errors
    assert base.failure.startswith("the loss is not a number at step ")
    assert "lower learning_rate" in base.failure
    assert all(damage(path) is None for path in base.checkpoints())
    assert finished.of("train")[-1]["step"] < 40


@pytest.mark.parametrize(
    ("asked", "total", "warmup", "steps"),
    [
        (None, 600, 0, 2000),  # shorter than that: it ends by itself
        (None, 39_000, 3_900, 7_800),
        (None, 20_000, 3_000, 5_000),  # nothing is expected of the warm-up
        (0, 39_000, 0, None),
        (300, 39_000, 3_900, 300),
    ],
)
def test_when_reading_nothing_is_hopeless(asked: int | None, total: int, warmup: int, steps: int | None):
    assert steps_until_hopeless(asked, total, warmup) == steps


SOUND = {
    "steps": 2000,
    "losses": [40.0, 12.0],
    "learning_rate": 0.001,
    "dictionary": 60,
    "characters": 55,
    "needed_steps": [5] * 5000,
    "time_steps": 40,
    "pretrained": False,
}


@pytest.mark.parametrize(
    ("changed", "cause"),
    [
        ({}, "labels that are not what the images show"),
        ({"steps": 360}, "360 steps are few: letters are found within some hundred to 2,000 of them (more epochs"),
        ({"needed_steps": [36] * 5000}, "100% of the labels need more than 80% of the 40 time steps"),
        ({"losses": [40.0]}, "labels that are not"),
        ({"losses": [40.0, 41.0]}, "the loss does not fall (40 at first, 41 now) at learning_rate 0.001"),
        ({"dictionary": 18_383}, "dict.txt has 18,383 characters and the training labels use 55"),
        ({"needed_steps": [5] * 300}, "300 samples are few to learn letters from"),
    ],
)
def test_likely_causes(changed: dict, cause: str):
    (found,) = likely_causes(Circumstances(**(SOUND | changed)))
    assert found.startswith(cause)


def test_weights_that_know_letters_need_few_samples():
    assert "few to learn" not in likely_causes(Circumstances(**(SOUND | {"needed_steps": [5], "pretrained": True})))[0]
