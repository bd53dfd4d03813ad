"""Class scores for every time step, as CTC wants them (Graves et al. 2006, doi:10.1145/1143844.1143891)."""

from __future__ import annotations

from typing import Any

import paddle.nn.functional as F
from paddle import ParamAttr, Tensor, nn
from paddle.regularizer import L2Decay


class CTCHead(nn.Layer):
    """(B, T, in_channels) → (B, T, out_channels): logits while training, probabilities in evaluation.

    With `mid_channels` there are two linear layers and no activation between them: the one matrix factorised,
    smaller for large dictionaries. With `return_feats`, training gives (what the last layer saw, logits).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        fc_decay: float = 0.0004,
        mid_channels: int | None = None,
        return_feats: bool = False,
    ):
        super().__init__()
        if mid_channels is None:
            self.fc = decayed_linear(in_channels, out_channels, fc_decay)
        else:
            self.fc1 = decayed_linear(in_channels, mid_channels, fc_decay)
            self.fc2 = decayed_linear(mid_channels, out_channels, fc_decay)
        self.factorised = mid_channels is not None
        self.return_feats = return_feats

    def forward(self, x: Tensor, data: Any = None) -> Tensor | tuple[Tensor, Tensor]:
        """`data`, the labels, is what every head is called with: this one needs `x` alone."""
        features = self.fc1(x) if self.factorised else x
        logits = self.fc2(features) if self.factorised else self.fc(features)
        if not self.training:
            return F.softmax(logits, axis=2)
        return (features, logits) if self.return_feats else logits


def decayed_linear(in_channels: int, out_channels: int, decay: float) -> nn.Linear:
    """Weights and bias uniform within ± 1 / √in_channels, with a weight decay of their own."""
    bound = in_channels**-0.5
    weight, bias = (
        ParamAttr(initializer=nn.initializer.Uniform(-bound, bound), regularizer=L2Decay(decay)) for _ in range(2)
    )
    return nn.Linear(in_channels, out_channels, weight_attr=weight, bias_attr=bias)
