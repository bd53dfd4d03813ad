"""Finds the dictionary of trained weights by what people call them: a recipe, official weights, a file, a folder."""

from __future__ import annotations

from pathlib import Path

from contract.dataset import DICTIONARY
from contract.errors import UserError
from contract.hyperparameters import did_you_mean
from contract.recipe import find_recipe, load_recipe
from contract.tree_places import HOME_VARIABLE, tree_at_hand
from contract.weights_dictionary import (
    OldDictionary,
    dictionary_file,
    dictionary_of,
    official_dictionary,
    official_names,
)


def find_tree(named: Path | None) -> Path:
    """The PaddleOCR tree, which holds the official dictionaries. Nothing is fetched. Raises UserError."""
    tree = named or tree_at_hand()
    if tree is None:
        raise UserError(
            "the official dictionaries are in a PaddleOCR tree, and this machine has none: name its folder with --tree"
            f" or in {HOME_VARIABLE}, or fetch it once (3 MB) with python -m container fetch-tree"
        )
    if not (tree / "ppocr/utils/dict").is_dir():
        raise UserError(f"{tree} is not a PaddleOCR tree: it must hold ppocr/utils/dict")
    return tree


def old_dictionary(name: str, tree: Path | None) -> tuple[str, OldDictionary]:
    """What the weights are called and their characters in class order. Raises UserError.

    name: dict.txt or another .txt; a folder with weights or an exported model; a recipe with official weights (a path
    or its place under configs/); the name of official weights.
    """
    path = Path(name)
    if path.is_dir():
        found = dictionary_of(path, tree or tree_at_hand() or path)
        if found is None:
            raise UserError(f"{path} says nothing of a dictionary: put the {DICTIONARY} of its weights there")
        return path.name, found
    if path.suffix == ".txt":
        if not path.is_file():
            raise UserError(f"{path} does not exist: name a dictionary, a folder with weights, or a recipe")
        return path.name, dictionary_file(path)
    weights = _weights_of_recipe(name) if path.suffix in (".yml", ".yaml") else name.removesuffix(".pdparams")
    tree = find_tree(tree)
    known = official_dictionary(weights, tree)
    if known is None:
        raise UserError(f"the dictionary of {weights!r} is not known{did_you_mean(weights, official_names(tree))}")
    return weights.removesuffix("_pretrained"), known


def _weights_of_recipe(name: str) -> str:
    path = Path(name) if Path(name).is_file() else find_recipe(name)
    weights = load_recipe(path)["Global"].get("model_name")
    if not weights:
        raise UserError(f"{name} has no official weights: name their folder, or a {DICTIONARY}")
    return str(weights)
