"""Losses: (model output, batch) → {"loss": scalar}, beside it the parts of a sum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paddle import nn

from ..supported import construct
from .ctc_loss import CTCLoss
from .multi_loss import MultiLoss

LOSSES = {"CTCLoss": CTCLoss, "MultiLoss": MultiLoss}


def build_loss(config: Mapping[str, Any]) -> nn.Layer:
    return construct("Loss", "losses", config, LOSSES)
