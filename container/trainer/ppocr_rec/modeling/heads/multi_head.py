"""Two heads over one backbone: CTC reads, and while training an attention decoder teaches.

Guided training of CTC (https://arxiv.org/abs/2002.01276), as PP-OCRv3 brought it into PaddleOCR
(https://arxiv.org/abs/2206.03001, section 3.2) and PP-OCRv4 and v5 do it with NRTR.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from paddle import Tensor, nn

from ...supported import construct
from ..necks.sequence_encoder import SequenceEncoder
from .ctc_head import CTCHead
from .nrtr_decoder import NRTRDecoder


class MultiHead(nn.Layer):
    """(B, in_channels, 1, T) → probabilities (B, T, classes); while training {"ctc": logits, "gtc": logits}.

    `head_list` has CTCHead (settings: Neck, Head) and NRTRHead. `out_channels_list` has each one's number of classes,
    by the name of its decoder; for NRTR those are CTC's and the three signs that `NRTRLabelEncode` has beside them.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels_list: Mapping[str, int],
        head_list: Sequence[Mapping[str, Mapping[str, Any] | None]],
    ):
        super().__init__()
        heads = [(name, settings) for head in head_list for name, settings in head.items()]
        for name, settings in heads:  # in the recipe's order: automatic names of parameters count layers
            parts = construct(
                "Head",
                "networks",
                {**(settings or {}), "name": name},
                PARTS,
                in_channels=in_channels,
                classes=out_channels_list,
            )
            for attribute, layer in parts.items():
                setattr(self, attribute, layer)
        if sorted(name for name, _ in heads) != sorted(PARTS):
            raise ValueError(f"Head.head_list has to hold {' and '.join(PARTS)}, each once.")

    def forward(self, x: Tensor, data: Sequence[Tensor] | None = None) -> Any:
        """`data` while training: CTC labels, NRTR labels (B, length), numbers of characters (B)."""
        ctc = self.ctc_head(self.ctc_encoder(x))
        if not self.training:
            return ctc
        if data is None:
            raise ValueError("MultiHead learns with the labels at hand: Architecture.algorithm has to be SVTR_LCNet.")
        _, labels, lengths, *_ = data
        return {"ctc": ctc, "gtc": self.gtc_head(self.before_gtc(x), labels, lengths)}


def ctc_parts(in_channels: int, classes: Mapping[str, int], Neck: Mapping[str, Any], Head: Mapping[str, Any] | None):
    settings = dict(Neck)
    encoder = SequenceEncoder(in_channels, settings.pop("name", None), **settings)
    head = construct(
        "Head",
        "networks",
        {**(Head or {}), "name": "CTCHead"},
        {"CTCHead": CTCHead},
        in_channels=encoder.out_channels,
        out_channels=classes["CTCLabelDecode"],
    )
    return {"ctc_encoder": encoder, "ctc_head": head}


def nrtr_parts(
    in_channels: int,
    classes: Mapping[str, int],
    nrtr_dim: int = 256,
    num_decoder_layers: int = 4,
    max_text_length: int = 25,  # bounds what PaddleOCR's head reads by itself, which nobody asks of it here
):
    columns = nn.Sequential(nn.Flatten(2), ColumnsToMemory(in_channels, nrtr_dim))
    return {"before_gtc": columns, "gtc_head": NRTRDecoder(nrtr_dim, num_decoder_layers, classes["NRTRLabelDecode"])}


PARTS = {"CTCHead": ctc_parts, "NRTRHead": nrtr_parts}


class ColumnsToMemory(nn.Layer):
    """(B, C, T) → (B, T, dim)."""

    def __init__(self, in_channels: int, dim: int):
        super().__init__()
        self.fc = nn.Linear(in_channels, dim, bias_attr=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x.transpose([0, 2, 1]))
