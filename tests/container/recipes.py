"""A recipe over a dataset folder, as the trainer and PaddleOCR's own datasets want it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from contract.recipe import CONFIGS, load_recipe


def recipe_over(folder: Path, recipe: str, *without: str) -> dict[str, Any]:
    """The recipe, without the transforms named."""
    config = copy.deepcopy(load_recipe(CONFIGS / recipe))
    config["Global"]["character_dict_path"] = str(folder / "dict.txt")
    for mode, labels in (("Train", "train.txt"), ("Eval", "val.txt")):
        dataset = config[mode]["dataset"]
        dataset["data_dir"], dataset["label_file_list"] = str(folder), [str(folder / labels)]
        dataset["transforms"] = [each for each in dataset["transforms"] if next(iter(each)) not in without]
    return config
