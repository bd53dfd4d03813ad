"""Backbones: images (B, C, 32, W) → feature columns (B, channels, 1, W / 4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paddle import nn

from ...supported import construct
from .mobilenet_v3 import MobileNetV3

BACKBONES = {"MobileNetV3": MobileNetV3}


def build_backbone(config: Mapping[str, Any], in_channels: int) -> nn.Layer:
    return construct("Backbone", "networks", config, BACKBONES, in_channels=in_channels)
