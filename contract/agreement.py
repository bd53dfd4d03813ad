"""What a recipe says twice must agree.

A recipe holds copies (most of them YAML anchors, resolved when it was loaded): the batch size for loader and sampler,
the longest label, the size of the input. PaddleOCR reads each copy by itself and goes on with whatever it finds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from contract.batches import SAMPLER_KEYS
from contract.flat import flatten
from contract.recipe import IMG_SIZE, TPS_OUTPUTSIZE, limits_of, resize_keys
from contract.recipe_rules import Recipe, resizing

LOADER_BATCH, SAMPLER_BATCH = "Train.loader.batch_size_per_card", "Train.sampler.first_bs"

Wanted = Iterator[tuple[str, Any, str]]  # a key, the value it should have, and why


def disagreements(recipe: Recipe, asked: list[str], rule: Callable[[Recipe, list[str]], Wanted]) -> Wanted:
    """What of a rule is not so yet. `asked`: keys that somebody set, which the others follow."""
    written = dict(flatten(recipe))
    for key, value, reason in rule(recipe, asked):
        if written.get(key) != value:
            yield key, value, reason


def one_batch_size(recipe: Recipe, asked: list[str]) -> Wanted:
    """PaddleOCR's sampler decides over the loader, so it must hear what the loader was told."""
    if not recipe["Train"].get("sampler"):
        return
    if LOADER_BATCH in asked:
        yield SAMPLER_BATCH, recipe["Train"]["loader"]["batch_size_per_card"], f"follows {LOADER_BATCH}"
    else:
        first = (SAMPLER_KEYS | recipe["Train"]["sampler"])["first_bs"]
        yield LOADER_BATCH, first, "the sampler decides"


def one_longest_label(recipe: Recipe, asked: list[str]) -> Wanted:
    """Copies of Global.max_text_length follow it. Lines are joined to what the label encoders take, and no longer."""
    longest = recipe["Global"].get("max_text_length", 25)
    learnable = limits_of(recipe).longest_label
    for key, value in flatten(recipe):
        if not key.endswith(".max_text_length") or key.startswith("Global"):
            continue
        if not key.endswith("RecConAug.max_text_length"):
            yield key, longest, "follows Global.max_text_length"
        elif value > learnable:
            yield key, learnable, "joined lines must not be longer than the longest label"
        elif "Global.max_text_length" in asked and key not in asked:
            yield key, learnable, "follows Global.max_text_length"


def evaluated_as_trained(recipe: Recipe, asked: list[str]) -> Wanted:
    """A wider training input is evaluated at that width too, unless the evaluation's own was asked for."""
    evaluation = [key for key in resize_keys(recipe) if key.startswith("Eval")]
    if any(key.startswith(shape) for key in asked for shape in evaluation):
        return
    written = dict(flatten(recipe))
    trained = [key for key in resize_keys(recipe) if key.startswith("Train")]
    if any(key.startswith(shape) for key in asked for shape in trained):
        for key in evaluation:
            yield key, written[trained[0]], "follows the training input"
    if any(key.startswith("Train.sampler.scales") for key in asked):
        width, height = _middle(recipe)
        for key in evaluation:
            yield key, [3, height, width], "follows the sampler's scales"
        for key in written:
            if key.endswith("RecConAug.image_shape"):
                yield key, [height, width, 3], "follows the sampler's scales"


def backbone_sees_the_input(recipe: Recipe, asked: list[str]) -> Wanted:
    """SVTR has a place embedding for each patch of its input: made for one size, it takes no other."""
    written = dict(flatten(recipe))
    size = written.get(IMG_SIZE)
    if size is None:
        return
    if recipe["Architecture"].get("Transform"):
        if TPS_OUTPUTSIZE in written:
            yield TPS_OUTPUTSIZE, size, f"follows {IMG_SIZE}"
        return
    _, options = resizing(recipe, "Train") or ("", {})
    yield IMG_SIZE, options["image_shape"][1:], "the backbone sees the training input"


def _middle(recipe: Recipe) -> tuple[int, int]:
    """The scale to evaluate at: the one of today's height, or else the middle one."""
    _, options = resizing(recipe, "Eval") or ("", {})
    scales = sorted(recipe["Train"]["sampler"]["scales"], key=lambda scale: scale[1])
    same = [scale for scale in scales if scale[1] == options["image_shape"][1]]
    width, height = (same or [scales[len(scales) // 2]])[0]
    return width, height


RULES = (one_batch_size, one_longest_label, evaluated_as_trained, backbone_sees_the_input)
