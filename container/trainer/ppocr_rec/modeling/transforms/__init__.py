"""Transforms: images (B, C, H, W) → straightened images of a fixed size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paddle import nn

from ...supported import construct
from .stn import STN_ON

TRANSFORMS = {"STN_ON": STN_ON}


def build_transform(config: Mapping[str, Any], in_channels: int) -> nn.Layer:
    return construct("Transform", "networks", config, TRANSFORMS, in_channels=in_channels)
