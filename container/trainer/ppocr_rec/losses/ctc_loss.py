"""Connectionist temporal classification (Graves et al. 2006, doi:10.1145/1143844.1143891)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

BLANK = 0


class CTCLoss(nn.Layer):
    """Mean over the batch of -log p(label | image).

    Takes logits (B, T, classes), or a tuple that ends with them, and a batch: images, labels (B, L), lengths.
    `use_focal_loss` weighs each sample by (1 - p)², as in https://arxiv.org/abs/1708.02002 with γ = 2.
    """

    def __init__(self, use_focal_loss: bool = False):
        super().__init__()
        self.use_focal_loss = use_focal_loss

    def forward(self, predicts: Any, batch: Sequence[Tensor]) -> dict[str, Tensor]:
        logits = predicts[-1] if isinstance(predicts, tuple | list) else predicts
        samples, steps = logits.shape[:2]
        per_sample = F.ctc_loss(
            logits.transpose([1, 0, 2]),
            labels=batch[1].astype("int32"),
            input_lengths=paddle.full([samples], steps, dtype="int64"),
            label_lengths=batch[2].astype("int64"),
            blank=BLANK,
            reduction="none",
        )
        if self.use_focal_loss:
            per_sample = per_sample * (1 - paddle.exp(-per_sample)) ** 2
        return {"loss": per_sample.mean()}
