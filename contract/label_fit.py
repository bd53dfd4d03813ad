"""A recipe fitted to the labels where that costs next to nothing: longest label, the space, time steps.

One rule for the job and for whoever checks a dataset before it. PaddleOCR would leave out each label that does not fit
and train on without a word. A wider input is never chosen: it costs time in every step, so the user decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from contract.check import check_limits
from contract.limits import MOST_STEPS, ctc_steps
from contract.parameters import Change, OpenRecipe, make_agree, value_at
from contract.recipe import OUT_CHAR_NUM, limits_of, overrides_that_fit, with_override
from contract.report import Report

LONGEST, SPACE = "Global.max_text_length", "Global.use_space_char"


def fit_to_labels(recipe: OpenRecipe, report: Report) -> OpenRecipe:
    """The recipe with which every label of a checked dataset trains; unchanged when only the user can decide.

    What was asked for stays as it is.
    """
    limits = limits_of(recipe.config)
    needed = overrides_that_fit(
        recipe.config,
        longest_label=report.longest_label,
        most_steps=report.most_steps,
        aspect=report.typical_aspect,
        has_space=report.has_space,
    )
    marks = f", and NRTR's marks take {limits.reserved} places" if limits.reserved else ""
    reasons = {
        LONGEST: f"the longest label has {report.longest_label} code points{marks}",
        SPACE: "labels hold spaces",
        OUT_CHAR_NUM: f"CTC needs {report.most_steps} time steps for the hardest label",
    }
    if any(key not in reasons or key in recipe.asked for key, _ in needed):
        return recipe
    config, changes = recipe.config, list(recipe.changes)
    for key, raw in needed:
        before = value_at(config, key)
        config = with_override(config, key, raw)
        changes.append(Change(key, before, value_at(config, key), reasons[key]))
    if check_limits(report, limits_of(config)):
        return recipe  # a network with a fixed number of steps: no length helps
    config, followers = make_agree(config, [key for key, _ in needed])
    return replace(recipe, config=config, changes=(*changes, *followers))


def fits_as_wide_as_it_is(recipe: OpenRecipe) -> Callable[[str], bool]:
    """Whether a label trains without a wider input, and with what was asked for."""
    limits = limits_of(recipe.config)
    steps, longest = limits.time_steps, MOST_STEPS
    if limits.steps_key and limits.steps_key not in recipe.asked:
        steps = limits.width // limits.pixels_per_step
    if LONGEST in recipe.asked:
        longest = limits.longest_label
    return lambda label: len(label) <= longest and ctc_steps(label) <= steps
