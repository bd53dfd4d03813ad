"""inference.yml as the paddleocr package wants it. What it wants: paddlex 3.7.2, inference/models/text_recognition."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from container.trainer.inference_yml import inference_settings, package_name, write_inference_yml
from contract.recipe import CONFIGS, load_recipe

AWKWARD = ("0", "no", "~", ":", "'", '"', "#", "\u3000", "\u2028", "\ufeff", "é", "ก", "\u0e33", "𠀀", "\\")


@pytest.fixture
def crnn() -> dict[str, Any]:
    return load_recipe(CONFIGS / "rec/rec_mv3_none_bilstm_ctc.yml")


def test_crnn_is_told_in_the_words_of_the_package(crnn: dict[str, Any]) -> None:
    before = copy.deepcopy(crnn)
    settings = inference_settings(crnn, ["a", "b"])
    assert crnn == before, "the recipe is left as it is"
    assert settings["Global"] == {"model_name": "PP-OCRv3_mobile_rec", "use_space_char": True}
    assert settings["PreProcess"]["transform_ops"] == [
        {"DecodeImage": {"img_mode": "BGR", "channel_first": False}},
        {"MultiLabelEncode": None},
        {"RecResizeImg": {"image_shape": [3, 32, 100]}},
        {"KeepKeys": {"keep_keys": ["image", "label", "length"]}},
    ]
    assert settings["PostProcess"] == {"name": "CTCLabelDecode", "character_dict": ["a", "b"]}
    shapes = {"x": [[1, 3, 32, 100], [1, 3, 32, 100], [8, 3, 32, 3200]]}
    assert settings["Hpi"]["backend_configs"] == {
        "paddle_infer": {"trt_dynamic_shapes": shapes},
        "tensorrt": {"dynamic_shapes": shapes},
    }


def test_the_recipe_may_name_the_model(crnn: dict[str, Any]) -> None:
    crnn["Global"]["model_name"] = "th_PP-OCRv5_mobile_rec"
    assert package_name(crnn) == "th_PP-OCRv5_mobile_rec"


@pytest.mark.parametrize("resize", [{"SVTRRecResizeImg": {"image_shape": [3, 64, 256], "padding": False}},
                                    {"RecResizeImg": {"image_shape": [3, 32, 100], "padding": False}}])  # fmt: skip
def test_a_recipe_that_the_package_would_prepare_otherwise_does_not_open_there(
    crnn: dict[str, Any], resize: dict[str, Any]
) -> None:
    crnn["Eval"]["dataset"]["transforms"][2] = resize
    assert package_name(crnn) is None
    settings = inference_settings(crnn, ["a"])
    assert settings["Global"]["model_name"] == "CRNN", "no name of the package: it refuses"
    assert "Hpi" not in settings


def test_every_character_comes_back_from_the_file(crnn: dict[str, Any], tmp_path: Path) -> None:
    write_inference_yml(tmp_path, crnn, AWKWARD)
    text = (tmp_path / "inference.yml").read_text(encoding="utf-8")
    assert yaml.safe_load(text)["PostProcess"]["character_dict"] == list(AWKWARD)
    assert "&id" not in text, "no anchors: other readers of YAML may not know them"
