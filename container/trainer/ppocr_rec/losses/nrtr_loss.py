"""Cross-entropy of each character that NRTR predicts (https://arxiv.org/abs/1806.00926, section 3.3)."""

from __future__ import annotations

from collections.abc import Sequence

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

PADDING = 0
SMOOTHED = 0.1  # of the probability goes to all other classes (https://arxiv.org/abs/1512.00567, section 7)


class NRTRLoss(nn.Layer):
    """Mean of -log p over the characters and end signs of a batch.

    Takes logits (B, longest + 1, classes) and a batch: images, labels (B, length), numbers of characters (B).
    """

    def __init__(self, smoothing: bool = True):
        super().__init__()
        self.smoothed = SMOOTHED if smoothing else 0.0

    def forward(self, predicts: Tensor, batch: Sequence[Tensor]) -> dict[str, Tensor]:
        labels = batch[1][:, 1 : int(batch[2].max()) + 2]  # without the start sign
        scores = F.log_softmax(predicts, axis=2)
        hit = paddle.take_along_axis(scores, labels.unsqueeze(2), axis=2).squeeze(2)
        others = scores.sum(axis=2) - hit
        per_sign = -(1 - self.smoothed) * hit - self.smoothed / (predicts.shape[2] - 1) * others
        return {"loss": per_sign.masked_select(labels != PADDING).mean()}
