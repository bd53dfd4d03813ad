"""How much memory a training step takes: an estimate, for choosing a batch before anything is built.

Activations grow with the pixels of the network's input, classes with the time steps that are scored. The figures are
measured on a CPU, in float32 (peak of a step, slope between two batch sizes; `python -m benchmarks.recipe_cost`). A GPU
adds its context, cuDNN's workspaces and fragmentation; what they take was never measured, so the margins are generous.
"""

from __future__ import annotations

from typing import Any

from contract.batches import scales_of
from contract.machine import GIB
from contract.recipe import Recipe, limits_of

# Bytes for one sample and one pixel of the network's input, forward and backward, in float32.
_MOBILENET_V3 = {"large": 4030, "small": 1500}  # at scale 0.5
_SVTR = {64: 5320, 128: 14700}  # by the first embed_dim: tiny and base
_PPLCNET_V3 = 12400  # at scale 0.95, with both heads of MultiHead

BYTES_PER_SCORE = 20  # of one class at one time step: logits, their softmax, and the gradients of both
HALF_PRECISION = 0.6  # of float32: activations halve, what stays in float32 does not
CONTEXT = 3 * GIB // 2  # CUDA, cuDNN and the optimizer's states, which are small beside it
ROOM = 0.85  # of a GPU's memory; the rest is lost to fragments


def sample_bytes(recipe: Recipe, classes: int, half: bool) -> int | None:
    """Memory that one more sample in a batch takes; None for a network that was not measured."""
    per_pixel = _bytes_per_pixel(recipe["Architecture"]["Backbone"])
    if per_pixel is None:
        return None
    limits = limits_of(recipe)
    steps = limits.time_steps + (limits.longest_label if limits.reserved else 0)  # NRTR scores each place of the label
    activations = per_pixel * pixels_of_a_sample(recipe) + BYTES_PER_SCORE * classes * steps
    return round(activations * (HALF_PRECISION if half else 1))


def pixels_of_a_sample(recipe: Recipe) -> int:
    """Of the network's input, for one sample of the batch size that the recipe states."""
    scales = scales_of(recipe)
    if scales is None:
        limits = limits_of(recipe)
        return limits.height * limits.width
    if scales.fix_batch:
        return max(width * height for width, height in scales.sizes)
    return scales.first_pixels  # fewer samples at larger sizes: the memory stays the same


def largest_batch(memory: int, each: int) -> int:
    """The largest batch that a GPU with this much memory takes (bytes)."""
    return max(1, int((memory * ROOM - CONTEXT) / each))


def _bytes_per_pixel(backbone: dict[str, Any]) -> float | None:
    scale = float(backbone.get("scale") or 0.5)
    if backbone["name"] == "MobileNetV3":
        return _MOBILENET_V3.get(str(backbone.get("model_name", "small")), _MOBILENET_V3["large"]) * scale / 0.5
    if backbone["name"] == "PPLCNetV3":
        return _PPLCNET_V3 * float(backbone.get("scale") or 0.95) / 0.95
    if backbone["name"] == "SVTRNet":
        return _SVTR.get((backbone.get("embed_dim") or [64])[0])
    return None
