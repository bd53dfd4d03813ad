"""The neck of SVTR-LCNet (PP-OCRv3, https://arxiv.org/abs/2206.03001, section 3.1): a few blocks of SVTR at the
narrow end of convolutions, and the way round them.
"""

from __future__ import annotations

from collections.abc import Sequence

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from ..svtr_block import ConvNormAct, MixingBlock, start_small, to_grid, to_sequence
from .columns import columns_to_sequence

SQUEEZE = 8


class SVTREncoder(nn.Layer):
    """(B, in_channels, 1, T) → (B, T, dims). `use_guide`: what is learnt here does not reach the backbone."""

    def __init__(
        self,
        in_channels: int,
        dims: int = 64,
        depth: int = 2,
        hidden_dims: int = 120,
        use_guide: bool = False,
        num_heads: int = 8,
        qkv_bias: bool = True,
        mlp_ratio: float = 2.0,
        drop_rate: float = 0.1,
        attn_drop_rate: float = 0.1,
        drop_path: float = 0.0,
        kernel_size: Sequence[int] = (3, 3),
        qk_scale: float | None = None,
    ):
        super().__init__()
        self.use_guide = use_guide
        self.out_channels = dims
        squeezed = in_channels // SQUEEZE
        border = [side // 2 for side in kernel_size]
        self.conv1 = ConvNormAct(in_channels, squeezed, kernel_size, padding=border, act=F.swish)
        self.conv2 = ConvNormAct(squeezed, hidden_dims, 1, act=F.swish)
        self.svtr_block = nn.LayerList(
            [
                MixingBlock(
                    hidden_dims,
                    num_heads,
                    mlp_ratio=mlp_ratio,
                    act=F.swish,
                    drop=drop_rate,
                    drop_path=drop_path,
                    epsilon=1e-5,
                    prenorm=False,
                    qkv_bias=qkv_bias,
                    qk_scale=qk_scale,
                    attn_drop=attn_drop_rate,
                )
                for _ in range(depth)
            ]
        )
        self.norm = nn.LayerNorm(hidden_dims, epsilon=1e-6)
        self.conv3 = ConvNormAct(hidden_dims, in_channels, 1, act=F.swish)
        self.conv4 = ConvNormAct(2 * in_channels, squeezed, kernel_size, padding=border, act=F.swish)
        self.conv1x1 = ConvNormAct(squeezed, dims, 1, act=F.swish)
        self.apply(start_small)

    def forward(self, x: Tensor) -> Tensor:
        if self.use_guide:
            x = x.detach()
        columns = self.conv2(self.conv1(x))
        sequence = to_sequence(columns)
        for block in self.svtr_block:
            sequence = block(sequence)
        mixed = self.conv3(to_grid(self.norm(sequence), columns.shape[2:]))
        return columns_to_sequence(self.conv1x1(self.conv4(paddle.concat([x, mixed], axis=1))))
