"""A loss scale changes nothing but the range of gradients; what overflows is tried again, and a resume is exact.

Half precision itself has no kernels on a CPU: here the scale works on float32, whose range ends too.
"""

# ruff: noqa: E402 (where paddle is not installed, this module is skipped before it imports more)
from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

paddle = pytest.importorskip("paddle")

import numpy as np
import yaml

from container.order import WorkOrder
from container.trainer.network import Network
from container.trainer.ppocr_rec import losses, optimizer
from container.trainer.ppocr_rec.modeling import architectures
from container.trainer.precision import FIRST_SCALE, GROWS_AFTER, TRIES, LossScale, Precision, in_float32
from container.trainer.sampling import Schedule
from container.trainer.training_state import TrainingState, read_checkpoint, restore, write_checkpoint
from tests.container.jobs import ROOT

RECIPE = yaml.safe_load((ROOT / "configs/rec/demo_digits.yml").read_text())
OVERFLOWS = 2.0**122  # some gradients of this network are over 64
BATCHES = 4


def network(scale: LossScale | None) -> Network:
    """The network of demo_digits, from the same initial weights each time."""
    with paddle.utils.unique_name.guard():
        paddle.seed(3)
        head = RECIPE["Architecture"]["Head"] | {"out_channels": 12}
        model = architectures.build_model(RECIPE["Architecture"] | {"Head": head})
        loss = losses.build_loss({"name": "CTCLoss"})
        config = {"name": "Adam", "lr": {"name": "Cosine", "learning_rate": 0.001}}
        taught, schedule, *_ = optimizer.build_optimizer(config, epochs=2, step_each_epoch=BATCHES, model=model)
    return Network(model, loss, taught, schedule, None, False, model, Precision(None, scale))


def batches() -> list[list[Any]]:
    random = np.random.default_rng(0)
    images = random.uniform(-1, 1, (BATCHES, 2, 3, 32, 100)).astype("float32")
    labels = random.integers(1, 12, (BATCHES, 2, 5))
    return [
        [paddle.to_tensor(image), paddle.to_tensor(label), paddle.to_tensor(np.array([5, 4]))]
        for image, label in zip(images, labels, strict=True)
    ]


def weights(trained: Network) -> dict[str, bytes]:
    return {name: array.numpy().tobytes() for name, array in trained.model.state_dict().items()}


def without_statistics(named: dict[str, bytes]) -> dict[str, bytes]:
    """Batch norm counts each forward pass, that of a try too."""
    return {name: data for name, data in named.items() if not name.endswith(("._mean", "._variance"))}


def train(trained: Network, steps: list[list[Any]]) -> list[float]:
    return [float(trained.train_step(batch)) for batch in steps]


@pytest.fixture(scope="module")
def plain() -> tuple[Network, list[float]]:
    """Trained without a scale."""
    trained = network(None)
    return trained, train(trained, batches())


def test_a_scale_that_fits_changes_no_bit(plain: tuple[Network, list[float]]):
    scale = LossScale()
    trained = network(scale)
    assert train(trained, batches()) == plain[1], "the loss is told without the scale"
    assert weights(trained) == weights(plain[0])
    assert scale.state == {"scale": FIRST_SCALE, "good_steps": BATCHES, "given_up": 0}


def test_a_batch_whose_gradients_overflow_is_tried_again_with_half_the_scale():
    once, again = network(None), network(LossScale(OVERFLOWS))
    first = batches()[:1]
    assert train(again, first) == pytest.approx(train(once, first))
    scale = again.precision.loss_scale
    assert scale
    assert OVERFLOWS / 2 ** (TRIES - 1) <= scale.scale < OVERFLOWS
    assert scale.given_up == 0
    assert without_statistics(weights(again)) == without_statistics(weights(once)), "it has trained, once"
    assert again.learning_rate == once.learning_rate


def test_a_batch_that_always_overflows_changes_nothing_and_is_still_a_step():
    scale = LossScale()
    trained, steps = network(scale), batches()
    before, rate = weights(trained), trained.learning_rate
    poisoned = [steps[0][0] * float("inf"), *steps[0][1:]]
    train(trained, [poisoned])
    assert without_statistics(weights(trained)) == without_statistics(before)
    assert trained.optimizer.state_dict().keys() == {"LR_Scheduler"}, "no moment has begun"
    assert trained.learning_rate < rate, "the schedule goes on"
    assert scale.state == {"scale": FIRST_SCALE / 2**TRIES, "good_steps": 0, "given_up": 1}


def test_a_resumed_run_goes_on_with_the_scale_it_had(tmp_path: Path):
    order = WorkOrder(**dict.fromkeys(WorkOrder.__dataclass_fields__, "the same"))
    schedule = Schedule(samples=2 * BATCHES, batch_size=2, epochs=2, seed=3)
    with paddle.utils.unique_name.guard():  # as in a process of its own
        straight = network(LossScale(OVERFLOWS))
        train(straight, batches())
    with paddle.utils.unique_name.guard():
        stopped = network(LossScale(OVERFLOWS))
        train(stopped, batches()[:2])
        write_checkpoint(tmp_path, order, schedule, TrainingState(step=2, samples=4), stopped)
    with paddle.utils.unique_name.guard():
        resumed = network(LossScale())
        _, changed = restore(read_checkpoint(tmp_path), order, schedule, resumed)
        train(resumed, batches()[2:])
    assert changed == []
    assert weights(resumed) == weights(straight)
    assert resumed.precision.loss_scale.state == straight.precision.loss_scale.state
    assert straight.precision.loss_scale.scale < OVERFLOWS

    with paddle.utils.unique_name.guard():
        elsewhere = replace(network(None), precision=Precision("bfloat16"))
        _, changed = restore(read_checkpoint(tmp_path), order, schedule, elsewhere)
    assert changed == ["steps in bfloat16 from here, in float32 before"]


def test_the_scale_grows_after_many_good_steps():
    scale = LossScale(good_steps=GROWS_AFTER - 1)
    train(network(scale), batches()[:1])
    assert (scale.scale, scale.good_steps) == (2 * FIRST_SCALE, 0)
    assert LossScale(**scale.state).state == scale.state


def test_losses_see_float32():
    half = paddle.ones([2]).astype("float16")
    output = in_float32({"ctc": half, "more": [half.astype("bfloat16"), (half, 3)], "whole": paddle.ones([1], "int64")})
    assert output["ctc"].dtype == paddle.float32
    assert [output["more"][0].dtype, output["more"][1][0].dtype] == [paddle.float32] * 2
    assert (output["more"][1][1], output["whole"].dtype) == (3, paddle.int64)


def test_a_resolved_recipe_says_what_steps_compute_in():
    def of(**keys: Any) -> Precision:
        return Precision.of(keys)

    assert of() == of(use_amp=False, amp_dtype="float16") == Precision(None, None)
    assert of(use_amp=True, amp_dtype="bfloat16") == Precision("bfloat16", None)
    assert of(use_amp=True, amp_dtype="float16").loss_scale is not None
