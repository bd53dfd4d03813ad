"""Weight decay for every parameter that brings none of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paddle.regularizer import L1Decay

from ..supported import construct


def l1(factor: float = 0.0) -> L1Decay:
    return L1Decay(factor)


def l2(factor: float = 0.0) -> float:
    """A plain number: Adam takes it as an L2 penalty, AdamW as its decoupled decay."""
    return float(factor)


REGULARIZERS = {"L1": l1, "L2": l2, "L1Decay": l1, "L2Decay": l2}


def build_weight_decay(regularizer: Mapping[str, Any] | None, weight_decay: float | None) -> L1Decay | float | None:
    """What `Optimizer.regularizer` (name and factor) or else `Optimizer.weight_decay` (a number) asks for."""
    if regularizer is None:
        return weight_decay
    if weight_decay is not None:
        raise ValueError("Optimizer.regularizer and Optimizer.weight_decay are two ways to say the same: keep one.")
    return construct("Optimizer.regularizer", "regularizers", regularizer, REGULARIZERS)
