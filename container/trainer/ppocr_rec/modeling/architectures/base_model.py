"""A recognition model: images in, one row of class scores per time step out."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from paddle import Tensor, nn

from ..backbones import build_backbone
from ..heads import build_head
from ..necks import build_neck


class BaseModel(nn.Layer):
    """(B, C, H, W) → backbone → (B, C', 1, T) → neck → (B, T, D) → head → (B, T, classes).

    While training, the head gives logits (or what `return_feats` asks for); in evaluation, probabilities.
    """

    def __init__(self, config: Mapping[str, Any]):
        super().__init__()
        check_plan(config)
        config = deepcopy(dict(config))
        self.backbone = build_backbone(config["Backbone"], in_channels=config.get("in_channels", 3))
        self.neck = build_neck(config["Neck"], in_channels=self.backbone.out_channels)
        self.head = build_head(config["Head"], in_channels=self.neck.out_channels)

    def forward(self, x: Tensor, data: Any = None) -> Any:
        """`data`, the rest of the batch, is PaddleOCR's calling convention: these networks need `x` alone."""
        return self.head(self.neck(self.backbone(x)))


def check_plan(config: Mapping[str, Any]) -> None:
    """Refuse a model of other parts than a recognition backbone, neck and head."""
    model_type = config.get("model_type")
    if model_type != "rec":
        raise ValueError(f"Architecture.model_type is {model_type!r}: only 'rec' (text recognition) can be built.")
    missing = [part for part in ("Backbone", "Neck", "Head") if not config.get(part)]
    if missing:
        raise ValueError(f"Architecture.{missing[0]} is missing: a CRNN has a Backbone, a Neck and a Head.")
    unavailable = [key for key in ("Transform", "return_all_feats") if config.get(key)]
    if unavailable:
        raise ValueError(
            f"Architecture.{unavailable[0]} is not among the parts that the PyPI source distribution can be "
            "completed with (Backbone, Neck, Head): use a complete PaddleOCR tree through PADDLEOCR_HOME."
        )
