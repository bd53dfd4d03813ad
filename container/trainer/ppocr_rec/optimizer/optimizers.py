"""Adam (https://arxiv.org/abs/1412.6980) and AdamW (https://arxiv.org/abs/1711.05101) over a model."""

from __future__ import annotations

from typing import Any

from paddle import Tensor, nn, optimizer

from .learning_rate import LearningRate

ADAMW_DECAY = 0.01  # where the recipe names none


def trainable(model: nn.Layer) -> list[Tensor]:
    return [parameter for parameter in model.parameters() if parameter.trainable]


def adam(
    model: nn.Layer,
    learning_rate: LearningRate,
    grad_clip: Any,
    decay: Any,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    lazy_mode: bool = False,
) -> optimizer.Adam:
    return optimizer.Adam(
        learning_rate,
        beta1,
        beta2,
        epsilon,
        parameters=trainable(model),
        weight_decay=decay,
        grad_clip=grad_clip,
        lazy_mode=lazy_mode,
    )


def adamw(
    model: nn.Layer,
    learning_rate: LearningRate,
    grad_clip: Any,
    decay: Any,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    multi_precision: bool = False,
    lazy_mode: bool = False,
    no_weight_decay_name: str | None = None,
    one_dim_param_no_weight_decay: bool = False,
) -> optimizer.AdamW:
    """`no_weight_decay_name`: words parted by spaces; a parameter with one of them in its name is spared."""
    if not isinstance(decay, int | float | None):
        raise ValueError("Optimizer.regularizer of AdamW has to be L2, which it applies as decoupled weight decay.")
    spared_words = (no_weight_decay_name or "").split()
    spared = {
        parameter.name
        for name, parameter in model.named_parameters()
        if any(word in name for word in spared_words) or (one_dim_param_no_weight_decay and parameter.ndim == 1)
    }
    return optimizer.AdamW(
        learning_rate,
        beta1,
        beta2,
        epsilon,
        parameters=trainable(model),
        weight_decay=ADAMW_DECAY if decay is None else float(decay),
        apply_decay_param_fun=lambda name: name not in spared,
        grad_clip=grad_clip,
        lazy_mode=lazy_mode,
        multi_precision=multi_precision,
    )


OPTIMIZERS = {"Adam": adam, "AdamW": adamw}
