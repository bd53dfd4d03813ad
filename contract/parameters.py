"""A job's hyperparameters and overrides put into its recipe, with what has to follow them.

One way for the launcher's plan, the validator and the container, so that all three mean the same recipe.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contract.agreement import RULES, disagreements
from contract.errors import UserError
from contract.flat import flatten
from contract.hyperparameters import Hyperparameters
from contract.recipe import Recipe, check_recipe, with_override
from contract.recipe_rules import check_rate


@dataclass(frozen=True)
class Change:
    """One row of the before/after table: a recipe key, its values, and why it changed."""

    key: str
    before: Any
    after: Any
    reason: str


@dataclass(frozen=True)
class OpenRecipe:
    """The recipe of a job, with hyperparameters and overrides in it."""

    name: str
    config: Recipe
    changes: tuple[Change, ...]

    @property
    def asked(self) -> list[str]:
        """The keys that the job has set, and those that follow them: nothing else may choose them."""
        return [change.key for change in self.changes]


# Hyperparameters that stand for a key of the recipe.
RECIPE_KEYS = {
    "epochs": "Global.epoch_num",
    "batch_size": "Train.loader.batch_size_per_card",
    "learning_rate": "Optimizer.lr.learning_rate",
    "seed": "Global.seed",
    "max_text_length": "Global.max_text_length",
}


def apply_parameters(recipe: Recipe, parameters: Hyperparameters, where: Path | str) -> OpenRecipe:
    """The recipe as asked for, and a row for each change. Raises UserError; `where` names the recipe in it."""
    config = recipe
    changes: list[Change] = []

    def put(key: str, raw: str, reason: str) -> None:
        nonlocal config
        config = with_override(config, key, raw)
        changes.append(Change(key, value_at(recipe, key), value_at(config, key), reason))

    for key, raw in parameters.overrides:
        put(key, raw, "override")
    check_rate(config, where)
    config, followers = _rate_fits_its_schedule(config)
    changes += followers
    for parameter, key in RECIPE_KEYS.items():
        value = getattr(parameters, parameter)
        if value is not None:
            put(*_as_override(parameter, key, value, config, where), f"hyperparameter {parameter}")
    asked = [change.key for change in changes]
    check_recipe(config, where)  # before anybody walks through it
    config, followers = make_agree(config, asked)
    overridden = {key for key, _ in parameters.overrides}
    for row in followers:
        if row.key in overridden:
            raise UserError(f"-o {row.key}={row.before}: {row.reason}, so it is {row.after}: leave this -o out")
    check_recipe(config, where)
    return OpenRecipe(str(where), config, (*changes, *followers))


def make_agree(recipe: Recipe, asked: list[str]) -> tuple[Recipe, list[Change]]:
    """The recipe with its copies in step, and a row for each that was not. `asked`: the keys that others follow."""
    changes: list[Change] = []
    for rule in RULES:
        for key, value, reason in disagreements(recipe, asked, rule):
            before = value_at(recipe, key)
            recipe = with_override(recipe, key, json.dumps(value))
            changes.append(Change(key, before, value, reason))
    return recipe, changes


def value_at(recipe: Recipe, key: str) -> Any:
    """The value of a dotted key, or None where the recipe leaves it out."""
    return next((value for found, value in flatten(recipe) if found == key), None)


def with_value(recipe: Recipe, key: str, value: Any) -> Recipe:
    """A copy of the recipe with one dotted key set; its last part may be new."""
    changed = copy.deepcopy(recipe)
    holder: Any = changed
    *parents, last = key.split(".")
    for part in parents:
        holder = holder[int(part)] if isinstance(holder, list) else holder[part]
    holder[int(last) if isinstance(holder, list) else last] = value
    return changed


def _as_override(parameter: str, key: str, value: object, recipe: Recipe, where: Path | str) -> tuple[str, str]:
    """The recipe key and raw value that a hyperparameter stands for. Raises UserError."""
    rate = recipe["Optimizer"]["lr"]
    if parameter == "learning_rate" and rate.get("name") == "Piecewise":  # it has steps: all of them are scaled
        steps = [float(step) for step in rate["values"]]
        if not any(steps):
            raise UserError(f"{where}: Optimizer.lr.values are all 0: learning_rate cannot scale them, write steps")
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
