"""A recognition model: images in, one row of class scores per time step out."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from paddle import Tensor, nn

from ..backbones import build_backbone
from ..heads import build_head
from ..necks import build_neck
from ..transforms import build_transform


class BaseModel(nn.Layer):
    """(B, C, H, W) → transform, if any → backbone → (B, C', 1, T) → neck → (B, T, D) → head → (B, T, classes).

    A MultiHead has a neck of its own. While training, the head gives logits, in evaluation probabilities.
    """

    def __init__(self, config: Mapping[str, Any]):
        super().__init__()
        check_plan(config)
        config = deepcopy(dict(config))
        channels = config.get("in_channels", 3)
        transform = config.get("Transform")
        self.transform = build_transform(transform, in_channels=channels) if transform else None
        self.backbone = build_backbone(config["Backbone"], in_channels=channels)
        neck = config.get("Neck")
        self.neck = build_neck(neck, in_channels=self.backbone.out_channels) if neck else None
        self.head = build_head(config["Head"], in_channels=(self.neck or self.backbone).out_channels)

    def forward(self, x: Tensor, data: Any = None) -> Any:
        """`data` is the rest of the batch: a MultiHead learns with it."""
        if self.transform is not None:
            x = self.transform(x)
        x = self.backbone(x)
        if self.neck is not None:
            x = self.neck(x)
        return self.head(x, data)


def check_plan(config: Mapping[str, Any]) -> None:
    """Refuse a model of other parts than a recognition backbone, neck and head."""
    model_type = config.get("model_type")
    if model_type != "rec":
        raise ValueError(f"Architecture.model_type is {model_type!r}: only 'rec' (text recognition) can be built.")
    missing = [part for part in ("Backbone", "Head") if not config.get(part)]
    if missing:
        raise ValueError(f"Architecture.{missing[0]} is missing: a network has a Backbone and a Head.")
    if bool(config.get("Neck")) == (config["Head"].get("name") == "MultiHead"):
        raise ValueError("Architecture.Neck has to be there for a CTCHead, and has to be missing for a MultiHead.")
    if config.get("return_all_feats"):
        raise ValueError(
            "Architecture.return_all_feats is not among the parts that the PyPI source distribution can be "
            "completed with: use a complete PaddleOCR tree through PADDLEOCR_HOME."
        )
