"""A job's hyperparameters and overrides put into its recipe, with what has to follow them.

One way for the launcher's plan, the validator and the container, so that all three mean the same recipe.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contract.hyperparameters import Hyperparameters
from contract.recipe import Recipe, check_recipe, flatten, resize_keys, with_override


@dataclass(frozen=True)
class Change:
    """One row of the before/after table: a recipe key, its values, and why it changed."""

    key: str
    before: Any
    after: Any
    reason: str


# Hyperparameters that stand for a key of the recipe.
RECIPE_KEYS = {
    "epochs": "Global.epoch_num",
    "batch_size": "Train.loader.batch_size_per_card",
    "learning_rate": "Optimizer.lr.learning_rate",
    "seed": "Global.seed",
    "max_text_length": "Global.max_text_length",
}


def apply_parameters(
    recipe: Recipe, parameters: Hyperparameters, where: Path | str
) -> tuple[Recipe, tuple[Change, ...]]:
    """The recipe as asked for, and a row for each change. Raises UserError; `where` names the recipe in it."""
    config = recipe
    changes: list[Change] = []

    def put(key: str, raw: str, reason: str) -> None:
        nonlocal config
        config = with_override(config, key, raw)
        changes.append(Change(key, value_at(recipe, key), value_at(config, key), reason))

    for key, raw in parameters.overrides:
        put(key, raw, "override")
    config, followers = _rate_fits_its_schedule(config)
    changes += followers
    for parameter, key in RECIPE_KEYS.items():
        value = getattr(parameters, parameter)
        if value is not None:
            put(*_as_override(parameter, key, value, config), f"hyperparameter {parameter}")
    asked = [change.key for change in changes]
    config, followers = _lengths_follow(config, asked)
    changes += followers
    config, followers = _evaluation_follows(config, asked)
    changes += followers
    check_recipe(config, where)
    return config, tuple(changes)


def value_at(recipe: Recipe, key: str) -> Any:
    """The value of a dotted key, or None where the recipe leaves it out."""
    return next((value for found, value in flatten(recipe) if found == key), None)


def _as_override(parameter: str, key: str, value: object, recipe: Recipe) -> tuple[str, str]:
    """The recipe key and raw value that a hyperparameter stands for."""
    rate = recipe["Optimizer"]["lr"]
    if parameter == "learning_rate" and rate.get("name") == "Piecewise":  # it has steps: all of them are scaled
        steps = [float(step) for step in rate["values"]]
        return "Optimizer.lr.values", str([step / max(steps) * float(str(value)) for step in steps])
    return key, str(value)


def _rate_fits_its_schedule(config: Recipe) -> tuple[Recipe, list[Change]]:
    """`-o Optimizer.lr.name=Cosine` on a recipe with steps: the highest step is the rate to start from."""
    rate = dict(config["Optimizer"]["lr"])
    if rate.get("name") == "Piecewise" or "values" not in rate:
        return config, []
    before = dict(rate)
    steps = rate.pop("values")
    rate.pop("decay_epochs", None)
    rate.setdefault("learning_rate", max(steps))
    changed = config | {"Optimizer": config["Optimizer"] | {"lr": rate}}
    return changed, [Change("Optimizer.lr", before, rate, f"{rate.get('name', 'Const')} has no steps")]


def _lengths_follow(config: Recipe, asked: list[str]) -> tuple[Recipe, list[Change]]:
    """Copies of max_text_length elsewhere (YAML anchors, long resolved) follow the one in Global."""
    if "Global.max_text_length" not in asked:
        return config, []
    keys = [key for key, _ in flatten(config) if key.endswith(".max_text_length") and not key.startswith("Global")]
    return _set_all(config, keys, str(config["Global"]["max_text_length"]), "follows Global.max_text_length")


def _evaluation_follows(config: Recipe, asked: list[str]) -> tuple[Recipe, list[Change]]:
    """A wider training input is evaluated at that width too, unless the evaluation's own was asked for."""
    train, evaluation = ([key for key in resize_keys(config) if key.startswith(mode)] for mode in ("Train", "Eval"))
    wanted = [key for key in asked if any(key.startswith(shape) for shape in train)]
    if not wanted or any(key.startswith(shape) for key in asked for shape in evaluation):
        return config, []
    return _set_all(config, evaluation, str(value_at(config, train[0])), "follows the training input")


def _set_all(config: Recipe, keys: list[str], raw: str, reason: str) -> tuple[Recipe, list[Change]]:
    changes = []
    for key in keys:
        before = value_at(config, key)
        config = with_override(config, key, raw)
        changes.append(Change(key, before, value_at(config, key), reason))
    return config, changes
