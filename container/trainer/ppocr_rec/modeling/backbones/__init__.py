"""Backbones: images (B, C, H, W) → feature columns (B, channels, 1, time steps)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paddle import nn

from ...supported import construct
from .lcnet_v3 import PPLCNetV3
from .mobilenet_v3 import MobileNetV3
from .svtrnet import SVTRNet

BACKBONES = {"MobileNetV3": MobileNetV3, "PPLCNetV3": PPLCNetV3, "SVTRNet": SVTRNet}


def build_backbone(config: Mapping[str, Any], in_channels: int) -> nn.Layer:
    return construct("Backbone", "networks", config, BACKBONES, in_channels=in_channels)
