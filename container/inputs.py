"""The recipe and the dataset of a job, checked before anything trains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from container.job import Job
from contract.check import Report, check_dataset
from contract.parameters import Change, apply_parameters
from contract.recipe import Recipe, find_recipe, limits_of, load_recipe

PROGRESS_EVERY = 10_000  # images between two lines of progress


@dataclass(frozen=True)
class OpenRecipe:
    """The recipe with the job's hyperparameters and overrides in it."""

    name: str
    config: Recipe
    changes: tuple[Change, ...]


def open_recipe(job: Job) -> OpenRecipe:
    """Load the job's recipe and put hyperparameters and overrides into it. Raises UserError."""
    name = job.parameters.config
    config, changes = apply_parameters(load_recipe(find_recipe(name, job.training)), job.parameters, name)
    return OpenRecipe(name, config, changes)


def open_dataset(job: Job, recipe: OpenRecipe, say: Callable[[str], None]) -> Report:
    """Check the training channel (and the validation channel, if any) against the recipe. Raises UserError."""
    import cv2
    import numpy as np

    def decodes(data: bytes) -> bool:
        try:
            return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) is not None
        except cv2.error:
            return False

    def show_progress(done: int, total: int) -> None:
        if done % PROGRESS_EVERY == 0:
            say(f"checked {done:,} of {total:,} samples")

    report = check_dataset(
        job.training, limits_of(recipe.config), decodes, validation=job.validation, progress=show_progress
    )
    for note in report.notes:
        say(f"note: {note}")
    report.refuse()
    return report
