"""From the recipe's `Architecture` section to a model."""

from __future__ import annotations

from logging import Logger
from typing import Any

from paddle import jit, nn
from paddle.static import InputSpec

from .base_model import BaseModel

__all__ = ["BaseModel", "apply_to_static", "build_model"]


def build_model(config: dict[str, Any]) -> BaseModel:
    """The model of an `Architecture` section whose `Head.out_channels` (number of classes) is filled in."""
    return BaseModel(config)


def apply_to_static(model: nn.Layer, config: dict[str, Any], logger: Logger) -> nn.Layer:
    """The model, compiled for `Global.d2s_train_image_shape` (C, H, W) if `Global.to_static` is true."""
    settings = config["Global"]
    if settings.get("to_static") is not True:
        return model
    if "d2s_train_image_shape" not in settings:
        raise ValueError("Global.to_static needs Global.d2s_train_image_shape, such as [3, 32, 320].")
    images = InputSpec([None, *settings["d2s_train_image_shape"]], dtype="float32")
    logger.info("compiling the model for images of %s", images.shape)
    return jit.to_static(model, input_spec=[images])
