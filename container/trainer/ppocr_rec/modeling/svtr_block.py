"""What SVTR is made of (https://arxiv.org/abs/2205.00159, section 3): mixing of positions, then of channels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import ParamAttr, Tensor, nn

MIXERS = ("Global", "Local", "Conv")
SMALL = nn.initializer.TruncatedNormal(std=0.02)


def start_small(layer: nn.Layer) -> None:
    """For `Layer.apply`: the weights of linear layers as transformers start them."""
    if isinstance(layer, nn.Linear):
        SMALL(layer.weight)


class ConvNormAct(nn.Layer):
    """Convolution, batch normalisation, activation."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int | Sequence[int],
        stride: int = 1,
        padding: int | Sequence[int] = 0,
        bias: bool = False,
        act: Callable[[Tensor], Tensor] = F.gelu,
    ):
        super().__init__()
        self.conv = nn.Conv2D(
            in_channels,
            out_channels,
            kernel,
            stride,
            padding,
            weight_attr=ParamAttr(initializer=nn.initializer.KaimingUniform()),
            bias_attr=None if bias else False,
        )
        self.norm = nn.BatchNorm2D(out_channels)
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.norm(self.conv(x)))


class MLP(nn.Layer):
    """Two linear layers for each position by itself: (…, dim) → (…, hidden) → (…, dim)."""

    def __init__(self, dim: int, hidden: int, act: Callable[[Tensor], Tensor] = F.gelu, drop: float = 0.0):
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)
        self.drop = nn.Dropout(drop)
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        return self.drop(self.fc2(self.drop(self.act(self.fc1(x)))))


class DropPath(nn.Layer):
    """While training, leave a branch out for some samples (stochastic depth, https://arxiv.org/abs/1603.09382)."""

    def __init__(self, rate: float):
        super().__init__()
        self.rate = float(rate)

    def forward(self, x: Tensor) -> Tensor:
        if self.rate == 0 or not self.training:
            return x
        keep = 1 - self.rate
        kept = paddle.floor(keep + paddle.rand([x.shape[0], *[1] * (x.ndim - 1)], dtype=x.dtype))
        return x / keep * kept


class AttentionMixer(nn.Layer):
    """Self-attention over (B, N, dim). With `grid` and `window` a position sees its neighbourhood alone."""

    def __init__(
        self,
        dim: int,
        heads: int,
        grid: Sequence[int] | None = None,
        window: Sequence[int] | None = None,
        qkv_bias: bool = False,
        qk_scale: float | None = None,
        attn_drop: float = 0.0,
        drop: float = 0.0,
    ):
        super().__init__()
        self.heads, self.dim = heads, dim
        self.scale = qk_scale or (dim // heads) ** -0.5
        self.qkv = nn.Linear(dim, 3 * dim, bias_attr=None if qkv_bias else False)
        self.attn_drop = nn.Dropout(attn_drop)
        self.proj = nn.Linear(dim, dim)
        self.drop = nn.Dropout(drop)
        # not persistable: published weights do not hold it
        self.mask = None if grid is None or window is None else paddle.to_tensor(neighbourhood_mask(grid, window))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = split_heads(self.qkv(x), 3, self.heads, self.dim)
        scores = (q * self.scale).matmul(k.transpose([0, 1, 3, 2]))
        if self.mask is not None:
            scores = scores + self.mask
        weights = self.attn_drop(F.softmax(scores, axis=-1))
        return self.drop(self.proj(join_heads(weights.matmul(v), self.dim)))


def split_heads(x: Tensor, parts: int, heads: int, dim: int) -> Tensor:
    """(B, N, parts · dim) → (parts, B, heads, N, dim / heads)."""
    return x.reshape([0, -1, parts, heads, dim // heads]).transpose([2, 0, 3, 1, 4])


def join_heads(x: Tensor, dim: int) -> Tensor:
    """(B, heads, N, dim / heads) → (B, N, dim)."""
    return x.transpose([0, 2, 1, 3]).reshape([0, -1, dim])


def neighbourhood_mask(grid: Sequence[int], window: Sequence[int]) -> np.ndarray:
    """(1, 1, N, N) to add to attention scores: 0 between positions of one window (rows, columns), else -inf."""
    near_rows, near_columns = (near(size, reach) for size, reach in zip(grid, window, strict=True))
    seen = near_rows[:, None, :, None] & near_columns[None, :, None, :]
    positions = grid[0] * grid[1]
    return np.where(seen.reshape(1, 1, positions, positions), 0, -np.inf).astype("float32")


def near(size: int, reach: int) -> np.ndarray:
    """(size, size): which positions lie in the window of `reach` around each."""
    offsets = np.arange(size)[None, :] - np.arange(size)[:, None]
    return (offsets >= -(reach // 2)) & (offsets < reach - reach // 2)


class ConvMixer(nn.Layer):
    """A grouped convolution over the grid that the positions (B, N, dim) come from."""

    def __init__(self, dim: int, groups: int, grid: Sequence[int], kernel: Sequence[int]):
        super().__init__()
        self.grid = tuple(grid)
        self.local_mixer = nn.Conv2D(
            dim,
            dim,
            kernel,
            padding=[side // 2 for side in kernel],
            groups=groups,
            weight_attr=ParamAttr(initializer=nn.initializer.KaimingNormal()),
        )

    def forward(self, x: Tensor) -> Tensor:
        return to_sequence(self.local_mixer(to_grid(x, self.grid)))


class MixingBlock(nn.Layer):
    """(B, N, dim) → (B, N, dim). `settings` are those of AttentionMixer.

    Beware of PaddleOCR's word: `prenorm` True normalises after each sum, False before each branch.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        mixer: str = "Global",
        grid: Sequence[int] | None = None,
        window: Sequence[int] = (7, 11),
        mlp_ratio: float = 4.0,
        act: Callable[[Tensor], Tensor] = F.gelu,
        drop: float = 0.0,
        drop_path: float = 0.0,
        epsilon: float = 1e-6,
        prenorm: bool = True,
        **settings: Any,
    ):
        super().__init__()
        self.prenorm = prenorm
        self.norm1 = nn.LayerNorm(dim, epsilon=epsilon)
        if mixer == "Conv" and grid is not None:
            self.mixer: nn.Layer = ConvMixer(dim, heads, grid, window)
        else:
            bounds = window if mixer == "Local" else None
            self.mixer = AttentionMixer(dim, heads, grid, bounds, drop=drop, **settings)
        self.drop_path = DropPath(drop_path)
        self.norm2 = nn.LayerNorm(dim, epsilon=epsilon)
        self.mlp = MLP(dim, int(dim * mlp_ratio), act, drop)

    def forward(self, x: Tensor) -> Tensor:
        for norm, branch in ((self.norm1, self.mixer), (self.norm2, self.mlp)):
            if self.prenorm:
                x = norm(x + self.drop_path(branch(x)))
            else:
                x = x + self.drop_path(branch(norm(x)))
        return x


def to_grid(x: Tensor, grid: Sequence[int]) -> Tensor:
    """(B, rows · columns, C) → (B, C, rows, columns)."""
    return x.transpose([0, 2, 1]).reshape([0, x.shape[2], *grid])


def to_sequence(x: Tensor) -> Tensor:
    """(B, C, rows, columns) → (B, rows · columns, C)."""
    return x.flatten(2).transpose([0, 2, 1])
