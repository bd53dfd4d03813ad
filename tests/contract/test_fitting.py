"""What is chosen on which machine for which data: tables of the rules, each choice with its reason."""

from __future__ import annotations

from typing import Any

import pytest

from contract.errors import UserError
from contract.fitting import BATCH, EVALUATION, Figures, Fitted, Processes, fit_recipe
from contract.hyperparameters import Hyperparameters
from contract.machine import GIB, Gpu, Machine
from contract.memory import sample_bytes
from contract.parameters import apply_parameters, value_at
from contract.recipe import CONFIGS, load_recipe

CRNN = "rec/rec_mv3_none_bilstm_ctc.yml"
SVTR = "rec/rec_svtr_base.yml"
THAI = "rec/PP-OCRv5/th_PP-OCRv5_mobile_rec.yml"
DEMO = "rec/demo_digits.yml"

T4 = Gpu("Tesla T4", 15360 << 20, (7, 5))
V100 = Gpu("Tesla V100-SXM2-16GB", 16160 << 20, (7, 0))
A10G = Gpu("NVIDIA A10G", 23028 << 20, (8, 6))
P100 = Gpu("Tesla P100", 16280 << 20, (6, 0))

LAPTOP = Machine(cpus=2, memory=8 * GIB)
G4DN = Machine(cpus=4, memory=16 * GIB, gpus=(T4,))
G5 = Machine(cpus=4, memory=16 * GIB, gpus=(A10G,))
P3 = Machine(cpus=8, memory=61 * GIB, gpus=(V100,))


def fitted(recipe: str, machine: Machine, train: int = 50_000, val: int = 1000, began: int = 0, **raw: Any) -> Fitted:
    overrides = tuple((key.replace("__", "."), value) for key, value in raw.items() if "__" in key)
    named = {key: value for key, value in raw.items() if "__" not in key}
    parameters = Hyperparameters(recipe, overrides=overrides, **named)
    opened = apply_parameters(load_recipe(CONFIGS / recipe), parameters, recipe)
    data = Figures(train, val, classes=97)
    here = parameters.processes or 1
    return fit_recipe(opened.config, parameters, opened.asked, machine, data, Processes(here, here), began or None)


def chosen(result: Fitted, key: str) -> Any:
    return value_at(result.config, key)


def reason(result: Fitted, key: str) -> str:
    return next(change.reason for change in result.changes if change.key == key)


@pytest.mark.parametrize(
    ("recipe", "machine", "train", "batch", "why"),
    [
        (CRNN, G4DN, 50_000, 256, "the recipe's; Tesla T4 takes up to "),
        (CRNN, G4DN, 5_120, 256, "the recipe's"),
        (CRNN, G4DN, 1_000, 48, "1,000 samples: for 20 steps an epoch, but no fewer than 16"),
        (CRNN, G4DN, 100, 16, "100 samples: for 20 steps an epoch, but no fewer than 16"),
        (CRNN, LAPTOP, 50_000, 32, "on a CPU a larger batch gains nothing"),
        (CRNN, LAPTOP, 400, 16, "400 samples: "),
        (SVTR, G5, 50_000, 128, "the recipe's; NVIDIA A10G takes up to "),
        (DEMO, LAPTOP, 20, 16, "the recipe's"),
        (DEMO, LAPTOP, 1200, 16, "the recipe's"),
        (DEMO, G4DN, 50_000, 16, "the recipe's"),
    ],
)
def test_batch(recipe: str, machine: Machine, train: int, batch: int, why: str):
    result = fitted(recipe, machine, train)
    assert chosen(result, BATCH) == batch
    assert reason(result, BATCH).startswith(why)
    assert result.notes == ()


def test_a_card_that_is_too_small_gets_a_smaller_batch():
    small = Machine(4, 16 * GIB, (Gpu("GTX 1650", 4 * GIB, (7, 5)),))
    result = fitted(THAI, small)
    assert chosen(result, BATCH) == 16
    assert reason(result, BATCH) == "GTX 1650 with 4.0 GiB takes no more, by estimate"
    stated = load_recipe(CONFIGS / THAI)
    rate = stated["Optimizer"]["lr"]["learning_rate"] * (16 / value_at(stated, BATCH)) ** 0.5
    assert chosen(result, "Optimizer.lr.learning_rate") == pytest.approx(rate, rel=0.01)


def test_half_precision_leaves_room_for_more():
    by_default, off = fitted(SVTR, G4DN), fitted(SVTR, G4DN, amp="off")
    assert (chosen(by_default, BATCH), chosen(off, BATCH)) == (128, 104)


def test_what_was_asked_for_is_left_alone_and_doubted_aloud():
    result = fitted(SVTR, G4DN, batch_size=512)
    assert chosen(result, BATCH) == 512
    assert BATCH not in {change.key for change in result.changes}
    assert result.notes[0].startswith("a batch of 512 may not fit into 15.0 GiB of the Tesla T4: by estimate it takes ")


def test_more_processes_than_cores_are_doubted_aloud():
    doubt = "8 processes share 2 cores: more processes than cores train no faster"
    assert fitted(CRNN, LAPTOP, processes=8).notes == (doubt,)
    assert fitted(CRNN, LAPTOP, processes=2).notes == ()


def test_the_rate_follows_a_batch_that_was_chosen():
    result = fitted(CRNN, G4DN, train=1000)
    assert chosen(result, "Optimizer.lr.learning_rate") == pytest.approx(0.0005 * (48 / 256) ** 0.5, rel=0.01)
    assert reason(result, "Optimizer.lr.learning_rate") == "square root of batch 48 / 256"
    assert chosen(fitted(CRNN, G4DN, 1000, learning_rate=0.002), "Optimizer.lr.learning_rate") == 0.002
    assert chosen(fitted(CRNN, G4DN, 1000, batch_size=8), "Optimizer.lr.learning_rate") == 0.0005
    warmed_up = fitted(CRNN, G4DN, 1000, Optimizer__lr__warmup_epoch="2")
    assert chosen(warmed_up, "Optimizer.lr.learning_rate") == chosen(result, "Optimizer.lr.learning_rate")
    whole = fitted(CRNN, G4DN, 1000, Optimizer__lr="{learning_rate: 0.002}")
    assert chosen(whole, "Optimizer.lr.learning_rate") == 0.002
    steps = fitted(DEMO, G4DN, 50_000, began=4)
    assert chosen(steps, "Optimizer.lr.values") == pytest.approx([0.0015, 0.0003, 0.00005])


def test_a_resumed_run_keeps_the_batch_that_it_began_with():
    elsewhere = fitted(CRNN, G5, train=9000, began=48)
    assert (chosen(elsewhere, BATCH), reason(elsewhere, BATCH)) == (
        48,
        "as the run began; NVIDIA A10G takes up to 2435, by estimate",
    )
    assert chosen(elsewhere, "Optimizer.lr.learning_rate") == pytest.approx(0.0005 * (48 / 256) ** 0.5, rel=0.01)
    assert chosen(fitted(CRNN, G5, began=48, batch_size=64), BATCH) == 64


@pytest.mark.parametrize(
    ("machine", "amp", "dtype", "scaling", "why"),
    [
        (LAPTOP, "auto", None, None, "half precision needs a GPU"),
        (LAPTOP, "off", None, None, "half precision needs a GPU"),
        (G4DN, "auto", "float16", True, "Tesla T4, compute capability 7.5"),
        (P3, "auto", "float16", True, "Tesla V100-SXM2-16GB, compute capability 7.0"),
        (G5, "auto", "bfloat16", False, "NVIDIA A10G, compute capability 8.6"),
        (G5, "fp16", "float16", True, "hyperparameter amp"),
        (G5, "off", None, None, "hyperparameter amp"),
        (Machine(8, 61 * GIB, (P100,)), "auto", None, None, "Tesla P100, compute capability 6.0: no tensor cores"),
        (Machine(8, 61 * GIB, (A10G, T4)), "auto", "float16", True, "Tesla T4, compute capability 7.5"),
    ],
)
def test_precision(machine: Machine, amp: str, dtype: str | None, scaling: bool | None, why: str):
    result = fitted(CRNN, machine, amp=amp)
    assert chosen(result, "Global.use_amp") is (dtype is not None)
    assert chosen(result, "Global.amp_dtype") == dtype
    assert chosen(result, "Global.use_dynamic_loss_scaling") is scaling
    assert reason(result, "Global.use_amp") == why


@pytest.mark.parametrize(
    ("machine", "amp", "sentence"),
    [
        (LAPTOP, "fp16", "amp=fp16 needs a GPU, and this job has none: leave amp out"),
        (LAPTOP, "bf16", "amp=bf16 needs a GPU"),
        (G4DN, "bf16", r"amp=bf16 is not for this GPU \(Tesla T4, compute capability 7.5\)"),
    ],
)
def test_a_precision_that_the_machine_cannot_do_is_refused(machine: Machine, amp: str, sentence: str):
    with pytest.raises(UserError, match=sentence):
        fitted(CRNN, machine, amp=amp)


@pytest.mark.parametrize(
    ("recipe", "machine", "val", "workers", "why"),
    [
        (CRNN, G4DN, 2000, (3, 3), "3 cores beside the trainer's"),
        (CRNN, G4DN, 500, (3, 0), "3 cores beside the trainer's"),
        (CRNN, LAPTOP, 500, (1, 0), "1 core beside the trainer's"),
        (CRNN, Machine(96, 1152 * GIB, (A10G,)), 500, (16, 0), "more hardly helps"),
        (CRNN, Machine(16, 2 * GIB, (A10G,)), 500, (1, 0), "half of 2.0 GiB of memory"),
        (DEMO, LAPTOP, 500, (0, 0), "the recipe's"),
        (DEMO, G4DN, 500, (3, 0), "3 cores beside the trainer's"),
    ],
)
def test_workers(recipe: str, machine: Machine, val: int, workers: tuple[int, int], why: str):
    result = fitted(recipe, machine, val=val)
    assert (chosen(result, "Train.loader.num_workers"), chosen(result, "Eval.loader.num_workers")) == workers
    assert reason(result, "Train.loader.num_workers") == why


def test_workers_that_were_asked_for():
    both = fitted(CRNN, G4DN, workers=9)
    assert (chosen(both, "Train.loader.num_workers"), chosen(both, "Eval.loader.num_workers")) == (9, 9)
    assert reason(both, "Train.loader.num_workers") == "hyperparameter workers"
    assert chosen(fitted(CRNN, G4DN, Train__loader__num_workers="11"), "Train.loader.num_workers") == 11


@pytest.mark.parametrize(
    ("train", "val", "interval", "why"),
    [
        (50_000, 1000, 196, "once per epoch of 196 steps"),
        (5_200, 500, 21, "once per epoch of 21 steps"),
        (2_000_000, 2000, 2000, "the recipe's interval"),
        (5_200, 50_000, 273, "50,000 samples take long: at most 20% of the time, estimated"),  # every 13 epochs
        (2_000_000, 600_000, 3125, "600,000 samples take long: at most 20% of the time, estimated"),
    ],
)
def test_evaluation(train: int, val: int, interval: int, why: str):
    result = fitted(CRNN, G4DN, train, val)
    assert chosen(result, EVALUATION) == [0, interval]
    assert reason(result, EVALUATION) == why


def test_an_interval_that_was_asked_for():
    assert chosen(fitted(CRNN, G4DN, eval_steps=7), EVALUATION) == [0, 7]
    assert chosen(fitted(CRNN, G4DN, Global__eval_batch_step="[0, 9]"), EVALUATION) == [0, 9]


def test_the_same_job_on_the_same_machine_chooses_the_same():
    assert fitted(THAI, G4DN) == fitted(THAI, G4DN)


def test_every_recipe_has_an_estimate_and_fits_the_smallest_card():
    for path in (CONFIGS / "rec").rglob("*.yml"):
        recipe = load_recipe(path)
        each = sample_bytes(recipe, 500, half=True)
        assert each, path
        assert value_at(recipe, BATCH) * each < T4.memory * 0.85, path
