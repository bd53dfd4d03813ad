"""Our CRNN is PaddleOCR's CRNN: same names, same numbers, same optimizer state.

The figures committed here were taken once from a complete PaddleOCR tree (December 2025). With
`PADDLEOCR_OFFICIAL_TREE` naming such a tree, the last tests measure it beside ours, in a child process that runs
this file as a script.
"""

# ruff: noqa: E402 (where paddle is not installed, this module is skipped before it imports more)
from __future__ import annotations

import hashlib
import math
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

paddle = pytest.importorskip("paddle")

import numpy as np
import yaml

from container.trainer.ppocr_rec import losses, metrics, optimizer
from container.trainer.ppocr_rec.modeling import architectures

REPO = Path(__file__).resolve().parents[2]
OURS = SimpleNamespace(
    build_model=architectures.build_model,
    build_loss=losses.build_loss,
    build_metric=metrics.build_metric,
    build_optimizer=optimizer.build_optimizer,
    build_lr_scheduler=optimizer.build_lr_scheduler,
)
EPOCHS, STEPS = 5, 7


def architecture(classes: int = 97, hidden: int = 96, neck: str = "rnn", head: Any = (), **backbone: Any) -> dict:
    return {
        "model_type": "rec",
        "algorithm": "CRNN",
        "Transform": None,
        "Backbone": {"name": "MobileNetV3", "scale": 0.5, "model_name": "large", **backbone},
        "Neck": {"name": "SequenceEncoder", "encoder_type": neck} | ({"hidden_size": hidden} if neck == "rnn" else {}),
        "Head": {"name": "CTCHead", "fc_decay": 0, "out_channels": classes, **dict(head)},
    }


def fresh(config: dict, build: Any = architectures.build_model) -> Any:
    """A model whose automatic parameter names and initial weights are those of a fresh process with one seed."""
    with paddle.utils.unique_name.guard():
        paddle.seed(7)
        return build(config)


def batch_of(images: Any, classes: int, seed: int = 0) -> list:
    random = np.random.default_rng(seed)
    labels = random.integers(1, classes, (len(images), 6))
    return [images, paddle.to_tensor(labels), paddle.to_tensor(random.integers(3, 7, len(images)))]


def images_of(count: int = 2, width: int = 100, height: int = 32, channels: int = 3, seed: int = 0) -> Any:
    pixels = np.random.default_rng(seed).uniform(-1, 1, (count, channels, height, width))
    return paddle.to_tensor(pixels.astype("float32"))


def sha256(lines: Any) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


# ------------------------------------------------------------------------------------------------ names and shapes
# model_name: entries of the state dict, parameters, sha256 of the sorted "name:shape" lines of the state dict,
# sha256 of the automatic names in the order of model.parameters(). Taken from the complete tree.
PUBLISHED = {
    "large": (
        301,
        285,
        "fdf37fcf75b160065d6433ea955247672a56d2467c4045079a8dcfe20eff9d37",
        "d3a911cd1256678d172374bd7d759c63e67ade276784f4a4087a8e7beaa28247",
    ),
    "small": (
        245,
        229,
        "d5fde66bee15f64673759ba324e7ec3421ce72214761542acf8c0c7653cf8b0c",
        "14ad2e6518cc0fe3512664bfba1b6df96607124f91301260e585c2bd5a323622",
    ),
}


@pytest.mark.parametrize("model_name", PUBLISHED)
def test_names_and_shapes_are_those_of_published_weights(model_name: str) -> None:
    entries, parameters, names_and_shapes, automatic_names = PUBLISHED[model_name]
    model = fresh(architecture(model_name=model_name))
    state = model.state_dict()
    assert (len(state), len(model.parameters())) == (entries, parameters)
    assert sha256(sorted(f"{name}:{list(value.shape)}" for name, value in state.items())) == names_and_shapes
    assert sha256(parameter.name for parameter in model.parameters()) == automatic_names


def test_a_few_shapes_one_can_read() -> None:
    state = fresh(architecture()).state_dict()
    assert {name: list(state[name].shape) for name in SHAPES} == SHAPES


SHAPES = {
    "backbone.conv1.conv.weight": [8, 3, 3, 3],
    "backbone.blocks.1.bottleneck_conv.conv.weight": [32, 1, 3, 3],
    "backbone.blocks.14.mid_se.conv1.weight": [120, 480, 1, 1],
    "backbone.conv2.bn._variance": [480],
    "neck.encoder.lstm.weight_ih_l0_reverse": [384, 480],
    "neck.encoder.lstm.1.cell_bw.weight_hh": [384, 96],
    "head.fc.weight": [192, 97],
    "head.fc.bias": [97],
}


def test_packages_answer_to_ppocr_when_put_on_its_path(tmp_path: Path) -> None:
    tree = tmp_path / "ppocr"
    tree.mkdir()
    (tree / "__init__.py").touch()
    ask = (
        "import ppocr, sys; ppocr.__path__.append(sys.argv[1])\n"
        "from ppocr.modeling.architectures import apply_to_static, build_model\n"
        "from ppocr.losses import build_loss\n"
        "from ppocr.metrics import build_metric\n"
        "from ppocr.optimizer import build_optimizer\n"
        "print(build_model.__module__, build_optimizer.__module__)"
    )
    folder = Path(optimizer.__file__).parents[1]
    answer = subprocess.run(
        [sys.executable, "-c", ask, folder],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.split()[-2:] == ["ppocr.modeling.architectures", "ppocr.optimizer"]


# ---------------------------------------------------------------------------------------------------- the network
@pytest.mark.parametrize("model_name", ["large", "small"])
@pytest.mark.parametrize(("neck", "head"), [("rnn", {}), ("reshape", {"mid_channels": 20})])
def test_one_row_of_scores_for_every_four_pixels(model_name: str, neck: str, head: dict) -> None:
    config = architecture(model_name=model_name, scale=0.35, neck=neck, head=head, classes=11, hidden=16)
    model = fresh(config)
    model.eval()
    for width in (100, 320):
        assert model(images_of(width=width)).shape == [2, width // 4, 11]


def test_any_scale_and_number_of_image_channels() -> None:
    model = fresh(architecture(scale=0.6) | {"in_channels": 1})
    assert model(images_of(channels=1)).shape == [2, 25, 97]


def test_probabilities_only_in_evaluation() -> None:
    model = fresh(architecture(model_name="small"))
    images = images_of()
    model.train()
    assert abs(model(images).sum(axis=2) - 1).max() > 0.01
    model.eval()
    probabilities = model(images)
    np.testing.assert_allclose(probabilities.sum(axis=2), 1, atol=1e-5)
    assert probabilities.min() >= 0


def test_return_feats_gives_features_and_logits_while_training() -> None:
    model = fresh(architecture(model_name="small", head={"mid_channels": 20, "return_feats": True}))
    features, logits = model(images_of())
    assert (features.shape, logits.shape) == ([2, 25, 20], [2, 25, 97])
    model.eval()
    assert model(images_of()).shape == [2, 25, 97]


def test_without_squeeze_and_excitation() -> None:
    assert not any("mid_se" in name for name in fresh(architecture(disable_se=True)).state_dict())


def test_images_too_high_are_named() -> None:
    model = fresh(architecture())
    with pytest.raises(ValueError, match="2 rows of features"):
        model(paddle.zeros([1, 3, 64, 100]))


def test_the_config_is_left_alone() -> None:
    config = architecture()
    fresh(config)
    assert config == architecture()


def test_head_starts_uniform_within_one_over_root_of_its_inputs() -> None:
    weight = fresh(architecture(classes=5000)).head.fc.weight.numpy()
    bound = 192**-0.5
    assert 0.999 * bound < abs(weight).max() <= bound
    assert weight.std() == pytest.approx(bound / math.sqrt(3), rel=0.01)


@pytest.mark.parametrize("recipe", sorted((REPO / "configs" / "rec").glob("*.yml")), ids=lambda path: path.name)
def test_every_shipped_recipe_can_be_built(recipe: Path) -> None:
    config = yaml.safe_load(recipe.read_text(encoding="utf-8"))
    config["Architecture"]["Head"]["out_channels"] = 40
    model = fresh(config["Architecture"])
    adam, _, no_decay_schedule = OURS.build_optimizer(config["Optimizer"], EPOCHS, STEPS, model)
    assert (type(adam).__name__, no_decay_schedule) == (config["Optimizer"]["name"], None)
    assert OURS.build_metric(config["Metric"]).main_indicator == "acc"
    height, width = (32, 100) if model.transform else config["Architecture"]["Backbone"].get("img_size", (32, 100))
    images = images_of(height=height, width=width)
    assert math.isfinite(OURS.build_loss(config["Loss"])(model(images), batch_of(images, 40))["loss"])


# ----------------------------------------------------------------------------------------- loss, gradient, metric
@pytest.mark.parametrize("focal", [False, True])
def test_loss_is_finite_and_reaches_every_parameter(focal: bool) -> None:
    model = fresh(architecture())
    images = images_of(4)
    loss = OURS.build_loss({"name": "CTCLoss", "use_focal_loss": focal})(model(images), batch_of(images, 97))["loss"]
    assert loss.shape == []
    assert math.isfinite(loss)
    loss.backward()
    for name, parameter in model.named_parameters():
        if parameter.trainable:
            assert np.isfinite(parameter.grad.numpy()).all(), name
            assert parameter.grad.abs().max() > 0, name


def test_loss_of_one_step_is_the_closed_form() -> None:
    """One time step and one letter: p(label) is that letter's probability, so the loss is its -log."""
    logits = paddle.to_tensor([[[0.0, 1.0, 2.0]], [[0.5, 0.0, -1.0]]])
    batch = [None, paddle.to_tensor([[2], [1]]), paddle.to_tensor([1, 1])]
    p = np.array([math.exp(2) / (1 + math.e + math.exp(2)), 1 / (math.exp(0.5) + 1 + math.exp(-1))])
    plain = OURS.build_loss({"name": "CTCLoss"})
    assert float(plain(logits, batch)["loss"]) == pytest.approx(-np.log(p).mean(), abs=1e-6)
    assert float(plain((None, logits), batch)["loss"]) == float(plain(logits, batch)["loss"])
    focal = OURS.build_loss({"name": "CTCLoss", "use_focal_loss": True})
    assert float(focal(logits, batch)["loss"]) == pytest.approx((-np.log(p) * (1 - p) ** 2).mean(), abs=1e-6)


READ = [("a b", 0.5), ("A-b1ก", 0.2), ("", 0.1), ("xyz", 0.1)]
LABELS = [("ab", 1.0), ("ab1", 1.0), ("", 1.0), ("xkzq", 1.0)]


# acc and norm_edit_dis as the complete tree gives them.
@pytest.mark.parametrize(
    ("settings", "acc", "norm_edit_dis"),
    [
        ({}, 0.49999875000312505, 0.7250006874982813),
        ({"is_filter": True}, 0.7499981250046875, 0.8750003124992187),
        ({"ignore_space": False}, 0.24999937500156252, 0.6416675624977604),
    ],
)
def test_metric(settings: dict, acc: float, norm_edit_dis: float) -> None:
    metric = OURS.build_metric({"name": "RecMetric", "main_indicator": "acc", **settings})
    expected = pytest.approx({"acc": acc, "norm_edit_dis": norm_edit_dis}, abs=1e-12)
    assert metric((READ, LABELS)) == expected
    assert metric.get_metric() == expected
    assert metric.get_metric() == {"acc": 0.0, "norm_edit_dis": 1.0}


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
    return OURS.build_optimizer(config, EPOCHS, STEPS, fresh(architecture(model_name="small")))[0]


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
    model = fresh(architecture(model_name="small"))
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


def test_learning_on_one_batch_lowers_the_loss() -> None:
    model = fresh(architecture(model_name="small", scale=0.35, neck="reshape", classes=11))
    loss_of = OURS.build_loss({"name": "CTCLoss"})
    adam, _, _ = OURS.build_optimizer(ADAM | {"lr": {"learning_rate": 0.003}}, EPOCHS, STEPS, model)
    images = images_of()
    values = []
    for _ in range(12):
        loss = loss_of(model(images), batch_of(images, 11))["loss"]
        loss.backward()
        adam.step()
        adam.clear_grad()
        values.append(float(loss))
    assert values[-1] < values[0] / 4


# ---------------------------------------------------------------------------------------------------------- refusals
@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"Backbone": {"name": "ResNet"}},
            re.escape(
                "Backbone 'ResNet' is not among the networks that the PyPI source distribution can be completed "
                "with (MobileNetV3, PPLCNetV3, SVTRNet): use a complete PaddleOCR tree through PADDLEOCR_HOME."
            ),
        ),
        ({"Neck": {"name": "FPN"}}, r"Neck 'FPN' is not among .* \(SequenceEncoder\)"),
        ({"Neck": {"name": "SequenceEncoder", "encoder_type": "fc"}}, r"encoder_type 'fc' .* \(rnn, reshape, svtr\)"),
        ({"Head": {"name": "SARHead"}}, r"Head 'SARHead' is not among .* \(CTCHead, MultiHead\)"),
        ({"Head": {"name": "CTCHead"}}, "Head CTCHead needs the setting out_channels"),
        ({"Transform": {"name": "TPS"}}, r"Transform 'TPS' is not among .* \(STN_ON\)"),
        ({"return_all_feats": True}, "return_all_feats is not among"),
        ({"Neck": None}, "Neck has to be there for a CTCHead"),
        ({"model_type": "det"}, "model_type is 'det'"),
        ({"Backbone": {"name": "MobileNetV3", "scales": 1}}, "has no setting scales: it takes model_name, scale"),
        ({"Backbone": {"name": "MobileNetV3", "model_name": "medium"}}, "'medium': .* large and small"),
        ({"Backbone": {"name": "MobileNetV3", "small_stride": [1, 2]}}, "list of four strides"),
    ],
)
def test_an_architecture_we_do_not_have(change: dict, told: str) -> None:
    check_refusal(told, lambda: fresh(architecture() | change))


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


def test_a_loss_and_a_metric_we_do_not_have() -> None:
    check_refusal(
        r"Loss 'AceLoss' is not among the losses .* \(CTCLoss, MultiLoss\)",
        lambda: OURS.build_loss({"name": "AceLoss"}),
    )
    check_refusal(r"Metric 'DetMetric' .* \(RecMetric\)", lambda: OURS.build_metric({"name": "DetMetric"}))


def check_refusal(told: str, act: Any) -> None:
    with pytest.raises(ValueError, match=told) as refused:
        act()
    message = str(refused.value)
    assert "\n" not in message
    assert message.endswith(".")


# ------------------------------------------------------------------------------------- beside a complete PaddleOCR
ADAMW = {
    "name": "AdamW",
    "lr": PIECEWISE | {"values": [0.001, 0.0005, 0.0001]},
    "weight_decay": 0.05,
    "no_weight_decay_name": "bn conv2",
    "one_dim_param_no_weight_decay": True,
    "clip_norm_global": 0.5,
}
SLOW_ADAM = ADAM | {"lr": {"learning_rate": 0.0005}}
CLIPPED_ADAM = {
    "name": "Adam",
    "lr": WARM_COSINE | {"learning_rate": 0.001},
    "regularizer": {"name": "L1", "factor": 1e-4},
    "clip_norm": 0.5,
}
FACTORISED = {"mid_channels": 24, "fc_decay": 0.001}
CASES = {
    f"{model_name}-{scale}-{neck}-{'mid' if head else 'one'}": (
        architecture(classes=37, hidden=48, neck=neck, head=head, model_name=model_name, scale=scale),
        {"rnn": SLOW_ADAM, "reshape": ADAMW}[neck],
    )
    for model_name in ("large", "small")
    for scale in (0.35, 0.5, 1.0)
    for neck in ("rnn", "reshape")
    for head in ({}, FACTORISED)
} | {
    "strides": (architecture(model_name="small", small_stride=[1, 2, 2, 2]), CLIPPED_ADAM),
    "no-se": (architecture(disable_se=True, large_stride=[2, 1, 2, 2], head={"return_feats": True}), CLIPPED_ADAM),
}


@paddle.utils.unique_name.guard()  # optimizer state is named by counting, too
def measure(parts: Any, config: dict, optimizer_config: dict, folder: Path) -> dict[str, Any]:
    """Build, evaluate, train two steps, save to `folder`: what came out, as plain data."""
    model = fresh(config, parts.build_model)
    seen: dict[str, Any] = {
        "parameters": [(name, p.name, list(p.shape), bool(p.trainable)) for name, p in model.named_parameters()],
        "state": [(name, value.name, list(value.shape)) for name, value in model.state_dict().items()],
        "initial": arrays(model.state_dict()),
    }
    model.eval()
    seen["probabilities"] = {"": model(images_of()).numpy()}
    model.train()
    stepper = parts.build_optimizer(optimizer_config, EPOCHS, STEPS, model)[:2]
    seen["loss"], seen["gradients"] = train_step(parts, model, *stepper)
    seen["second loss"], _ = train_step(parts, model, *stepper)
    seen["trained"] = arrays(model.state_dict())
    seen["moments"] = arrays(stepper[0].state_dict())
    paddle.save(model.state_dict(), str(folder / "model.pdparams"))
    paddle.save(stepper[0].state_dict(), str(folder / "model.pdopt"))
    return seen


@paddle.utils.unique_name.guard()
def measure_continued(parts: Any, config: dict, optimizer_config: dict, folder: Path) -> dict[str, Any]:
    """One more step from what the other side saved in `folder`."""
    model = fresh(config, parts.build_model)
    stepper = parts.build_optimizer(optimizer_config, EPOCHS, STEPS, model)[:2]
    missing, unexpected = model.set_state_dict(paddle.load(str(folder / "model.pdparams")))
    stepper[0].set_state_dict(paddle.load(str(folder / "model.pdopt")))
    loss, _ = train_step(parts, model, *stepper)
    return {"loss": loss, "strays": [*missing, *unexpected], "trained": arrays(model.state_dict())}


def train_step(parts: Any, model: Any, steps: Any, schedule: Any) -> tuple[float, dict[str, Any]]:
    images = images_of()
    classes = model.head.parameters()[-1].shape[0]
    loss = parts.build_loss({"name": "CTCLoss"})(model(images), batch_of(images, classes))["loss"]
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
    return [learning_rates(parts.build_lr_scheduler(section, EPOCHS, STEPS), 41) for section in SCHEDULES]


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
    results: dict[str, Any] = {"rates": measure_rates(parts)}
    for name, case in CASES.items():
        (folder / "official" / name).mkdir(parents=True)
        results[name] = measure(parts, *case, folder / "official" / name)
        results[name]["continued"] = measure_continued(parts, *case, folder / "ours" / name)
    (folder / "official.pickle").write_bytes(pickle.dumps(results))


OFFICIAL = os.environ.get("PADDLEOCR_OFFICIAL_TREE")
beside_official = pytest.mark.skipif(not OFFICIAL, reason="PADDLEOCR_OFFICIAL_TREE names no complete PaddleOCR tree")


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict]:
    folder = tmp_path_factory.mktemp("parity")
    ours: dict[str, Any] = {"rates": measure_rates(OURS)}
    for name, case in CASES.items():
        (folder / "ours" / name).mkdir(parents=True)
        ours[name] = measure(OURS, *case, folder / "ours" / name)
    child = subprocess.run(
        [sys.executable, __file__, str(OFFICIAL), folder],
        env={**os.environ, "PYTHONPATH": str(REPO)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 0, child.stderr[-3000:]
    for name, case in CASES.items():
        ours[name]["continued"] = measure_continued(OURS, *case, folder / "official" / name)
    return {"ours": ours, "official": pickle.loads((folder / "official.pickle").read_bytes())}


@beside_official
@pytest.mark.parametrize("name", CASES)
def test_same_as_the_complete_tree(name: str, both: dict[str, dict]) -> None:
    ours, official = both["ours"][name], both["official"][name]
    assert ours["parameters"] == official["parameters"]
    assert ours["state"] == official["state"]
    assert list(ours["moments"]) == list(official["moments"])
    assert largest_difference(ours["initial"], official["initial"]) == 0
    assert largest_difference(ours["probabilities"], official["probabilities"]) <= 1e-5
    assert largest_difference(ours["gradients"], official["gradients"]) <= 1e-4
    for loss in ("loss", "second loss"):
        assert ours[loss] == pytest.approx(official[loss], abs=1e-4)
    assert largest_difference(ours["trained"], official["trained"]) <= 1e-4


@beside_official
@pytest.mark.parametrize("name", CASES)
def test_each_continues_what_the_other_saved(name: str, both: dict[str, dict]) -> None:
    ours, official = both["ours"][name]["continued"], both["official"][name]["continued"]
    assert ours["strays"] == official["strays"] == []
    assert ours["loss"] == pytest.approx(official["loss"], abs=1e-4)
    assert largest_difference(ours["trained"], official["trained"]) <= 1e-4


@beside_official
def test_same_schedules_as_the_complete_tree(both: dict[str, dict]) -> None:
    np.testing.assert_array_equal(both["ours"]["rates"], both["official"]["rates"])


def largest_difference(left: dict[str, Any], right: dict[str, Any]) -> float:
    assert left.keys() == right.keys()
    return max(float(abs(left[name] - right[name]).max()) for name in left)


if __name__ == "__main__":
    official_main(sys.argv[1], Path(sys.argv[2]))
