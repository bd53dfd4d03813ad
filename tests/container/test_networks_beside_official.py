"""Our networks beside those of a complete PaddleOCR tree, which `PADDLEOCR_OFFICIAL_TREE` names.

The tree's own networks do in a child process, which runs this file as a script, all that ours do here.
"""

# ruff: noqa: E402 (where paddle is not installed, this module is skipped before it imports more)
from __future__ import annotations

import itertools
import os
import pickle
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

paddle = pytest.importorskip("paddle")

import numpy as np
import yaml

from tests.container.jobs import ROOT
from tests.container.networks import (
    EPOCHS,
    MULTI_LOSS,
    OURS,
    STEPS,
    batch_of,
    crnn,
    fresh,
    images_of,
    multi_batch_of,
    recipe,
    small_mobile,
    small_svtr,
    with_classes,
)

OFFICIAL = os.environ.get("PADDLEOCR_OFFICIAL_TREE")
beside_official = pytest.mark.skipif(not OFFICIAL, reason="PADDLEOCR_OFFICIAL_TREE names no complete PaddleOCR tree")

PIECEWISE = {"name": "Piecewise", "decay_epochs": [2, 4], "values": [0.001, 0.0005, 0.0001]}
WARM_COSINE = {"name": "Cosine", "learning_rate": 0.001, "warmup_epoch": 2}
SCHEDULES = [
    {"name": "Const", "learning_rate": 0.1, "warmup_epoch": 2},
    {"name": "Cosine", "learning_rate": 0.1},
    {"name": "Cosine", "learning_rate": 0.1, "warmup_epoch": 1.5},
    WARM_COSINE,
    PIECEWISE,
    PIECEWISE | {"warmup_epoch": 1},
]
ADAM = {"name": "Adam", "lr": {"learning_rate": 0.0005}, "regularizer": {"name": "L2", "factor": 0}}
CLIPPED_ADAM = {"name": "Adam", "lr": WARM_COSINE, "regularizer": {"name": "L1", "factor": 1e-4}, "clip_norm": 0.5}
ADAMW = {
    "name": "AdamW",
    "lr": PIECEWISE,
    "weight_decay": 0.05,
    "no_weight_decay_name": "bn norm pos_embed conv2",
    "one_dim_param_no_weight_decay": True,
    "clip_norm_global": 0.5,
}
FACTORISED = {"mid_channels": 24, "fc_decay": 0.001}


@dataclass(frozen=True)
class Case:
    """A network, how it learns, and the height and width of its images."""

    architecture: dict[str, Any]
    optimizer: dict[str, Any]
    loss: dict[str, Any] = field(default_factory=lambda: {"name": "CTCLoss"})
    size: tuple[int, int] = (32, 100)

    def batch(self) -> list:
        images = images_of(2, height=self.size[0], width=self.size[1])
        return multi_batch_of(images) if self.architecture["Head"]["name"] == "MultiHead" else batch_of(images)


def case_of(config: dict[str, Any], size: tuple[int, int]) -> Case:
    """That of a whole recipe, which learns from the first step on."""
    section = config["Optimizer"] | {"lr": config["Optimizer"]["lr"] | {"warmup_epoch": 0}}
    return Case(with_classes(config["Architecture"]), section, config["Loss"], size)


CASES = {
    f"{model_name}-{scale}-{neck}-{'mid' if head else 'one'}": Case(
        crnn(hidden=48, neck=neck, head=head, model_name=model_name, scale=scale),
        {"rnn": ADAM, "reshape": ADAMW}[neck],
    )
    for model_name in ("large", "small")
    for scale in (0.35, 0.5, 1.0)
    for neck in ("rnn", "reshape")
    for head in ({}, FACTORISED)
} | {
    "crnn-strides": Case(crnn(model_name="small", small_stride=[1, 2, 2, 2]), CLIPPED_ADAM),
    "crnn-no-se": Case(crnn(disable_se=True, large_stride=[2, 1, 2, 2], head={"return_feats": True}), CLIPPED_ADAM),
    "svtr-base": case_of(recipe("rec_svtr_base.yml"), (48, 160)),
    "svtr-postnorm-pool": Case(
        small_svtr(prenorm=True, patch_merging="Pool", drop_rate=0.1, attn_drop_rate=0.1, drop_path_rate=0.4),
        ADAMW,
        size=(32, 64),
    ),
    "svtr-unmerged-stn": Case(
        small_svtr(
            straightened=True,
            patch_merging=None,
            embed_dim=[16, 16, 16],
            sub_num=3,
            out_char_num=8,
            qkv_bias=False,
            qk_scale=0.3,
            mlp_ratio=2,
            mixer=["Conv", "Local", "Conv"],
            local_mixer=[[3, 3], [2, 4], [1, 3]],
        ),
        CLIPPED_ADAM,
        size=(48, 200),
    ),
    "mobile-unguided": Case(small_mobile(use_guide=False), ADAM, MULTI_LOSS | {"weight_2": 0.5}, (48, 240)),
}
OFFICIAL_RECIPES = {
    "rec_svtrnet.yml": (64, 256),
    "rec_svtrnet_ch.yml": (32, 320),
    "PP-OCRv4/en_PP-OCRv4_mobile_rec.yml": (48, 320),
    "PP-OCRv5/PP-OCRv5_mobile_rec.yml": (48, 320),
}
if OFFICIAL:
    CASES |= {
        name: case_of(yaml.safe_load((Path(OFFICIAL) / "configs/rec" / name).read_text(encoding="utf-8")), size)
        for name, size in OFFICIAL_RECIPES.items()
    }


@paddle.utils.unique_name.guard()  # optimizer state is named by counting, too
def measure(parts: Any, case: Case, folder: Path) -> dict[str, Any]:
    """Build, evaluate, train two steps, evaluate, save to `folder`: what came out, as plain data."""
    model = fresh(case.architecture, parts.build_model)
    seen: dict[str, Any] = {
        "parameters": [
            (name, p.name, list(p.shape), bool(p.trainable), p.optimize_attr["learning_rate"], str(p.regularizer))
            for name, p in model.named_parameters()
        ],
        "state": [(name, list(value.shape)) for name, value in model.state_dict().items()],
        "initial": arrays(model.state_dict()),
        "probabilities": probabilities(model, case),
    }
    stepper = parts.build_optimizer(case.optimizer, EPOCHS, STEPS, model)[:2]
    spares = getattr(stepper[0], "_apply_decay_param_fun", None) or (lambda name: True)
    seen["decayed"] = [name for name, p in model.named_parameters() if spares(p.name)]
    seen["loss"], seen["gradients"] = train_step(parts, case, model, *stepper)
    seen["second loss"], _ = train_step(parts, case, model, *stepper)
    seen["trained"] = arrays(model.state_dict())
    seen["optimizer state"] = list(stepper[0].state_dict())
    seen["trained probabilities"] = probabilities(model, case)
    paddle.save(model.state_dict(), str(folder / "model.pdparams"))
    paddle.save(stepper[0].state_dict(), str(folder / "model.pdopt"))
    return seen


@paddle.utils.unique_name.guard()
def measure_continued(parts: Any, case: Case, folder: Path) -> dict[str, Any]:
    """Read what the other side saved in `folder`, evaluate, and train one more step."""
    model = fresh(case.architecture, parts.build_model)
    stepper = parts.build_optimizer(case.optimizer, EPOCHS, STEPS, model)[:2]
    missing, unexpected = model.set_state_dict(paddle.load(str(folder / "model.pdparams")))
    stepper[0].set_state_dict(paddle.load(str(folder / "model.pdopt")))
    read = probabilities(model, case)
    loss, _ = train_step(parts, case, model, *stepper)
    return {
        "strays": [*missing, *unexpected],
        "probabilities": read,
        "loss": loss,
        "trained": arrays(model.state_dict()),
    }


def probabilities(model: Any, case: Case) -> np.ndarray:
    model.eval()
    return model(case.batch()[0]).numpy()


def train_step(parts: Any, case: Case, model: Any, steps: Any, schedule: Any) -> tuple[float, dict[str, Any]]:
    model.train()
    batch = case.batch()
    paddle.seed(3)  # of dropout
    loss = parts.build_loss(dict(case.loss))(model(batch[0], data=batch[1:]), batch)["loss"]
    loss.backward()
    gradients = arrays({name: p.grad for name, p in model.named_parameters() if p.grad is not None})
    steps.step()
    steps.clear_grad()
    if not isinstance(schedule, float):
        schedule.step()
    return float(loss), gradients


def arrays(tensors: dict[str, Any]) -> dict[str, Any]:
    return {name: value.numpy() for name, value in tensors.items() if hasattr(value, "numpy")}


def measure_rates(parts: Any) -> list[list[float]]:
    every = []
    for section in SCHEDULES:
        schedule = parts.build_lr_scheduler(dict(section), EPOCHS, STEPS)
        rates = []
        for _ in range(41):
            rates.append(schedule())
            schedule.step()
        every.append(rates)
    return every


def official_main(tree: str, folder: Path) -> None:
    """The child: everything that ours did, by the complete tree at `tree`."""
    sys.path.insert(0, tree)
    from ppocr.losses import build_loss
    from ppocr.modeling.architectures import build_model
    from ppocr.optimizer import build_lr_scheduler, build_optimizer

    parts = SimpleNamespace(
        build_model=build_model,
        build_loss=build_loss,
        build_optimizer=build_optimizer,
        build_lr_scheduler=build_lr_scheduler,
    )
    keep(folder / "official" / RATES, measure_rates(parts))
    for name, case in CASES.items():
        keep(folder / "official" / name / WHOLE, measure(parts, case, folder / "official" / name))
        keep(folder / "official" / name / CONTINUED, measure_continued(parts, case, folder / "ours" / name))


# What came out, in files below ours/NAME and official/NAME: all of it together would fill a memory.
WHOLE, CONTINUED, RATES = "whole.pickle", "continued.pickle", "rates.pickle"


def keep(file: Path, seen: Any) -> None:
    file.write_bytes(pickle.dumps(seen))


def kept(folder: Path, *names: str) -> tuple[Any, Any]:
    """Ours and the official tree's."""
    return tuple(pickle.loads(folder.joinpath(side, *names).read_bytes()) for side in ("ours", "official"))


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parity")
    for name, side in itertools.product(CASES, ("ours", "official")):
        (folder / side / name).mkdir(parents=True)
    keep(folder / "ours" / RATES, measure_rates(OURS))
    for name, case in CASES.items():
        keep(folder / "ours" / name / WHOLE, measure(OURS, case, folder / "ours" / name))
    child = subprocess.run(
        [sys.executable, __file__, str(OFFICIAL), folder],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 0, child.stderr[-3000:]
    for name, case in CASES.items():
        keep(folder / "ours" / name / CONTINUED, measure_continued(OURS, case, folder / "official" / name))
    return folder


@beside_official
@pytest.mark.parametrize("name", CASES)
def test_same_as_the_complete_tree(name: str, both: Path, record_property: Any) -> None:
    ours, official = kept(both, name, WHOLE)
    assert ours["parameters"] == official["parameters"]
    assert ours["state"] == official["state"]
    assert ours["decayed"] == official["decayed"]
    assert ours["optimizer state"] == official["optimizer state"]
    found = {
        "initial": largest_difference(ours["initial"], official["initial"]),
        "evaluation": float(abs(ours["probabilities"] - official["probabilities"]).max()),
        "gradients": largest_difference(ours["gradients"], official["gradients"]),
        "trained": largest_difference(ours["trained"], official["trained"]),
        "loss": abs(ours["loss"] - official["loss"]),
        "second loss": abs(ours["second loss"] - official["second loss"]),
    }
    record_property("differences", found)
    assert found["initial"] == 0
    assert found["evaluation"] <= 1e-5
    for what in ("gradients", "trained", "loss", "second loss"):
        assert found[what] <= 1e-4, found


@beside_official
@pytest.mark.parametrize("name", CASES)
def test_each_continues_what_the_other_saved(name: str, both: Path, record_property: Any) -> None:
    ours, official = kept(both, name, CONTINUED)
    found = []
    for continued, saved in zip((ours, official), reversed(kept(both, name, WHOLE)), strict=True):
        assert continued["strays"] == []
        found.append(float(abs(continued["probabilities"] - saved["trained probabilities"]).max()))
    record_property("differences", found)
    assert max(found) <= 1e-5
    assert ours["loss"] == pytest.approx(official["loss"], abs=1e-4)
    assert largest_difference(ours["trained"], official["trained"]) <= 1e-4


@beside_official
def test_same_schedules_as_the_complete_tree(both: Path) -> None:
    np.testing.assert_array_equal(*kept(both, RATES))


def largest_difference(left: dict[str, Any], right: dict[str, Any]) -> float:
    """Of all numbers, relative to the largest of their tensor where that is above 1."""
    assert left.keys() == right.keys()
    return max(float(abs(left[name] - right[name]).max() / max(1, abs(right[name]).max())) for name in left)


if __name__ == "__main__":
    official_main(sys.argv[1], Path(sys.argv[2]))
