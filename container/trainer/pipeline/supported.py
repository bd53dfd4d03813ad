"""Which recipes the pipeline can prepare: PaddleOCR's transforms, as built from the recipe, read for what they do."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from container.trainer.pipeline.augment import Augmentation
from container.trainer.pipeline.labels import NRTR_OFFSET
from contract.batches import Size
from contract.recipe_rules import CTC_BATCH, MULTI_BATCH

# The files of PaddleOCR 3.7.0 that the pipeline repeats, or the classes in them, and the sha256 of their text. Another
# release, or a tree that somebody improved, may do something else under the same names: then its own transforms prepare
# the batches. (A complete tree of December 2025 has the same.)
REPEATED: dict[str, tuple[tuple[str, ...], str]] = {
    "operators.py": (("DecodeImage",), "363370408ca656b4263275fbf4c8c81868b56a10fcb8ae1c66fca797e8888fee"),
    "rec_img_aug.py": ((), "77607eb2a5e6e5d01829565a97161845ecd85a35a4d827435198f3ed4a32f9ad"),
    "label_ops.py": (
        ("BaseRecLabelEncode", "CTCLabelEncode", "NRTRLabelEncode", "MultiLabelEncode"),
        "216330eb80d4a0d4b84ea9e8bb52f44aa945f469ac963adde3a36c024a8eaa63",
    ),
    "text_image_aug/augment.py": ((), "203d177f39e8ebbf2880ea25fcce83e2963420641948da82fddd8d814c94a288"),
    "text_image_aug/warp_mls.py": ((), "6657555474613243d539673136fc4f4016a7e57193769453a2716e156756cef8"),
}

# What may stand in a list of transforms, by the place that each must have among the others.
_PLACES = {
    "DecodeImage": 0,
    "RecConAug": 1,
    "RecAug": 2,
    "BaseDataAugmentation": 2,
    "CTCLabelEncode": 3,
    "MultiLabelEncode": 3,
    "RecResizeImg": 4,
    "SVTRRecResizeImg": 4,
    "KeepKeys": 5,
}


class Unsupported(Exception):
    """The pipeline cannot prepare this recipe. The text names what it does not know."""


@dataclass(frozen=True)
class Joining:
    """RecConAug: up to `count` other lines are appended to a line while the whole keeps within the limits."""

    chance: float
    count: int
    height: int  # pixels that joined lines are made of
    most_aspect: float  # width / height of the whole
    most_characters: int


@dataclass(frozen=True)
class Transforms:
    """What the transforms of one mode of a recipe do."""

    joining: Joining | None
    augmentation: Augmentation | None
    classes: Mapping[str, int]  # of CTC, by character
    longest: int  # Global.max_text_length
    encoder: str
    size: Size | None  # None: a sampler chooses
    padding: bool  # the aspect is kept and the rest of the width is zeros


def read_transforms(operators: list[Any], dataset: Mapping[str, Any], folder: Path) -> Transforms:
    """operators: of PaddleOCR's create_operators. dataset: their section of the recipe. folder: ppocr/data/imaug, where
    they come from. Raises Unsupported."""
    found = _by_place(operators)
    for file, (classes, sha256) in REPEATED.items():
        source = folder / file
        text = _text_of(classes, source.read_text(encoding="utf-8") if source.is_file() else "")
        if hashlib.sha256(text.encode()).hexdigest() != sha256:
            raise Unsupported(f"ppocr/data/imaug/{file}, which is not that of PaddleOCR 3.7.0")
    decode = found[0]
    if decode.img_mode != "BGR" or decode.channel_first or decode.ignore_orientation:
        raise Unsupported("DecodeImage with other options than img_mode BGR")
    encoder = found[3]
    multi = type(encoder).__name__ == "MultiLabelEncode"
    if found[5].keep_keys != (MULTI_BATCH if multi else CTC_BATCH):
        raise Unsupported(f"KeepKeys {found[5].keep_keys}")
    size, padding = _resizing(found.get(4), dataset)
    return Transforms(
        joining=_joining(found.get(1), dataset),
        augmentation=_augmentation(found.get(2)),
        classes=_classes(encoder, multi),
        longest=encoder.max_text_len,
        encoder=type(encoder).__name__,
        size=size,
        padding=padding,
    )


def _text_of(classes: tuple[str, ...], source: str) -> str:
    """The classes of a module as they are written, or all of it."""
    if not classes:
        return source
    found = [re.search(rf"^class {name}\b.*\n(?:[ \t].*\n|\n)*", source, re.MULTILINE) for name in classes]
    return "".join(each[0].rstrip() + "\n" for each in found if each)


def _by_place(operators: list[Any]) -> dict[int, Any]:
    found: dict[int, Any] = {}
    for operator in operators:
        name = type(operator).__name__
        place = _PLACES.get(name)
        if place is None:
            raise Unsupported(f"the transform {name}")
        if found and place <= max(found):
            raise Unsupported(f"the transform {name} behind {type(found[max(found)]).__name__}")
        found[place] = operator
    for place, name in ((0, "DecodeImage"), (3, "a label encoder"), (5, "KeepKeys")):
        if place not in found:
            raise Unsupported(f"a list of transforms without {name}")
    return found


def _joining(operator: Any, dataset: Mapping[str, Any]) -> Joining | None:
    if operator is None:
        return None
    if dataset.get("ext_op_transform_idx", 2) != 1:
        raise Unsupported("RecConAug with another ext_op_transform_idx than 1")
    height, width, _ = operator.image_shape
    return Joining(operator.prob, operator.ext_data_num, height, width / height, operator.max_text_length)


def _augmentation(operator: Any) -> Augmentation | None:
    if operator is None:
        return None
    base = getattr(operator, "bda", operator)
    return Augmentation(
        tia=getattr(operator, "tia_prob", None),
        crop=base.crop_prob,
        blur=base.blur_prob,
        hsv=base.hsv_aug_prob,
        jitter=base.jitter_prob,
        noise=base.noise_prob,
        reverse=base.reverse_prob,
    )


def _classes(encoder: Any, multi: bool) -> dict[str, int]:
    if encoder.lower:
        raise Unsupported(f"{type(encoder).__name__} without a dictionary")
    if not multi:
        return _single(encoder.dict)
    ctc, nrtr = _single(encoder.ctc_encode.dict), encoder.gtc_encode
    if type(nrtr).__name__ != "NRTRLabelEncode":
        raise Unsupported(f"MultiLabelEncode with {type(nrtr).__name__}")
    if _single(nrtr.dict) != {character: number + NRTR_OFFSET for character, number in ctc.items()}:
        raise Unsupported("MultiLabelEncode with other classes for NRTR than for CTC")
    return ctc


def _single(classes: dict[str, int]) -> dict[str, int]:
    """Without what no character of a label can be: marks, and lines of a dictionary that hold several."""
    return {character: number for character, number in classes.items() if len(character) == 1}


def _resizing(operator: Any, dataset: Mapping[str, Any]) -> tuple[Size | None, bool]:
    sampled = dataset["name"] == "MultiScaleDataSet"
    if sampled != (operator is None):
        raise Unsupported("images that are resized by both, the sampler and a transform, or by neither")
    if operator is None:
        return None, True
    if getattr(operator, "eval_mode", False) or getattr(operator, "infer_mode", False):
        raise Unsupported("RecResizeImg in another mode than for training")
    channels, height, width = operator.image_shape
    if channels != 3:
        raise Unsupported(f"{type(operator).__name__} with {channels} channels")
    return (width, height), operator.padding
