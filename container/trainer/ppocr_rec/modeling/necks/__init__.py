"""Necks: feature columns (B, channels, 1, T) → a sequence (B, T, features)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paddle import nn

from ...supported import construct
from .sequence_encoder import SequenceEncoder

NECKS = {"SequenceEncoder": SequenceEncoder}


def build_neck(config: Mapping[str, Any], in_channels: int) -> nn.Layer:
    return construct("Neck", "networks", config, NECKS, in_channels=in_channels)
