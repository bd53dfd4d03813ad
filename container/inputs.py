"""The recipe and the dataset of a job, checked before anything trains."""

from __future__ import annotations

from collections.abc import Callable

from container.job import Job
from contract.check import check_dataset, check_limits
from contract.label_fit import fit_to_labels
from contract.parameters import OpenRecipe, apply_parameters
from contract.picture import Look
from contract.recipe import find_recipe, limits_of, load_recipe
from contract.report import Report

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

    def decode(data: bytes) -> Look | None:
        try:
            image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        except cv2.error:
            return None
        return None if image is None else Look((image.shape[1], image.shape[0]))

    def show_progress(done: int, total: int) -> None:
        if done % PROGRESS_EVERY == 0:
            say(f"checked {done:,} of {total:,} samples")

    report = check_dataset(job.training, None, decode, validation=job.validation, progress=show_progress)
    recipe = fit_to_labels(recipe, report)
    report.problems += check_limits(report, limits_of(recipe.config))
    for note in report.notes:
        say(f"note: {note}")
    for kind, problems in report.warnings.kept.items():
        say(f"warning: {kind}: {report.warnings.counts[kind]:,}, the first at {problems[0]}")
    report.refuse()
    return report, recipe
