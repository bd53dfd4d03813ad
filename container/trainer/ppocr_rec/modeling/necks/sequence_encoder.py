"""Feature columns as a sequence, read both ways: section 2.2 of CRNN (https://arxiv.org/abs/1507.05717)."""

from __future__ import annotations

from paddle import Tensor, nn

from ...supported import choose


class SequenceEncoder(nn.Layer):
    """(B, C, 1, T) → (B, T, C) with `encoder_type` reshape, (B, T, 2 · hidden_size) with rnn."""

    def __init__(self, in_channels: int, encoder_type: str, hidden_size: int = 48):
        super().__init__()
        encoder = choose("Neck.encoder_type", "networks", encoder_type, ENCODERS)
        self.encoder = encoder(in_channels, hidden_size) if encoder else None
        self.out_channels = self.encoder.out_channels if self.encoder else in_channels

    def forward(self, x: Tensor) -> Tensor:
        sequence = columns_to_sequence(x)
        return sequence if self.encoder is None else self.encoder(sequence)


class BidirectionalLSTM(nn.Layer):
    """(B, T, C) → (B, T, 2 · hidden_size): two layers, each seeing the line from both ends."""

    def __init__(self, in_channels: int, hidden_size: int):
        super().__init__()
        self.out_channels = 2 * hidden_size
        self.lstm = nn.LSTM(in_channels, hidden_size, num_layers=2, direction="bidirectional")

    def forward(self, x: Tensor) -> Tensor:
        return self.lstm(x)[0]


ENCODERS = {"rnn": BidirectionalLSTM, "reshape": None}


def columns_to_sequence(x: Tensor) -> Tensor:
    """(B, C, 1, T) → (B, T, C)."""
    height = x.shape[2]
    if height != 1:
        raise ValueError(
            f"The backbone left {height} rows of features where the neck needs one: "
            "use images of height 32, or larger strides."
        )
    return x.squeeze(2).transpose([0, 2, 1])
