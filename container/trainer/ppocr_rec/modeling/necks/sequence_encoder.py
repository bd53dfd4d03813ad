"""From feature columns to a sequence: section 2.2 of CRNN (https://arxiv.org/abs/1507.05717), or a small SVTR."""

from __future__ import annotations

from typing import Any

from paddle import Tensor, nn

from ...supported import construct
from .columns import columns_to_sequence
from .svtr_encoder import SVTREncoder


class SequenceEncoder(nn.Layer):
    """(B, C, 1, T) → (B, T, out_channels). `settings` are those of the `encoder_type`: reshape, rnn or svtr."""

    def __init__(self, in_channels: int, encoder_type: str | None = None, **settings: Any):
        super().__init__()
        section = {**settings, "name": encoder_type}
        self.encoder = construct("Neck.encoder_type", "networks", section, ENCODERS, in_channels=in_channels)
        self.out_channels = self.encoder.out_channels

    def forward(self, x: Tensor) -> Tensor:
        return self.encoder(x)


class Reshape(nn.Layer):
    """(B, C, 1, T) → (B, T, C)."""

    def __init__(self, in_channels: int):
        super().__init__()
        self.out_channels = in_channels

    def forward(self, x: Tensor) -> Tensor:
        return columns_to_sequence(x)


class BidirectionalLSTM(nn.Layer):
    """(B, C, 1, T) → (B, T, 2 · hidden_size): two layers, each seeing the line from both ends."""

    def __init__(self, in_channels: int, hidden_size: int = 48):
        super().__init__()
        self.out_channels = 2 * hidden_size
        self.lstm = nn.LSTM(in_channels, hidden_size, num_layers=2, direction="bidirectional")

    def forward(self, x: Tensor) -> Tensor:
        return self.lstm(columns_to_sequence(x))[0]


ENCODERS = {"rnn": BidirectionalLSTM, "reshape": Reshape, "svtr": SVTREncoder}
