"""Necks: feature columns (B, channels, 1, T) → a sequence (B, T, features)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paddle import nn

from ...supported import choose
from .sequence_encoder import SequenceEncoder

NECKS = {"SequenceEncoder": SequenceEncoder}


def build_neck(config: Mapping[str, Any], in_channels: int) -> nn.Layer:
    settings = dict(config)
    return choose("Neck", "networks", settings.pop("name", None), NECKS)(in_channels, **settings)
