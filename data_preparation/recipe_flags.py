"""The recipe that a dataset is looked at with: its flags, and the recipe that they ask for."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from contract.errors import UserError

if TYPE_CHECKING:
    from contract.parameters import OpenRecipe


def add_recipe_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config",
        metavar="RECIPE",
        help="the recipe to check against: a path, or a name under configs/ (default: check the dataset alone)",
    )
    parser.add_argument(
        "-o", dest="overrides", action="append", default=[], metavar="K=V", help="override a key of the recipe"
    )


def check_recipe_arguments(args: argparse.Namespace) -> None:
    """Raise UserError for overrides of no recipe; reads nothing."""
    if args.config == "":  # of a variable that is not set
        raise UserError("--config is empty: name a recipe or leave it out")
    if args.overrides and not args.config:
        raise UserError("-o changes a recipe: name the recipe with --config")


def asked_recipe(args: argparse.Namespace) -> OpenRecipe | None:
    """The recipe with its overrides; None: the dataset alone. Raises UserError."""
    from data_preparation.validation import open_recipe

    return open_recipe(args.config, args.dataset, args.overrides) if args.config else None
