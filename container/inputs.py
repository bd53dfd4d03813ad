"""The recipe and the dataset of a job, checked before anything trains."""

from __future__ import annotations

from collections.abc import Callable

from container.job import Job
from contract.check import Report, check_dataset, check_limits
from contract.label_fit import fit_to_labels
from contract.parameters import OpenRecipe, apply_parameters
from contract.recipe import find_recipe, limits_of, load_recipe

PROGRESS_EVERY = 10_000  # images between two lines of progress


def open_recipe(job: Job) -> OpenRecipe:
    """Load the job's recipe and put hyperparameters and overrides into it. Raises UserError."""
    name = job.parameters.config
    return apply_parameters(load_recipe(find_recipe(name, job.training)), job.parameters, name)


def open_dataset(job: Job, recipe: OpenRecipe, say: Callable[[str], None]) -> tuple[Report, OpenRecipe]:
    """Check the training channel (and the validation channel, if any), and fit the recipe to its labels.

    Raises UserError for what is wrong with the dataset, and for labels that the recipe cannot learn.
    """
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

    report = check_dataset(job.training, None, decodes, validation=job.validation, progress=show_progress)
    recipe = fit_to_labels(recipe, report)
    report.problems += check_limits(report, limits_of(recipe.config))
    for note in report.notes:
        say(f"note: {note}")
    report.refuse()
    return report, recipe
