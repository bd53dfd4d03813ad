"""Losses: (model output, batch) → {"loss": scalar}."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paddle import nn

from ..supported import construct
from .ctc_loss import CTCLoss

LOSSES = {"CTCLoss": CTCLoss}


def build_loss(config: Mapping[str, Any]) -> nn.Layer:
    return construct("Loss", "losses", config, LOSSES)
