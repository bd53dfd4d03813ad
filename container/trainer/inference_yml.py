"""inference.yml: how the `paddleocr` 3.x package prepares a crop for an exported model and reads its output.

PaddleOCR's exporter copies the recipe's own transforms into it. The package takes only those of PP-OCR and asks for a
name that it knows, so for any other recipe the exporter's file does not open where people want to use it.
Source: paddlex 3.7.2, inference/models/text_recognition.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

# The package opens registered names only, and knows no CRNN. This name, of a general model, changes nothing in what the
# package does with ours. A recipe (or `-o Global.model_name=…`) may state another.
MODEL_NAME = "PP-OCRv3_mobile_rec"

UNDERSTOOD = {"DecodeImage", "MultiLabelEncode", "RecResizeImg", "KeepKeys"}
DECODE_DEFAULTS = {"img_mode": "RGB", "channel_first": False}  # PaddleOCR's; the package wants both stated, and no more

WIDEST = 3200  # pixels: the package widens the input to the crop's own ratio, up to this
LARGEST_BATCH = 8


def package_name(config: dict[str, Any]) -> str | None:
    """The model_name that opens the export in the package; None where it cannot prepare crops as in training."""
    operators = dict(_operators(config))
    padded = (operators.get("RecResizeImg") or {}).get("padding", True)  # the package always pads
    if not padded or set(operators) - UNDERSTOOD or config["PostProcess"]["name"] != "CTCLabelDecode":
        return None
    return config["Global"].get("model_name") or MODEL_NAME


def inference_settings(config: dict[str, Any], characters: Sequence[str]) -> dict[str, Any]:
    """The content of inference.yml for a resolved recipe.

    characters: those of dict.txt in its order, without the space: the package appends a class for it by itself, at
    the place where `use_space_char` has it. (Trained without, the network has no such class, and it is never read.)
    """
    name = package_name(config)
    operators = _operators(config)
    settings: dict[str, Any] = {
        "Global": {
            "model_name": name or config["Architecture"]["algorithm"],
            "use_space_char": bool(config["Global"].get("use_space_char")),
        },
        "PreProcess": {"transform_ops": [{operator: options} for operator, options in operators]},
        "PostProcess": {**config["PostProcess"], "character_dict": list(characters)},
    }
    if name:
        shape = dict(operators)["RecResizeImg"]["image_shape"]
        settings["Hpi"] = {
            "backend_configs": {
                "paddle_infer": {"trt_dynamic_shapes": {"x": _input_shapes(shape)}},
                "tensorrt": {"dynamic_shapes": {"x": _input_shapes(shape)}},
            }
        }
    return settings


def write_inference_yml(folder: Path, config: dict[str, Any], characters: Sequence[str]) -> None:
    """Put inference.yml in the place of the exporter's."""
    text = yaml.safe_dump(inference_settings(config, characters), sort_keys=False, allow_unicode=True)
    (folder / "inference.yml").write_text(text, encoding="utf-8")


def _operators(config: dict[str, Any]) -> list[tuple[str, Any]]:
    """Name and options of the Eval transforms, in the package's words where it has some."""
    operators = []
    for operator in config["Eval"]["dataset"]["transforms"]:
        ((name, options),) = operator.items()
        if name == "CTCLabelEncode":  # neither of the two encodes anything when a model is used
            name = "MultiLabelEncode"
        if name == "DecodeImage":
            options = {key: (options or {}).get(key, default) for key, default in DECODE_DEFAULTS.items()}
        operators.append((name, options))
    return operators


def _input_shapes(shape: list[int]) -> list[list[int]]:
    """Least, usual and largest input (batch, channels, height, width). The package never sends less than the usual."""
    channels, height, width = shape
    return [[1, *shape], [1, *shape], [LARGEST_BATCH, channels, height, max(width, WIDEST)]]
