"""Learning-rate schedules. Recipes count in epochs, schedulers in steps: one step is one batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from paddle.optimizer.lr import CosineAnnealingDecay, LinearWarmup, LRScheduler, PiecewiseDecay

from ..supported import construct

LearningRate: TypeAlias = "float | LRScheduler"


def build_lr_scheduler(lr_config: Mapping[str, Any], epochs: int, step_each_epoch: int) -> LearningRate:
    """What `Optimizer.lr` describes: a number if it never changes, else a scheduler. No name means Const."""
    section = {"name": "Const", **lr_config}
    return construct("Optimizer.lr", "schedules", section, SCHEDULES, epochs=epochs, step_each_epoch=step_each_epoch)


def const(learning_rate: float, step_each_epoch: int, warmup_epoch: float = 0, last_epoch: int = -1) -> LearningRate:
    return warmed_up(float(learning_rate), learning_rate, warmup_epoch * step_each_epoch, last_epoch)


def cosine(
    learning_rate: float, epochs: int, step_each_epoch: int, warmup_epoch: float = 0, last_epoch: int = -1
) -> LearningRate:
    """Half a cosine from `learning_rate` to 0 over `epochs`, which begins when the warm-up has ended."""
    schedule = CosineAnnealingDecay(learning_rate, T_max=epochs * step_each_epoch, last_epoch=last_epoch)
    return warmed_up(schedule, learning_rate, warmup_epoch * step_each_epoch, last_epoch)


def piecewise(
    decay_epochs: Sequence[float],
    values: Sequence[float],
    step_each_epoch: int,
    warmup_epoch: float = 0,
    last_epoch: int = -1,
) -> LearningRate:
    """values[0] until decay_epochs[0], then values[1], and so on; epochs count from the end of warm-up."""
    boundaries = [int(epoch * step_each_epoch) for epoch in decay_epochs]
    schedule = PiecewiseDecay(boundaries, list(values), last_epoch=last_epoch)
    return warmed_up(schedule, values[0], warmup_epoch * step_each_epoch, last_epoch)


def warmed_up(schedule: LearningRate, peak: float, steps: float, last_epoch: int) -> LearningRate:
    """Rise evenly from 0 to `peak` over `steps`, then follow `schedule` from its start."""
    if steps <= 0:
        return schedule
    return LinearWarmup(schedule, warmup_steps=round(steps), start_lr=0.0, end_lr=peak, last_epoch=last_epoch)


SCHEDULES = {"Const": const, "Cosine": cosine, "Piecewise": piecewise}
