"""The decoder of NRTR (https://arxiv.org/abs/1806.00926): a transformer (https://arxiv.org/abs/1706.03762) that
predicts each character from those before it and from the image. Here it only teaches, so it always sees the label.
"""

from __future__ import annotations

import math

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from ..svtr_block import MLP, join_heads, split_heads

HEAD_DIM = 32
MLP_RATIO = 4
DROP = 0.1
PADDING = 0  # index of no character
POSITIONS = 5000
SLOWEST = 10000.0  # wavelength / 2π of the last pair of position waves, in positions


class NRTRDecoder(nn.Layer):
    """Memory (B, T, dim), labels (B, length), numbers of characters (B) → logits (B, longest + 1, classes + 1).

    Labels begin with the start sign and end with the end sign, then padding. Logits are one class wider than the
    labels need: published weights are.
    """

    def __init__(self, dim: int, layers: int, classes: int):
        super().__init__()
        self.embedding = ScaledEmbedding(classes + 1, dim)
        self.positional_encoding = PositionWaves(dim)
        self.decoder = nn.LayerList([DecoderLayer(dim) for _ in range(layers)])
        self.tgt_word_prj = nn.Linear(dim, classes + 1, bias_attr=False)
        start_normal(self.tgt_word_prj.weight, dim)

    def forward(self, memory: Tensor, labels: Tensor, lengths: Tensor) -> Tensor:
        known = labels[:, : int(lengths.max()) + 1]  # the start sign and every character
        x = self.positional_encoding(self.embedding(known))
        mask = later_positions(known.shape[1])
        for layer in self.decoder:
            x = layer(x, memory, mask)
        return self.tgt_word_prj(x)


def start_normal(weight: Tensor, dim: int) -> None:
    """Normal with variance 1 / dim, from NumPy's generator: with one seed the numbers are PaddleOCR's."""
    weight.set_value(np.random.normal(0.0, dim**-0.5, weight.shape).astype("float32"))


def later_positions(length: int) -> Tensor:
    """(length, length) to add to attention scores: -inf where a position would see a later one."""
    return paddle.triu(paddle.full([length, length], -math.inf), diagonal=1)


class ScaledEmbedding(nn.Layer):
    """(B, length) → (B, length, dim)."""

    def __init__(self, classes: int, dim: int):
        super().__init__()
        self.embedding = nn.Embedding(classes, dim, padding_idx=PADDING)
        start_normal(self.embedding.weight, dim)
        self.scale = math.sqrt(dim)

    def forward(self, labels: Tensor) -> Tensor:
        return self.embedding(labels) * self.scale


class PositionWaves(nn.Layer):
    """Adds sines and cosines of the position to (B, length, dim), section 3.5 of the transformer's paper."""

    def __init__(self, dim: int):
        super().__init__()
        rates = paddle.exp(paddle.arange(0, dim, 2, dtype="float32") * (-math.log(SLOWEST) / dim))
        angles = paddle.arange(POSITIONS, dtype="float32").unsqueeze(1) * rates
        waves = paddle.stack([paddle.sin(angles), paddle.cos(angles)], axis=2).reshape([POSITIONS, 1, dim])
        self.register_buffer("pe", waves)
        self.dropout = nn.Dropout(DROP)

    def forward(self, x: Tensor) -> Tensor:
        by_position = x.transpose([1, 0, 2])  # as the published buffer is laid out
        return self.dropout(by_position + self.pe[: len(by_position)]).transpose([1, 0, 2])


class DecoderLayer(nn.Layer):
    """Look at the characters so far, then at the image, then think; normalise after each."""

    def __init__(self, dim: int):
        super().__init__()
        self.self_attn = Attention(dim, looks_at_itself=True)
        self.norm1 = nn.LayerNorm(dim)
        self.cross_attn = Attention(dim, looks_at_itself=False)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = MLP(dim, MLP_RATIO * dim, F.relu, DROP)
        self.norm3 = nn.LayerNorm(dim)
        self.drop = nn.Dropout(DROP)

    def forward(self, x: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
        x = self.norm1(x + self.drop(self.self_attn(x, x, mask)))
        x = self.norm2(x + self.drop(self.cross_attn(x, memory)))
        return self.norm3(x + self.drop(self.mlp(x)))


class Attention(nn.Layer):
    """(B, length, dim) looking at (B, T, dim) → (B, length, dim)."""

    def __init__(self, dim: int, looks_at_itself: bool):
        super().__init__()
        self.dim, self.heads = dim, dim // HEAD_DIM
        self.looks_at_itself = looks_at_itself
        if looks_at_itself:
            self.qkv = nn.Linear(dim, 3 * dim)
        else:
            self.q = nn.Linear(dim, dim)
            self.kv = nn.Linear(dim, 2 * dim)
        self.out_proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor, seen: Tensor, mask: Tensor | None = None) -> Tensor:
        if self.looks_at_itself:
            q, k, v = split_heads(self.qkv(x), 3, self.heads, self.dim)
        else:
            (q,) = split_heads(self.q(x), 1, self.heads, self.dim)
            k, v = split_heads(self.kv(seen), 2, self.heads, self.dim)
        scores = q.matmul(k.transpose([0, 1, 3, 2])) * HEAD_DIM**-0.5
        if mask is not None:
            scores = scores + mask
        return self.out_proj(join_heads(F.softmax(scores, axis=-1).matmul(v), self.dim))
