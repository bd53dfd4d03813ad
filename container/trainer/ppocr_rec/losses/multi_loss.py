"""The losses of a MultiHead, added up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from paddle import Tensor, nn

from ..supported import construct
from .ctc_loss import CTCLoss
from .nrtr_loss import NRTRLoss

LOSSES = {"CTCLoss": CTCLoss, "NRTRLoss": NRTRLoss}


class MultiLoss(nn.Layer):
    """Takes MultiHead's output and a batch: images, CTC labels, NRTR labels, numbers of characters.

    `loss_config_list` names CTCLoss (weighed by `weight_1`) and NRTRLoss (by `weight_2`). Gives their sum as "loss",
    and each by its name.
    """

    def __init__(
        self,
        loss_config_list: Sequence[Mapping[str, Mapping[str, Any] | None]],
        weight_1: float = 1.0,
        weight_2: float = 1.0,
    ):
        super().__init__()
        self.weights = {"CTCLoss": weight_1, "NRTRLoss": weight_2}
        self.losses = {
            name: construct("Loss", "losses", {**(settings or {}), "name": name}, LOSSES)
            for entry in loss_config_list
            for name, settings in entry.items()
        }

    def forward(self, predicts: Mapping[str, Any], batch: Sequence[Tensor]) -> dict[str, Tensor]:
        images, ctc_labels, gtc_labels, lengths = batch[:4]
        given = {
            "CTCLoss": (predicts["ctc"], [images, ctc_labels, lengths]),
            "NRTRLoss": (predicts["gtc"], [images, gtc_labels, lengths]),
        }
        parts = {name: loss(*given[name])["loss"] * self.weights[name] for name, loss in self.losses.items()}
        return {**parts, "loss": sum(parts.values())}
