"""What a job reads that is on this machine: the folders of its channels and its recipe."""

from __future__ import annotations

from pathlib import Path

from contract.dataset import DICTIONARY, TRAIN_LABELS, VAL_LABELS
from contract.errors import UserError
from contract.paths import DEFAULT_BASE_DIR, PRETRAINED_CHANNEL, TRAINING_CHANNEL, VALIDATION_CHANNEL, JobPaths
from contract.recipe import CONFIGS, find_recipe
from launcher.settings import Settings

# The channel of a recipe that is neither in the image nor in the dataset: a folder that holds this one file.
RECIPE_CHANNEL = "recipe"

NO_DATASET = "there is no dataset: name its folder with --dataset, OCR_DATASET or `dataset:` in launcher.yml"


def channels_here(settings: Settings) -> dict[str, Path]:
    """The channels that are folders of this machine. Raises UserError for one that will not do."""
    channels = {}
    if settings.dataset:
        _check_dataset(settings.dataset)
        channels[TRAINING_CHANNEL] = settings.dataset
    if settings.validation:
        if not any((settings.validation / name).is_file() for name in (VAL_LABELS, TRAIN_LABELS)):
            raise UserError(
                f"--validation {settings.validation}: it has neither {VAL_LABELS} nor {TRAIN_LABELS}: name a dataset"
            )
        channels[VALIDATION_CHANNEL] = settings.validation
    if settings.pretrained:
        _check_pretrained(settings.pretrained)
        channels[PRETRAINED_CHANNEL] = settings.pretrained
    return channels


def _check_dataset(folder: Path) -> None:
    if not folder.is_dir():
        raise UserError(
            f"there is no dataset {folder}: not a folder: name another --dataset, or make it with data_preparation"
        )
    for name in (TRAIN_LABELS, DICTIONARY):
        if not (folder / name).is_file():
            raise UserError(f"{folder}: {name} is missing: a dataset has {TRAIN_LABELS} and {DICTIONARY}")


def _check_pretrained(folder: Path) -> None:
    if not folder.is_dir():
        raise UserError(f"--pretrained {folder}: not a folder: name the one that holds the .pdparams file")
    count = sum(1 for _ in folder.rglob("*.pdparams"))
    if count != 1:
        raise UserError(f"--pretrained {folder}: it holds {count or 'no'} .pdparams files: name a folder with one")


def path_in_recipe_channel(recipe_file_name: str) -> str:
    """Where a job finds a recipe that travels in a channel of its own."""
    return (JobPaths(Path(DEFAULT_BASE_DIR)).channel(RECIPE_CHANNEL) / recipe_file_name).as_posix()


def choose_recipe(settings: Settings, dataset: Path | None) -> tuple[str, Path]:
    """The hyperparameter `config` and the file it means. `dataset`: its folder, when it is on this machine.

    A name means configs/ first, then the dataset, then the current folder; `./name` is always the user's own file.
    """
    name = settings.config
    own = settings.config_folder / Path(name).expanduser()
    if name.startswith((".", "~")) or Path(name).is_absolute():
        if not own.is_file():
            raise UserError(f"there is no recipe {name!r}: no such file")
        found = own
    else:
        try:
            found = find_recipe(name, dataset)
        except UserError:
            if not own.is_file():
                raise
            found = own
    found = found.resolve()
    for root in (CONFIGS, *([dataset.resolve()] if dataset else [])):
        if found.is_relative_to(root):
            name = found.relative_to(root).as_posix()
            if find_recipe(name, dataset).resolve() == found:  # a recipe of the dataset may share its name with ours
                return name, found
    return str(found), found
