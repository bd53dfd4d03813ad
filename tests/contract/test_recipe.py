"""Recipe rules: typed overrides, allow-listed names, limits, and the overrides that make labels fit."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from contract.errors import UserError
from contract.limits import ctc_steps, remedy_for_steps
from contract.recipe import CONFIGS, find_recipe, limits_of, load_recipe, overrides_that_fit, resize_keys, with_override

CRNN = CONFIGS / "rec/rec_mv3_none_bilstm_ctc.yml"
SHAPE = "Train.dataset.transforms.2.RecResizeImg.image_shape"


@pytest.mark.parametrize(
    ("key", "raw", "value"),
    [
        ("Optimizer.lr.learning_rate", "1e-4", 1e-4),
        ("Optimizer.lr.learning_rate", "1", 1.0),
        ("Global.epoch_num", "3", 3),
        ("Global.epoch_num", "1e3", 1000),
        ("Global.use_space_char", "False", False),
        ("Global.use_space_char", "true", True),
        ("Global.infer_img", "a=b=c", "a=b=c"),
        ("Global.pretrained_model", "null", None),
        (SHAPE, "[3, 32, 320]", [3, 32, 320]),
        (SHAPE + ".2", "320", 320),
        ("Optimizer.lr.name", "Cosine", "Cosine"),
        ("Optimizer.lr.warmup_epoch", "2", 2.0),
        ("Optimizer.regularizer", "{name: L1, factor: 0.1}", {"name": "L1", "factor": 0.1}),
    ],
)
def test_overrides_take_the_type_of_what_they_replace(key: str, raw: str, value: object):
    changed = with_override(load_recipe(CRNN), key, raw)
    for part in key.split("."):
        changed = changed[int(part)] if isinstance(changed, list) else changed[part]
    assert changed == value
    assert type(changed) is type(value)


@pytest.mark.parametrize(
    ("key", "raw", "sentence"),
    [
        ("Global.epoch_nun", "3", "did you mean 'Global.epoch_num'"),
        ("Train.dataset.transforms.9.RecResizeImg.image_shape", "[3,32,320]", "unknown recipe key"),
        ("Foo.bar", "1", "unknown recipe key"),
        ("Global.epoch_num", "ten", "must be a whole number, not 'ten'"),
        ("Global.use_space_char", "maybe", "must be true or false"),
        (SHAPE, "[3,32,x]", "must be a list"),
        (SHAPE, "320", "must be a list"),
        ("Optimizer.regularizer", "L2", "must be a mapping"),
    ],
)
def test_wrong_overrides_say_what_is_wrong(key: str, raw: str, sentence: str):
    with pytest.raises(UserError, match=sentence):
        with_override(load_recipe(CRNN), key, raw)


def test_an_override_leaves_the_original_alone():
    recipe = load_recipe(CRNN)
    with_override(recipe, SHAPE + ".2", "320")
    assert limits_of(recipe).width == 100


def test_limits_of_crnn():
    limits = limits_of(load_recipe(CRNN))
    assert (limits.longest_label, limits.time_steps, limits.height, limits.width) == (25, 25, 32, 100)


def test_repeated_characters_need_a_blank_between():
    assert [ctc_steps(text) for text in ("", "a", "ab", "aa", "aaa", "hello")] == [0, 1, 2, 3, 5, 6]


def test_overrides_that_fit_make_it_fit():
    recipe = load_recipe(CRNN)
    overrides = overrides_that_fit(recipe, longest_label=99, most_steps=104, aspect=27.0, has_space=True)
    for key, raw in overrides:
        recipe = with_override(recipe, key, raw)
    limits = limits_of(recipe)
    assert limits.longest_label >= 99
    assert limits.time_steps >= 104
    assert limits.width == 832  # twice the needed steps, no more
    assert [key for key, _ in overrides] == ["Global.max_text_length", *resize_keys(recipe)]
    assert overrides_that_fit(recipe, longest_label=99, most_steps=104, aspect=27.0, has_space=True) == []


def test_no_input_is_made_wide_enough_for_a_whole_page_in_one_label():
    recipe = load_recipe(CRNN)
    assert overrides_that_fit(recipe, longest_label=20, most_steps=20_000, aspect=5.0, has_space=False) == []
    assert remedy_for_steps(limits_of(recipe), 20_000, 5.0).startswith("shorten it or delete its line")


def test_find_recipe_with_and_without_configs_and_in_the_training_channel(tmp_path: Path):
    assert find_recipe("configs/rec/demo_digits.yml") == find_recipe("rec/demo_digits.yml")
    (tmp_path / "mine.yml").write_text(CRNN.read_text())
    assert find_recipe("mine.yml", tmp_path) == tmp_path / "mine.yml"
    assert find_recipe("rec/demo_digits.yaml", tmp_path) == find_recipe("rec/demo_digits.yml")
    (tmp_path / "rec").mkdir()
    (tmp_path / "rec/demo_digits.yaml").write_text(CRNN.read_text())
    assert find_recipe("rec/demo_digits.yaml", tmp_path) == tmp_path / "rec/demo_digits.yaml"
    with pytest.raises(UserError, match=r"did you mean 'rec/demo_digits\.yml'"):
        find_recipe("rec/demo_digit.yml")
    with pytest.raises(UserError, match=r"did you mean 'rec/PP-OCRv4/en_PP-OCRv4_mobile_rec\.yml'"):
        find_recipe("PP-OCRv4/en_PP-OCRv4_mobile_rec")


def test_every_recipe_loads_and_says_its_limits():
    for path in (CONFIGS / "rec").rglob("*.yml"):
        limits = limits_of(load_recipe(path))
        assert limits.time_steps >= limits.longest_label, path


@pytest.mark.parametrize(
    "where",
    ["Train.dataset.transforms.0", "Optimizer.name", "Optimizer.lr.name", "Loss.name", "Train.dataset.name"],
)
def test_names_that_paddleocr_would_evaluate_are_allow_listed(tmp_path: Path, where: str):
    recipe = yaml.safe_load(CRNN.read_text())
    payload = "__import__('os').system('touch pwned') or DecodeImage"
    holder = recipe
    *parents, last = where.split(".")
    for part in parents:
        holder = holder[part]
    if last == "0":
        holder[0] = {payload: None}
    else:
        holder[last] = payload
    path = tmp_path / "evil.yml"
    path.write_text(yaml.safe_dump(recipe))
    with pytest.raises(UserError, match="names the unknown"):
        load_recipe(path)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: [", r"x\.yml:1: not valid YAML"),
        ("- a", "not a recipe"),
        ("Global: {}\nArchitecture: {model_type: det}", "text recognition"),
        ("Global: {}", "the section Optimizer is missing"),
    ],
)
def test_what_is_no_recipe_is_refused(tmp_path: Path, text: str, sentence: str):
    path = tmp_path / "x.yml"
    path.write_text(text)
    with pytest.raises(UserError, match=sentence):
        load_recipe(path)
