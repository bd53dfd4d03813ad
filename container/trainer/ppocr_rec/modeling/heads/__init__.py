"""Heads: what was seen → class scores (B, T, classes)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paddle import nn

from ...supported import construct
from .ctc_head import CTCHead
from .multi_head import MultiHead

HEADS = {"CTCHead": CTCHead, "MultiHead": MultiHead}


def build_head(config: Mapping[str, Any], in_channels: int) -> nn.Layer:
    return construct("Head", "networks", config, HEADS, in_channels=in_channels)
