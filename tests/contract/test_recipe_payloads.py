"""Recipes that try to run code, or to reach what is not theirs: refused by file and key before PaddleOCR sees them.

Every payload would leave a mark if any part of it were evaluated.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from contract.errors import UserError
from contract.flat import flatten
from contract.hyperparameters import parse_hyperparameters
from contract.parameters import apply_parameters
from contract.recipe import CONFIGS, Recipe, load_recipe

CRNN = CONFIGS / "rec/rec_mv3_none_bilstm_ctc.yml"
V4 = CONFIGS / "rec/PP-OCRv4/en_PP-OCRv4_rec.yml"
SVTR = CONFIGS / "rec/rec_svtrnet.yml"

Change = Callable[[dict[str, Any], str], None]  # of a recipe, given code that leaves the mark


def at(path: str, value: Callable[[str], Any] = lambda code: code) -> Change:
    """Put the payload at a dotted path."""

    def change(recipe: dict[str, Any], code: str) -> None:
        holder: Any = recipe
        *parents, last = path.split(".")
        for part in parents:
            holder = holder[int(part)] if isinstance(holder, list) else holder.setdefault(part, {})
        holder[int(last) if isinstance(holder, list) else last] = value(code)

    return change


def with_options(name: str) -> Callable[[str], dict]:
    return lambda code: {name: {"gtc_encode": code}}


# name: recipe, change, what the refusal names
RECIPES: dict[str, tuple[Path, Change, str]] = {
    "a transform": (CRNN, at("Train.dataset.transforms.0", lambda code: {code: {}}), "Train.dataset.transforms.0"),
    "a transform of the evaluation": (CRNN, at("Eval.dataset.transforms.0", lambda code: {code: {}}), "transforms.0"),
    "a transform's label encoder": (
        V4,
        at("Train.dataset.transforms.3", with_options("MultiLabelEncode")),
        "Train.dataset.transforms.3.MultiLabelEncode.gtc_encode",
    ),
    "a label encoder that Global puts into every transform": (V4, at("Global.gtc_encode"), "Global.gtc_encode"),
    "another transform that evaluates": (
        CRNN,
        at(
            "Train.dataset.transforms.0",
            lambda code: {"GrayRecResizeImg": {"inter_type": code, "image_shape": [3, 32, 100]}},
        ),
        "Train.dataset.transforms.0",
    ),
    "an optimizer": (CRNN, at("Optimizer.name"), "Optimizer.name"),
    "a learning rate": (CRNN, at("Optimizer.lr.name"), "Optimizer.lr.name"),
    "a regularizer": (CRNN, at("Optimizer.regularizer.name"), "Optimizer.regularizer.name"),
    "a loss": (CRNN, at("Loss.name"), "Loss.name"),
    "a second key in a part of MultiLoss": (
        V4,
        at("Loss.loss_config_list.0", lambda code: {"CTCLoss": None, code: None}),
        "Loss.loss_config_list",
    ),
    "a head of a MultiHead": (
        V4,
        at("Architecture.Head.head_list.0", lambda code: {code: {"Neck": {"name": "svtr"}, "Head": {}}}),
        "Architecture.Head.head_list",
    ),
    "a text among the heads": (V4, at("Architecture.Head.head_list.0"), "Architecture.Head.head_list"),
    "a post-processing": (CRNN, at("PostProcess.name"), "PostProcess.name"),
    "a metric": (CRNN, at("Metric.name"), "Metric.name"),
    "a backbone": (CRNN, at("Architecture.Backbone.name"), "Architecture.Backbone.name"),
    "a neck": (CRNN, at("Architecture.Neck.name"), "Architecture.Neck.name"),
    "a transform of images": (SVTR, at("Architecture.Transform.name"), "Architecture.Transform.name"),
    "a head": (CRNN, at("Architecture.Head.name"), "Architecture.Head.name"),
    "an activation, which SVTRNet evaluates": (SVTR, at("Architecture.Backbone.act"), "Architecture.Backbone.act"),
    "a name that quits": (SVTR, at("Architecture.Backbone.norm_layer", lambda code: "exit"), "Backbone.norm_layer"),
    "a dotted name": (SVTR, at("Architecture.Backbone.sub_norm", lambda code: "os.abort"), "Backbone.sub_norm"),
    "the mode of MicroNet": (
        CRNN,
        at("Architecture.Backbone", lambda code: {"name": "MicroNet", "mode": code}),
        "Architecture.Backbone.name",
    ),
    "another class for the architecture": (CRNN, at("Architecture.name", lambda code: "importlib"), "'name'"),
    "models to distil": (CRNN, at("Architecture.Models", lambda code: {"Teacher": {"pretrained": code}}), "'Models'"),
    "weights that a backbone fetches": (
        CRNN,
        at("Architecture.Backbone.pretrained", lambda code: True),
        "Architecture.Backbone.pretrained is not supported: weights come from the pretrained channel",
    ),
    "a file that the exporter opens": (
        CRNN,
        at("Architecture.algorithm", lambda code: "LaTeXOCR"),
        "Architecture.algorithm",
    ),
    "a dataset": (CRNN, at("Train.dataset.name"), "Train.dataset.name"),
    "a sampler": (V4, at("Train.sampler.name"), "Train.sampler.name"),
    "a collate function": (CRNN, at("Train.loader.collate_fn"), "Train.loader.collate_fn"),
    "a model's name that leads elsewhere": (V4, at("Global.model_name", lambda code: "../../x"), "Global.model_name"),
    "a model's name that is code": (V4, at("Global.model_name"), "Global.model_name"),
    "a model of another kind": (CRNN, at("Architecture.model_type"), "Architecture.model_type"),
}

# name: text of the recipe, what the refusal names
TEXTS = {
    "a tag that calls": ("Global: !!python/object/apply:os.system ['touch MARK']\n", "recipe.yml:1"),
    "a tag that makes": ("Global:\n  epoch_num: !!python/object/new:os.system ['touch MARK']\n", "recipe.yml:2"),
    "a tag that names": ("Loss: {name: !!python/name:os.system ''}\n", "recipe.yml:1"),
    "a tag that imports": ("Loss: !!python/module:antigravity ''\n", "recipe.yml:1"),
    "two documents": ("a: 1\n---\nb: 2\n", "recipe.yml"),
    "a list": ("- 1\n", "recipe.yml"),
}

OVERRIDES = {
    "Optimizer.lr.name": "__import__('os').system('touch MARK')",
    "Train.dataset.transforms.0": "{\"__import__('os').system('touch MARK')\": {}}",
    "Architecture.Backbone.model_name": "__import__('os').system('touch MARK')",
    "Loss.loss_config_list": "[{CTCLoss: null, \"open('MARK', 'w')\": null}, {NRTRLoss: null}]",
    "Train.sampler.scales": "!!python/object/apply:os.system ['touch MARK']",
    "Global.__class__": "x",
    "__import__('os').system('touch MARK')": "x",
}


def refusal(error: pytest.ExceptionInfo[UserError]) -> str:
    message = str(error.value)
    assert len(message.splitlines()) == 1
    return message


def test_there_are_twenty_payloads():
    assert len(RECIPES) + len(TEXTS) + len(OVERRIDES) >= 20


@pytest.mark.parametrize("name", RECIPES)
def test_a_payload_in_a_recipe(tmp_path: Path, name: str):
    source, change, named = RECIPES[name]
    mark, path = tmp_path / "ran", tmp_path / "recipe.yml"
    recipe = yaml.safe_load(source.read_text())
    change(recipe, f"__import__('os').system('touch {mark}')")
    path.write_text(yaml.safe_dump(recipe))
    with pytest.raises(UserError) as error:
        load_recipe(path)
    assert refusal(error).startswith(f"{path}: ")
    assert named in refusal(error)
    assert not mark.exists()


@pytest.mark.parametrize("name", TEXTS)
def test_a_payload_in_the_yaml(tmp_path: Path, name: str):
    text, named = TEXTS[name]
    mark, path = tmp_path / "ran", tmp_path / "recipe.yml"
    path.write_text(text.replace("MARK", str(mark)))
    with pytest.raises(UserError) as error:
        load_recipe(path)
    assert named in refusal(error)
    assert not mark.exists()


@pytest.mark.parametrize("aliases", ["self", "powers", "deep"])
def test_yaml_that_grows_without_end(tmp_path: Path, aliases: str):
    path = tmp_path / "recipe.yml"
    levels = [f"x{i}: &x{i} [{', '.join([f'*x{i - 1}'] * 9)}]" for i in range(1, 9)]
    bombs = {
        "self": "x: &x [*x]",
        "powers": "\n".join(["x0: &x0 [1, 2, 3, 4, 5, 6, 7, 8, 9]", *levels]),
        "deep": "x: " + "[" * 60 + "]" * 60,
    }
    path.write_text(CRNN.read_text() + bombs[aliases])
    with pytest.raises(UserError, match="containers in containers without end"):
        load_recipe(path)


def asked(key: str, value: str) -> Recipe:
    written = {"config": "rec/PP-OCRv4/en_PP-OCRv4_rec.yml", key: value}
    return apply_parameters(load_recipe(V4), parse_hyperparameters(written), "recipe.yml").config


@pytest.mark.parametrize("key", OVERRIDES)
def test_a_payload_in_an_override(tmp_path: Path, key: str):
    mark = tmp_path / "ran"
    with pytest.raises(UserError) as error:
        asked(key, OVERRIDES[key].replace("MARK", str(mark)))
    assert key.split(".")[0] in refusal(error)
    assert not mark.exists()


@pytest.mark.parametrize("key", ["Global.character_dict_path", "Global.infer_img", "Global.save_model_dir"])
def test_a_payload_where_a_path_is_expected_stays_a_text(tmp_path: Path, key: str):
    mark = tmp_path / "ran"
    payload = f"!!python/object/apply:os.system ['touch {mark}']"
    assert dict(flatten(asked(key, payload)))[key] == payload
    assert not mark.exists()
