"""From the recipe's `Optimizer` section to a paddle optimizer and its learning-rate schedule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paddle import nn
from paddle.nn import ClipGradByGlobalNorm, ClipGradByNorm
from paddle.optimizer import Optimizer

from ..supported import construct
from .learning_rate import LearningRate, build_lr_scheduler
from .optimizers import OPTIMIZERS
from .regularizer import build_weight_decay

__all__ = ["build_lr_scheduler", "build_optimizer"]


def build_optimizer(
    config: Mapping[str, Any], epochs: int, step_each_epoch: int, model: nn.Layer
) -> tuple[Optimizer, LearningRate, None]:
    """The optimizer, its learning rate (a number or a scheduler) and no weight-decay schedule.

    The third value is what the loop of paddleocr 3.7.0 unpacks.
    """
    section = dict(config)
    learning_rate = build_lr_scheduler(section.pop("lr"), epochs, step_each_epoch)
    decay = build_weight_decay(section.pop("regularizer", None), section.pop("weight_decay", None))
    grad_clip = build_gradient_clip(section.pop("clip_norm", None), section.pop("clip_norm_global", None))
    optimizer = construct(
        "Optimizer",
        "optimizers",
        section,
        OPTIMIZERS,
        model=model,
        learning_rate=learning_rate,
        grad_clip=grad_clip,
        decay=decay,
    )
    return optimizer, learning_rate, None


def build_gradient_clip(
    clip_norm: float | None, clip_norm_global: float | None
) -> ClipGradByNorm | ClipGradByGlobalNorm | None:
    """`clip_norm` bounds the norm of each gradient, `clip_norm_global` that of all; the first wins."""
    if clip_norm is not None:
        return ClipGradByNorm(clip_norm)
    return None if clip_norm_global is None else ClipGradByGlobalNorm(clip_norm_global)
