"""A run that was stopped and taken up again is the run that never stopped, bit by bit."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from data_preparation.packing import pack_dataset
from tests.container.jobs import Base, at_step, draw_dataset

RECIPE = {
    "config": "configs/rec/demo_digits.yml",
    "epochs": 4,
    "batch_size": 8,
    "eval_steps": 5,
    "Global__print_batch_step": 1,
}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_dataset(tmp_path_factory.mktemp("data") / "digits", train=30, val=6)


@pytest.fixture(scope="module")
def straight(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Base:
    """The uninterrupted run: 16 steps."""
    base = Base(tmp_path_factory.mktemp("straight"), dataset, **RECIPE, workers=0)
    finished = base.run()
    assert finished.code == 0, finished.errors
    assert [event["step"] for event in finished.of("train")] == list(range(1, 17))
    return base


@pytest.mark.parametrize("workers", [0, 2])
def test_three_stops_change_nothing(straight: Base, dataset: Path, tmp_path: Path, workers: int):
    base = Base(tmp_path / "stopped", dataset, **RECIPE, workers=workers)
    steps: list[int] = []
    for stop_at in (3, 7, 12):
        finished = base.run(stop_when=at_step(stop_at))
        assert finished.code == 75, finished.errors
        steps += [event["step"] for event in finished.of("train")]
        assert finished.of("checkpoint")[-1]["step"] == steps[-1], "the step that was under way is kept"
    finished = base.run()
    assert finished.code == 0, finished.errors
    assert finished.of("resume")[0]["step"] == steps[-1]
    steps += [event["step"] for event in finished.of("train")]

    assert steps == list(range(1, 17)), "every step once, in order"
    assert weights(base) == weights(straight)
    assert base.report()["best"] == straight.report()["best"]
    assert len(base.report()["resumes"]) == 3
    assert scores(base) == scores(straight)
    assert (base.folder / "model/predictions.csv").read_text() == (
        straight.folder / "model/predictions.csv"
    ).read_text()


def test_a_finished_run_goes_straight_to_export(straight: Base):
    before = weights(straight)
    finished = straight.run()
    assert finished.code == 0, finished.errors
    assert finished.of("train") == []
    assert finished.of("resume")[0]["step"] == 16
    assert weights(straight) == before
    assert straight.report()["status"] == "finished"


def test_checkpoints_are_where_the_platform_says(dataset: Path, tmp_path: Path):
    base, saved = Base(tmp_path / "elsewhere", dataset, **RECIPE, workers=0), tmp_path / "saved"
    saved.mkdir()
    stopped = base.run(stop_when=at_step(3), env={"OCR_CHECKPOINTS": str(saved)})
    assert stopped.code == 75, stopped.errors
    step = stopped.of("checkpoint")[-1]["step"]
    assert (saved / f"step-{step:09d}/MANIFEST.json").is_file()
    assert not (base.folder / "checkpoints").exists()
    finished = base.run(env={"OCR_CHECKPOINTS": str(saved)})
    assert finished.code == 0, finished.errors
    assert finished.of("resume")[0]["step"] == step


def test_the_newest_damaged_checkpoint_is_not_used(straight: Base, dataset: Path, tmp_path: Path):
    base = Base(tmp_path / "damaged", dataset, **RECIPE, workers=0, save_minutes=0)
    assert base.run(stop_when=at_step(6)).code == 75
    older, newest = base.checkpoints()[-2:]
    data = bytearray((newest / "model.pdparams").read_bytes())
    data[len(data) // 2] ^= 1
    (newest / "model.pdparams").write_bytes(data)
    finished = base.run()
    assert finished.code == 0, finished.errors
    assert f"checkpoint {newest.name} is damaged (model.pdparams has another sha256): not used" in finished.errors
    assert finished.of("resume")[0]["step"] == int(older.name.removeprefix("step-"))
    assert weights(base) == weights(straight)


def test_checkpoint_of_another_dictionary_or_architecture_is_refused(straight: Base, dataset: Path, tmp_path: Path):
    other = shutil.copytree(dataset, tmp_path / "other")
    (other / "dict.txt").write_text("".join(f"{character}\n" for character in "0123456789ABC"))
    base = Base(tmp_path / "base", other, **RECIPE)
    (base.folder / "checkpoints").symlink_to(straight.folder / "checkpoints")
    assert base.run().code == 1
    assert "trained with another dictionary (10 characters, dict.txt has 13)" in base.failure

    base = Base(tmp_path / "base2", dataset, **RECIPE, Architecture__Neck__hidden_size=24)
    (base.folder / "checkpoints").symlink_to(straight.folder / "checkpoints")
    assert base.run().code == 1
    assert "trained with another architecture than" in base.failure


def test_a_run_goes_on_with_the_packed_dataset(straight: Base, dataset: Path, tmp_path: Path):
    (tmp_path / "packed").mkdir()
    pack_dataset(dataset, tmp_path / "packed", shard_bytes=10_000)
    assert not (tmp_path / "packed/images").exists()
    base = Base(tmp_path / "base", dataset, **RECIPE, workers=2)
    stopped = base.run(stop_when=at_step(5))
    assert stopped.code == 75, stopped.errors
    (base.folder / "input/data/training").unlink()
    (base.folder / "input/data/training").symlink_to(tmp_path / "packed")
    finished = base.run()
    assert finished.code == 0, finished.errors
    assert finished.of("resume"), "it is the dataset that the checkpoint knows"
    assert weights(base) == weights(straight)
    assert base.report()["dataset"] == straight.report()["dataset"]
    assert base.report()["unusable"] == straight.report()["unusable"]
    for name in ("predictions.csv", "dict.txt"):
        assert (base.folder / "model" / name).read_bytes() == (straight.folder / "model" / name).read_bytes()


def weights(base: Base) -> tuple[str, str]:
    """Hashes of the newest weights and of the best ones, read as arrays (pickles may order alike contents unlike)."""
    from container.trainer.weights import read_weights

    def hash_of(path: Path) -> str:
        digest = hashlib.sha256()
        for name, array in sorted(read_weights(path).items()):
            digest.update(name.encode() + array.tobytes())
        return digest.hexdigest()

    return hash_of(base.checkpoints()[-1] / "model.pdparams"), hash_of(base.folder / "model/best_accuracy.pdparams")


def scores(base: Base) -> list[str]:
    lines = (base.folder / "model/metrics.jsonl").read_text().splitlines()
    return [line for line in lines if '"eval"' in line]


def test_more_epochs_on_a_finished_run_train_on_with_the_schedule_of_today(dataset: Path, tmp_path: Path):
    """Paddle's cosine is computed from the last rate: restored as it was, it would stay at zero for ever."""
    cosine = {"Optimizer__lr": "{name: Cosine, learning_rate: 0.002, warmup_epoch: 0}"}
    base = Base(tmp_path / "base", dataset, **RECIPE | {"epochs": 1}, **cosine)
    assert base.run().code == 0
    base.set(**RECIPE | {"epochs": 2, "batch_size": 4}, **cosine)
    finished = base.run()
    assert finished.code == 0, finished.errors
    assert "now 2 epochs at batch 4: the learning rate follows" in finished.errors
    rates = [event["lr"] for event in finished.of("train")]
    expected = [0.001 * (1 + math.cos(math.pi * step / 16)) for step in range(8, 16)]
    assert rates == pytest.approx(expected, rel=1e-4)


def test_another_validation_set_is_scored_anew(dataset: Path, tmp_path: Path):
    mine = shutil.copytree(dataset, tmp_path / "mine")
    base = Base(tmp_path / "base", mine, **RECIPE | {"epochs": 1})
    assert base.run().code == 0
    lines = (mine / "val.txt").read_text().splitlines(keepends=True)
    (mine / "val.txt").write_text("".join(lines[:3]))
    finished = base.run()
    assert finished.code == 0, finished.errors
    assert "the validation set or its input changed: earlier scores do not count" in finished.errors
    assert len(finished.of("eval")) == 1
    assert base.report()["dataset"]["val"] == 3


def test_a_checkpoint_of_another_run_is_refused(straight: Base, dataset: Path, tmp_path: Path):
    base = Base(tmp_path / "base", dataset, **RECIPE, run_id="another")
    (base.folder / "checkpoints").symlink_to(straight.folder / "checkpoints")
    assert base.run().code == 1
    assert "a checkpoint of run 'run', not of 'another'" in base.failure


def test_weights_that_are_not_numbers_are_never_saved(dataset: Path, tmp_path: Path):
    wild = RECIPE | {"learning_rate": 1e30, "save_minutes": 0, "eval_steps": 1000}
    base = Base(tmp_path / "base", dataset, **wild)
    assert base.run().code == 2
    assert "the loss is not a number at step" in base.failure
    assert all(np.isfinite(array).all() for path in base.checkpoints() for array in arrays(path))


def arrays(checkpoint: Path) -> list[np.ndarray]:
    from container.trainer.weights import read_weights

    return list(read_weights(checkpoint / "model.pdparams").values())


def test_another_evaluation_input_is_scored_anew_and_kept(dataset: Path, tmp_path: Path):
    base = Base(tmp_path / "base", dataset, **RECIPE | {"epochs": 1})
    assert base.run().code == 0
    first = base.report()["best"]
    narrow = {"Eval__dataset__transforms__2__RecResizeImg__image_shape": "[3,32,64]"}
    base.set(**RECIPE | {"epochs": 1}, **narrow)
    finished = base.run()
    assert finished.code == 0, finished.errors
    assert len(finished.of("eval")) == 1
    (scored,) = finished.of("eval")
    assert base.report()["best"] == {**first, **{name: pytest.approx(scored[name]) for name in ("acc", "cer")}} | {
        "norm_edit_dis": pytest.approx(scored["norm_edit_dis"])
    }
    finished = base.run()
    assert finished.of("eval") == [], "the new score was saved with the step"
    assert finished.of("checkpoint") == [], "nothing changed, so nothing is published again"


def test_the_curve_has_every_step_though_a_stop_comes_between_two_lines(dataset: Path, tmp_path: Path):
    slow = RECIPE | {"Global__print_batch_step": 6, "epochs": 2}
    base = Base(tmp_path / "base", dataset, **slow)
    stopped = base.run(stop_when=lambda event: event["event"] == "phase")  # the evaluation of step 5
    assert stopped.code == 75
    assert base.run().code == 0
    lines = [json.loads(line) for line in (base.folder / "model/metrics.jsonl").read_text().splitlines()]
    steps = [line["step"] for line in lines if line["event"] == "train"]
    assert steps == sorted({1, 5, 6, 8, stopped.of("interrupted")[0]["step"]}), "lines of saves and evaluations too"
