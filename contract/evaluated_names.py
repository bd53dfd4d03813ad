"""Names of a recipe that PaddleOCR would evaluate: only those on these lists may reach it.

It calls eval() or getattr() on the names of operators, networks, losses and the like, and on a few of their settings.
docs/security.md lists every such place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from contract.batches import SAMPLER
from contract.errors import UserError
from contract.flat import flatten
from contract.hyperparameters import did_you_mean

NAMES: dict[str, tuple[str, ...]] = {
    "transform": (
        "DecodeImage",
        "RecConAug",
        "RecAug",
        "BaseDataAugmentation",
        "SVTRRecAug",
        "CTCLabelEncode",
        "MultiLabelEncode",
        "RecResizeImg",
        "SVTRRecResizeImg",
        "KeepKeys",
    ),
    "dataset": ("SimpleDataSet", "LMDBDataSet", "MultiScaleDataSet"),  # a dataset folder takes the place of each
    "sampler": (SAMPLER,),
    "algorithm": ("CRNN", "Rosetta", "STARNet", "SVTR", "SVTR_LCNet", "SVTR_HGNet"),
    "transform of images": ("STN_ON", "TPS"),
    "backbone": (
        "MobileNetV1Enhance",
        "MobileNetV3",
        "PPHGNetV2_B4",
        "PPHGNet_small",
        "PPLCNetV3",
        "RepSVTR",
        "ResNet",
        "SVTRNet",
        "SVTRv2",
    ),
    "neck": ("SequenceEncoder",),
    "head": ("CTCHead", "MultiHead"),
    "optimizer": ("Adam", "AdamW"),
    "learning rate": ("Const", "Cosine", "Piecewise"),
    "regularizer": ("L1", "L2", "L1Decay", "L2Decay"),
    "loss": ("CTCLoss", "MultiLoss"),
    "label encoder": ("NRTRLabelEncode",),
    "post-processing": ("CTCLabelDecode",),
    "metric": ("RecMetric",),
}

ARCHITECTURE_KEYS = ("model_type", "algorithm", "in_channels", "Transform", "Backbone", "Neck", "Head")
PARTS = {"Transform": "transform of images", "Backbone": "backbone", "Neck": "neck", "Head": "head"}

# Every other text in Architecture and Loss. Networks evaluate some of their settings (SVTRNet: act, norm_layer,
# sub_norm, block_unit), and each release may add one, so the texts are on a list whatever their key.
WORDS = (
    *("large", "small", "none", "avg", "max", "Conv", "Local", "Global"),
    *("rnn", "fc", "reshape", "svtr", "cascadernn", "nn.LayerNorm", "nn.GELU", "Block"),
)

# Settings that PaddleOCR evaluates, with which the Global section would overwrite those of every transform.
EVALUATED_SETTINGS = ("gtc_encode", "inter_type")

_MODEL_NAME = re.compile(r"[A-Za-z0-9][\w.+-]*")


def check_names(recipe: dict[str, Any], where: Path | str) -> None:
    """Refuse any name or text that is not on its list. The recipe has its parts already. Raises UserError."""
    for kind, key, name in _named(recipe):
        if name not in NAMES[kind]:
            nearest = did_you_mean(str(name), list(NAMES[kind]))
            raise UserError(f"{where}: {key} names the unknown {kind} {_shown(name)}{nearest}")
    _check_architecture(recipe, where)
    for key in EVALUATED_SETTINGS:
        if key in recipe["Global"]:
            raise UserError(f"{where}: Global.{key} would replace that setting of every transform: leave it out")
    name = recipe["Global"].get("model_name")
    if name is not None and not (isinstance(name, str) and _MODEL_NAME.fullmatch(name)):
        raise UserError(f"{where}: Global.model_name must be a name of letters, digits and .+-_, not {_shown(name)}")
    for mode in ("Train", "Eval"):
        if "collate_fn" in recipe[mode]["loader"]:
            raise UserError(f"{where}: {mode}.loader.collate_fn is not supported: samples of one size are stacked")


def _named(recipe: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """(kind, key, name) of everything that is called by its name."""
    optimizer, architecture = recipe["Optimizer"], recipe["Architecture"]
    yield "algorithm", "Architecture.algorithm", architecture.get("algorithm")
    for part, kind in PARTS.items():
        if architecture.get(part):
            yield kind, f"Architecture.{part}.name", _name_of(architecture[part])
    yield "optimizer", "Optimizer.name", optimizer.get("name")
    yield "learning rate", "Optimizer.lr.name", optimizer.get("lr", {}).get("name", "Const")
    if optimizer.get("regularizer"):
        yield "regularizer", "Optimizer.regularizer.name", optimizer["regularizer"].get("name")
    yield "loss", "Loss.name", recipe["Loss"].get("name")
    yield "post-processing", "PostProcess.name", recipe["PostProcess"].get("name")
    yield "metric", "Metric.name", recipe["Metric"].get("name")
    if recipe["Train"].get("sampler"):
        yield "sampler", "Train.sampler.name", _name_of(recipe["Train"]["sampler"])
    for mode in ("Train", "Eval"):
        dataset = recipe[mode]["dataset"]
        yield "dataset", f"{mode}.dataset.name", dataset.get("name")
        for index, operator in enumerate(dataset["transforms"]):
            ((name, options),) = operator.items()
            key = f"{mode}.dataset.transforms.{index}"
            yield "transform", key, name
            if name == "MultiLabelEncode":
                yield "label encoder", f"{key}.{name}.gtc_encode", (options or {}).get("gtc_encode")


def _check_architecture(recipe: dict[str, Any], where: Path | str) -> None:
    for key in recipe["Architecture"]:
        if key not in ARCHITECTURE_KEYS:
            nearest = did_you_mean(str(key), list(ARCHITECTURE_KEYS))
            raise UserError(f"{where}: Architecture has the unknown key {_shown(key)}{nearest}")
    known = {*WORDS, *(name for names in NAMES.values() for name in names), "rec"}
    for section in ("Architecture", "Loss"):
        for key, value in flatten(recipe[section]):
            if isinstance(value, str) and value not in known:
                nearest = did_you_mean(value, list(WORDS))
                raise UserError(f"{where}: {section}.{key} has the unknown value {_shown(value)}{nearest}")
            if key.endswith(".pretrained") and value:
                raise UserError(f"{where}: {section}.{key} is not supported: weights come from the pretrained channel")


def _name_of(section: Any) -> Any:
    return section.get("name") if isinstance(section, dict) else section


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "…"
