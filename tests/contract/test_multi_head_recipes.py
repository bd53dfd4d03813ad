"""Recipes of PP-OCRv4 and later, and of SVTR: what they must hold, what they say twice, what they can learn."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest

from contract.errors import UserError
from contract.hyperparameters import Hyperparameters
from contract.parameters import apply_parameters, value_at
from contract.recipe import (
    ALSO_KNOWN_AS,
    CONFIGS,
    check_recipe,
    find_recipe,
    limits_of,
    load_recipe,
    overrides_that_fit,
)

V4 = CONFIGS / "rec/PP-OCRv4/en_PP-OCRv4_rec.yml"
THAI = CONFIGS / "rec/PP-OCRv5/th_PP-OCRv5_mobile_rec.yml"
TINY = CONFIGS / "rec/rec_svtrnet.yml"
BASE = CONFIGS / "rec/rec_svtr_base.yml"
CRNN = CONFIGS / "rec/rec_mv3_none_bilstm_ctc.yml"

NRTR = "Architecture.Head.head_list.1.NRTRHead.max_text_length"
JOINED = "Train.dataset.transforms.1.RecConAug"
EVAL_SHAPE = "Eval.dataset.transforms.2.RecResizeImg.image_shape"


def changed(path: Path, **overrides: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The recipe with overrides (`__` stands for a dot), and the reason of every change."""
    given = tuple((key.replace("__", "."), raw) for key, raw in overrides.items())
    opened = apply_parameters(load_recipe(path), Hyperparameters(str(path), overrides=given), path)
    return opened.config, {change.key: change.reason for change in opened.changes}


def put(recipe: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    recipe = copy.deepcopy(recipe)
    *parents, last = key.split(".")
    holder: Any = recipe
    for part in parents:
        holder = holder[int(part)] if isinstance(holder, list) else holder[part]
    holder[int(last) if isinstance(holder, list) else last] = value
    return recipe


# ------------------------------------------------------------------------------------------------ what must be there
@pytest.mark.parametrize(
    ("path", "key", "value", "sentence"),
    [
        (V4, "Train.dataset.transforms.3.MultiLabelEncode.gtc_encode", "print", "unknown label encoder 'print'"),
        (V4, "Train.dataset.transforms.3.MultiLabelEncode", None, "unknown label encoder None"),
        (V4, "Architecture.Head.head_list.1", {"exit()": None}, "must list CTCHead and NRTRHead"),
        (V4, "Architecture.Head.head_list", None, "must list CTCHead and NRTRHead"),
        (V4, "Loss.loss_config_list.1", {"__import__('os').abort": None}, "must list CTCLoss and NRTRLoss"),
        (V4, "Loss.name", "CTCLoss", "needs Loss.name MultiLoss"),
        (V4, "Architecture.algorithm", "CRNN", "Architecture.algorithm must be SVTR_LCNet"),
        (V4, "Train.dataset.transforms.4.KeepKeys.keep_keys", ["image", "label", "length"], "must end in KeepKeys"),
        (V4, "Train.dataset.name", "SimpleDataSet", "need each other"),
        (V4, "Train.sampler", None, "need each other"),
        (V4, "Train.dataset.ds_width", True, "make it false"),
        (V4, "Train.dataset.ratio_list", 1.5, "the share of the samples that an epoch takes, not 1.5"),
        (CRNN, "Train.dataset.ratio_list", [1.0, 0.3], "has 2 ratios, and a dataset has one label file"),
        (CRNN, "Eval.dataset.ratio_list", 0.5, "every sample is validated"),
        (V4, "Train.dataset.ext_op_transform_idx", 2, "must be 1"),
        (V4, JOINED, {"prob": 0.5}, "RecConAug needs image_shape"),
        (V4, f"{JOINED}.max_text_length", "25", "must be a whole number, not '25'"),
        (V4, f"{JOINED}.ext_data_num", 10**12, "must be a whole number up to 100, not 1000000000000"),
        (V4, JOINED, ["prob"], "single operators, options in a mapping"),
        (V4, f"{JOINED}.prob", "often", "must be a chance from 0 to 1, not 'often'"),
        (V4, "Train.dataset.transforms.2.RecAug", {"tia_prob": 40}, "RecAug.tia_prob must be a chance from 0 to 1"),
        (V4, "Train.sampler.name", "os.abort", "unknown sampler"),
        (V4, "Train.sampler.scale", [[320, 48]], "did you mean 'scales'"),
        (V4, "Train.sampler.scales", [[320, 8]], "smaller than divided_factor"),
        (V4, "Train.sampler.scales", [320], "must list"),
        (V4, "Train.sampler.first_bs", 0, "at least 1"),
        (V4, "Train.sampler.is_training", False, "is_training true"),
        (V4, "Train.sampler", ["x"], "must be a mapping"),
        (CRNN, "Loss.name", "MultiLoss", "belong to Architecture.Head MultiHead"),
        (CRNN, "Eval.dataset.transforms.1", {"RecAug": None}, "only training is augmented"),
        (CRNN, "Eval.dataset.transforms.1", {"BaseDataAugmentation": None}, "only training is augmented"),
        (BASE, "Architecture.Backbone.img_size", 48, "must be .height, width."),
        (BASE, "Architecture.Backbone.out_char_num", 0, "at least 1"),
        (V4, "Architecture.Backbone.training_time_steps", -3, "at least 1"),
        (
            V4,
            "Architecture.Backbone.training_time_steps",
            41,
            "needs an input of 328 pixels in width, and this one has 320",
        ),
    ],
)
def test_what_would_train_otherwise_than_it_says_is_refused(path: Path, key: str, value: Any, sentence: str):
    with pytest.raises(UserError, match=sentence):
        check_recipe(put(load_recipe(path), key, value), path)


def test_joined_lines_need_no_length_of_their_own():
    recipe = copy.deepcopy(load_recipe(V4))
    del recipe["Train"]["dataset"]["transforms"][1]["RecConAug"]["max_text_length"]  # as upstream's rec_svtrnet_ch.yml
    check_recipe(recipe, V4)


def test_two_ways_to_resize_are_refused():
    recipe = copy.deepcopy(load_recipe(V4))
    recipe["Train"]["dataset"]["transforms"].insert(3, {"RecResizeImg": {"image_shape": [3, 48, 320]}})
    with pytest.raises(UserError, match=r"Train\.sampler resizes the images"):
        check_recipe(recipe, V4)


# ------------------------------------------------------------------------------------------------ what agrees
@pytest.mark.parametrize("path", sorted((CONFIGS / "rec").rglob("*.yml")), ids=lambda path: path.stem)
def test_our_own_recipes_agree_with_themselves(path: Path):
    assert changed(path)[1] == {}


def test_the_batch_size_reaches_the_sampler():
    recipe, reasons = changed(V4, Train__loader__batch_size_per_card="8")
    assert recipe["Train"]["sampler"]["first_bs"] == 8
    assert reasons["Train.sampler.first_bs"] == "follows Train.loader.batch_size_per_card"
    assert changed(V4, Train__sampler__first_bs="8")[0]["Train"]["loader"]["batch_size_per_card"] == 8


def test_copies_of_the_longest_label_follow_it():
    recipe, reasons = changed(V4, Global__max_text_length="34")
    assert (value_at(recipe, NRTR), value_at(recipe, f"{JOINED}.max_text_length")) == (34, 32)
    assert reasons[NRTR] == "follows Global.max_text_length"
    assert limits_of(recipe).longest_label == 32


def test_joined_lines_are_never_longer_than_nrtr_takes(tmp_path: Path):
    """Upstream's own recipes join to 25 what NRTR refuses above 23, and train something else instead."""
    path = tmp_path / "upstream.yml"
    path.write_text(V4.read_text().replace("max_text_length: 23", "max_text_length: 25"))
    recipe, reasons = changed(path)
    assert value_at(recipe, f"{JOINED}.max_text_length") == 23
    assert reasons == {f"{JOINED}.max_text_length": "joined lines must not be longer than the longest label"}


def test_evaluation_follows_the_scales():
    recipe, _ = changed(V4, Train__sampler__scales="[[640, 32], [640, 48]]")
    assert value_at(recipe, EVAL_SHAPE) == [3, 48, 640]
    assert value_at(recipe, f"{JOINED}.image_shape") == [48, 640, 3]


def test_svtr_sees_what_the_crops_are_resized_to():
    recipe, reasons = changed(BASE, Train__dataset__transforms__3__SVTRRecResizeImg__image_shape="[3,48,320]")
    assert value_at(recipe, "Eval.dataset.transforms.2.SVTRRecResizeImg.image_shape") == [3, 48, 320]
    assert value_at(recipe, "Architecture.Backbone.img_size") == [48, 320]
    assert reasons["Architecture.Backbone.img_size"] == "the backbone sees the training input"
    recipe, _ = changed(TINY, Architecture__Backbone__img_size="[32,160]")
    assert value_at(recipe, "Architecture.Transform.tps_outputsize") == [32, 160]


@pytest.mark.parametrize(
    ("path", "overrides", "words"),
    [
        (BASE, {"Architecture__Backbone__img_size": "[32,161]"}, "the backbone sees the training input, so it is [48"),
        (V4, {NRTR.replace(".", "__"): "50"}, "follows Global.max_text_length, so it is"),
        (
            V4,
            {"Train__loader__batch_size_per_card": "8", "Train__sampler__first_bs": "4"},
            "follows Train.loader.batch_size_per_card, so it is 8",
        ),
    ],
)
def test_what_cannot_be_set_on_its_own_is_not_put_back_in_silence(path: Path, overrides: dict[str, str], words: str):
    with pytest.raises(UserError, match=re.escape(words)):
        changed(path, **overrides)


# ------------------------------------------------------------------------------------------------ what can be learned
def test_limits():
    for path, longest, steps in ((V4, 23, 40), (THAI, 40, 40), (TINY, 25, 25), (BASE, 40, 40)):
        limits = limits_of(load_recipe(path))
        assert (limits.longest_label, limits.time_steps) == (longest, steps), path


def test_more_columns_than_the_input_has_are_no_time_steps():
    assert limits_of(changed(BASE, Architecture__Backbone__out_char_num="60")[0]).time_steps == 40


@pytest.mark.parametrize("path", [TINY, BASE])
@pytest.mark.parametrize("longest", [24, 33, 50])
def test_svtr_takes_longer_labels_with_the_overrides_it_is_given(path: Path, longest: int):
    overrides = overrides_that_fit(
        load_recipe(path), longest_label=longest, most_steps=longest + 4, aspect=6.0, has_space=True
    )
    recipe, reasons = changed(path, **{key.replace(".", "__"): raw for key, raw in overrides})
    limits = limits_of(recipe)
    assert limits.longest_label >= longest
    assert limits.time_steps >= longest + 4
    assert set(reasons.values()) <= {"override"}  # complete: nothing had to follow


@pytest.mark.parametrize("path", [V4, THAI])
def test_mobile_takes_longer_labels_with_the_overrides_it_is_given(path: Path):
    overrides = overrides_that_fit(load_recipe(path), longest_label=52, most_steps=55, aspect=9.0, has_space=True)
    recipe, _ = changed(path, **{key.replace(".", "__"): raw for key, raw in overrides})
    limits = limits_of(recipe)
    assert (limits.longest_label, limits.time_steps, limits.width) == (52, 55, 448)
    assert {width for width, _ in recipe["Train"]["sampler"]["scales"]} == {448}


def test_a_narrow_input_has_fewer_time_steps_than_it_trains_with():
    assert limits_of(changed(V4, Train__sampler__scales="[[160,48]]")[0]).time_steps == 20


def test_a_thai_recipe_keeps_tone_marks():
    train = load_recipe(THAI)["Train"]
    assert min(height for _, height in train["sampler"]["scales"]) >= 48
    assert {"RecAug": {"crop_prob": 0}} in train["dataset"]["transforms"]


# ------------------------------------------------------------------------------------------------ names
@pytest.mark.parametrize(("official", "ours"), ALSO_KNOWN_AS.items())
def test_official_file_names_find_our_recipe_with_either_ending(official: str, ours: str):
    other = official.removesuffix(".yml") + ".yaml"
    assert find_recipe(official) == find_recipe(f"configs/{official}") == CONFIGS / ours
    assert find_recipe(other) == find_recipe(f"configs/{other}") == CONFIGS / ours


def test_names_that_paddleocr_registers_are_in_the_recipes():
    for path in (CONFIGS / "rec").rglob("*PP-OCR*.yml"):
        name = load_recipe(path)["Global"]["model_name"]
        assert name in (path.stem, "en_PP-OCRv4_mobile_rec")
