"""From a recipe's Optimizer section to schedules of the learning rate and to Adam, AdamW and what they spare."""

# ruff: noqa: E402 (where paddle is not installed, this module is skipped before it imports more)
from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

paddle = pytest.importorskip("paddle")

from tests.container.networks import EPOCHS, OURS, STEPS, check_refusal, crnn, fresh, recipe

# -------------------------------------------------------------------------------------------------- learning rates
CONSTANT = {"learning_rate": 0.1}
WARM_CONSTANT = {"name": "Const", "learning_rate": 0.1, "warmup_epoch": 2}
COSINE = {"name": "Cosine", "learning_rate": 0.1}
WARM_COSINE = COSINE | {"warmup_epoch": 2}
PIECEWISE = {"name": "Piecewise", "decay_epochs": [2, 4], "values": [0.1, 0.01, 0.001]}
WARM_PIECEWISE = PIECEWISE | {"warmup_epoch": 1}
ODD_WARMUP = {"name": "Cosine", "learning_rate": 0.1, "warmup_epoch": 1.5}  # 10.5 steps count as 10
SCHEDULES = [WARM_CONSTANT, COSINE, WARM_COSINE, PIECEWISE, WARM_PIECEWISE, ODD_WARMUP]


def learning_rates(schedule: Any, steps: int) -> list[float]:
    rates = []
    for _ in range(steps):
        rates.append(schedule())
        schedule.step()
    return rates


def half_cosine(step: int) -> float:
    return 0.05 * (1 + math.cos(math.pi * step / (EPOCHS * STEPS)))


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        (WARM_CONSTANT, {0: 0, 7: 0.05, 13: 0.1 * 13 / 14, 14: 0.1, 40: 0.1}),
        (COSINE, {0: 0.1, 1: half_cosine(1), 17: half_cosine(17), 35: 0}),
        (WARM_COSINE, {0: 0, 7: 0.05, 14: 0.1, 15: half_cosine(1), 34: half_cosine(20)}),
        (PIECEWISE, {0: 0.1, 13: 0.1, 14: 0.01, 27: 0.01, 28: 0.001, 40: 0.001}),
        (WARM_PIECEWISE, {0: 0, 1: 0.1 / 7, 7: 0.1, 20: 0.1, 21: 0.01, 34: 0.01, 35: 0.001}),
        (ODD_WARMUP, {0: 0, 5: 0.05, 10: 0.1, 11: half_cosine(1)}),
    ],
)
def test_schedule_at_named_steps(section: dict, expected: dict[int, float]) -> None:
    rates = learning_rates(OURS.build_lr_scheduler(section, EPOCHS, STEPS), 41)
    assert {step: rates[step] for step in expected} == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("section", [CONSTANT, {"name": "Const", **CONSTANT}, CONSTANT | {"warmup_epoch": 0}])
def test_a_constant_rate_is_a_number(section: dict) -> None:
    assert OURS.build_lr_scheduler(section, EPOCHS, STEPS) == 0.1


def test_a_whole_number_is_a_rate_too() -> None:
    assert isinstance(OURS.build_lr_scheduler({"learning_rate": 1}, EPOCHS, STEPS), float)


@pytest.mark.parametrize("section", SCHEDULES)
@pytest.mark.parametrize("stop", [3, 17])
def test_schedule_continues_exactly(section: dict, stop: int, tmp_path: Path) -> None:
    whole = learning_rates(OURS.build_lr_scheduler(section, EPOCHS, STEPS), 35)
    first = OURS.build_lr_scheduler(section, EPOCHS, STEPS)
    learning_rates(first, stop)
    paddle.save(first.state_dict(), str(tmp_path / "schedule"))
    second = OURS.build_lr_scheduler(section, EPOCHS, STEPS)
    second.set_state_dict(paddle.load(str(tmp_path / "schedule")))
    assert learning_rates(second, 35 - stop) == whole[stop:]


# ------------------------------------------------------------------------------------------------------ optimizers
ADAM = {"name": "Adam", "beta1": 0.9, "beta2": 0.999, "lr": CONSTANT, "regularizer": {"name": "L2", "factor": 0}}


def built(**changes: Any) -> Any:
    config = {key: value for key, value in (ADAM | changes).items() if value is not None}
    return OURS.build_optimizer(config, EPOCHS, STEPS, fresh(crnn(model_name="small")))[0]


@pytest.mark.parametrize("name", ["rec_mv3_none_bilstm_ctc.yml", "rec_svtrnet.yml", "PP-OCRv4/en_PP-OCRv4_rec.yml"])
def test_what_recipes_ask_for(name: str) -> None:
    section = recipe(name)["Optimizer"]
    optimizer, _, no_decay_schedule = OURS.build_optimizer(section, EPOCHS, STEPS, paddle.nn.Linear(2, 2))
    assert type(optimizer).__name__ == section["name"]
    assert optimizer.get_lr() == (0 if "warmup_epoch" in section["lr"] else section["lr"]["learning_rate"])
    assert no_decay_schedule is None


def test_weight_decay_of_adam() -> None:
    assert str(built(regularizer={"name": "L2", "factor": 0.5}).regularization) == "L2Decay, coeff=0.500000"
    assert str(built(regularizer={"name": "L1", "factor": 0.5}).regularization) == "L1Decay, coeff=0.500000"
    assert str(built(regularizer=None, weight_decay=0.5).regularization) == "L2Decay, coeff=0.500000"
    assert built(regularizer=None).regularization is None


def test_gradient_clipping() -> None:
    assert built()._grad_clip is None
    assert str(built(clip_norm=5.0)._grad_clip) == "Gradient Clip By Norm, clip_norm=5.000000"
    assert str(built(clip_norm_global=5)._grad_clip) == "Gradient Clip By GlobalNorm, global_norm=5.000000"


def test_what_adamw_spares_from_decay() -> None:
    model = fresh(crnn(model_name="small"))
    config = {
        "name": "AdamW",
        "lr": CONSTANT,
        "weight_decay": 0.05,
        "no_weight_decay_name": "conv1 lstm",
        "one_dim_param_no_weight_decay": True,
    }
    adamw = OURS.build_optimizer(config, EPOCHS, STEPS, model)[0]
    decayed = {name for name, p in model.named_parameters() if p.trainable and adamw._apply_decay_param_fun(p.name)}
    assert "backbone.conv2.conv.weight" in decayed
    assert "head.fc.weight" in decayed
    assert not {name for name in decayed if "conv1" in name or "lstm" in name or name.endswith("bias")}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": "Adadelta"}, r"Optimizer 'Adadelta' is not among the optimizers .* \(Adam, AdamW\)"),
        ({"momentum": 0.9}, "Optimizer Adam has no setting momentum"),
        ({"lr": {"name": "OneCycle"}}, r"Optimizer.lr 'OneCycle' .* \(Const, Cosine, Piecewise\)"),
        ({"lr": {"name": "Cosine", "learning_rate": 0.1, "warmup": 2}}, "no setting warmup"),
        ({"lr": {"name": "Cosine"}}, "needs the setting learning_rate"),
        ({"regularizer": {"name": "L3"}}, r"Optimizer.regularizer 'L3' .* \(L1, L2"),
        ({"weight_decay": 0.1}, "keep one"),
        ({"name": "AdamW", "regularizer": {"name": "L1", "factor": 0.1}}, "has to be L2"),
    ],
)
def test_an_optimizer_we_do_not_have(change: dict, told: str) -> None:
    model = paddle.nn.Linear(2, 2)
    check_refusal(told, lambda: OURS.build_optimizer(ADAM | change, EPOCHS, STEPS, model))
