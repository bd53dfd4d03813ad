"""What the tests of our networks share: the builders, models in a known state, and data to feed them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import paddle
import pytest
import yaml

from container.trainer.ppocr_rec import losses, metrics, optimizer
from container.trainer.ppocr_rec.modeling import architectures
from tests.container.jobs import ROOT

OURS = SimpleNamespace(
    build_model=architectures.build_model,
    build_loss=losses.build_loss,
    build_metric=metrics.build_metric,
    build_optimizer=optimizer.build_optimizer,
    build_lr_scheduler=optimizer.build_lr_scheduler,
)
RECIPES = ROOT / "configs" / "rec"
EPOCHS, STEPS = 5, 7
CLASSES = 97
NRTR_SIGNS = 3  # beside CTC's classes: start, end, unknown
START, END = 2, 3  # NRTR's signs around a label
LABEL_ROOM = 25


def recipe(name: str) -> dict[str, Any]:
    """A recipe we ship, by its path below configs/rec."""
    return yaml.safe_load((RECIPES / name).read_text(encoding="utf-8"))


def with_classes(architecture: dict[str, Any], classes: int = CLASSES) -> dict[str, Any]:
    """An Architecture section with its number of classes, as the trainer fills it in."""
    head = architecture["Head"]
    if head["name"] == "MultiHead":
        head = head | {"out_channels_list": {"CTCLabelDecode": classes, "NRTRLabelDecode": classes + NRTR_SIGNS}}
    else:
        head = head | {"out_channels": classes}
    return architecture | {"Head": head}


def crnn(classes: int = CLASSES, hidden: int = 96, neck: str = "rnn", head: Any = (), **backbone: Any) -> dict:
    return {
        "model_type": "rec",
        "algorithm": "CRNN",
        "Transform": None,
        "Backbone": {"name": "MobileNetV3", "scale": 0.5, "model_name": "large", **backbone},
        "Neck": {"name": "SequenceEncoder", "encoder_type": neck} | ({"hidden_size": hidden} if neck == "rnn" else {}),
        "Head": {"name": "CTCHead", "fc_decay": 0, "out_channels": classes, **dict(head)},
    }


def small_svtr(straightened: bool = False, **backbone: Any) -> dict[str, Any]:
    """One block of each mixer."""
    transform = {
        "name": "STN_ON",
        "tps_inputsize": [32, 64],
        "tps_outputsize": [32, 64],
        "num_control_points": 8,
        "tps_margins": [0.05, 0.1],
        "stn_activation": "none",
    }
    settings = {
        "img_size": [32, 64],
        "embed_dim": [16, 32, 32],
        "depth": [1, 1, 1],
        "num_heads": [2, 4, 4],
        "mixer": ["Local", "Conv", "Global"],
        "local_mixer": [[3, 5], [3, 3], [3, 3]],
        "out_channels": 48,
        "out_char_num": 16,
        "prenorm": False,
    }
    return {
        "model_type": "rec",
        "algorithm": "SVTR",
        "Transform": transform if straightened else None,
        "Backbone": {"name": "SVTRNet", **settings, **backbone},
        "Neck": {"name": "SequenceEncoder", "encoder_type": "reshape"},
        "Head": {"name": "CTCHead", "out_channels": CLASSES},
    }


def small_mobile(use_guide: bool = True, **backbone: Any) -> dict[str, Any]:
    """PP-OCRv4 mobile at a tenth of its width, with one block of SVTR and one layer of NRTR."""
    neck = {"name": "svtr", "dims": 24, "depth": 1, "hidden_dims": 24, "kernel_size": [1, 3], "use_guide": use_guide}
    ctc, nrtr = {"Neck": neck, "Head": {"fc_decay": 1e-5}}, {"nrtr_dim": 64, "num_decoder_layers": 1}
    return with_classes(
        {
            "model_type": "rec",
            "algorithm": "SVTR_LCNet",
            "Transform": None,
            "Backbone": {"name": "PPLCNetV3", "scale": 0.1, **backbone},
            "Head": {"name": "MultiHead", "head_list": [{"CTCHead": ctc}, {"NRTRHead": nrtr}]},
        }
    )


MULTI_LOSS = {"name": "MultiLoss", "loss_config_list": [{"CTCLoss": None}, {"NRTRLoss": None}]}


@paddle.utils.unique_name.guard()
def fresh(config: dict, build: Any = architectures.build_model) -> Any:
    """A model whose automatic parameter names and initial weights are those of a fresh process with one seed."""
    paddle.seed(7)
    np.random.seed(7)
    return build(config)


def images_of(count: int = 2, width: int = 100, height: int = 32, channels: int = 3, seed: int = 0) -> Any:
    pixels = np.random.default_rng(seed).uniform(-1, 1, (count, channels, height, width))
    return paddle.to_tensor(pixels.astype("float32"))


def batch_of(images: Any, classes: int = CLASSES, seed: int = 0) -> list:
    """What a CTC recipe's loader gives: images, labels, numbers of characters."""
    random = np.random.default_rng(seed)
    labels = random.integers(1, classes, (len(images), 6))
    return [images, paddle.to_tensor(labels), paddle.to_tensor(random.integers(3, 7, len(images)))]


def multi_batch_of(images: Any, classes: int = CLASSES, seed: int = 0) -> list:
    """What a MultiHead recipe's loader gives: images, CTC labels, NRTR labels, numbers of characters."""
    _, labels, lengths = batch_of(images, classes, seed)
    nrtr = np.zeros((len(images), LABEL_ROOM), "int64")
    for row, label, length in zip(nrtr, labels.numpy(), lengths.numpy(), strict=True):
        row[: length + 2] = [START, *(label[:length] + NRTR_SIGNS), END]
    return [images, labels, paddle.to_tensor(nrtr), lengths]


def losses_while_learning(config: dict, loss: dict, batch: Sequence[Any], steps: int, rate: float) -> list[float]:
    """The loss of each step on one batch."""
    model, loss_of = fresh(config), OURS.build_loss(loss)
    section = {"name": "Adam", "lr": {"learning_rate": rate}}
    adam = OURS.build_optimizer(section, EPOCHS, STEPS, model)[0]
    values = []
    for _ in range(steps):
        value = loss_of(model(batch[0], data=batch[1:]), batch)["loss"]
        value.backward()
        adam.step()
        adam.clear_grad()
        values.append(float(value))
    return values


def sha256(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def names_and_shapes(model: Any) -> tuple[int, int, str, str]:
    """Entries of the state dict, parameters, and digests: names and shapes of the state, automatic names in order."""
    state, parameters = model.state_dict(), model.parameters()
    return (
        len(state),
        len(parameters),
        sha256(sorted(f"{name}:{list(value.shape)}" for name, value in state.items())),
        sha256(parameter.name for parameter in parameters),
    )


def check_refusal(told: str, act: Any) -> None:
    """A ValueError of one sentence."""
    with pytest.raises(ValueError, match=told) as refused:
        act()
    message = str(refused.value)
    assert "\n" not in message
    assert message.endswith(".")
