"""SVTR (https://arxiv.org/abs/2205.00159): patches of a line mix with their neighbours, then with the whole line.

Three stages halve the height twice. What is left of the rows is averaged, and the columns are time steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import paddle.nn.functional as F
from paddle import ParamAttr, Tensor, nn

from ..svtr_block import MIXERS, SMALL, ConvNormAct, MixingBlock, start_small, to_grid, to_sequence

ZERO = nn.initializer.Constant(0.0)
TINY_MIXERS = ("Local",) * 6 + ("Global",) * 6


class SVTRNet(nn.Layer):
    """(B, in_channels, *img_size) → (B, out_channels, 1, out_char_num).

    `img_size` is fixed: every patch has a learnt position. `local_mixer` is the window (rows, columns) of each
    stage's Local and Conv mixers, `mixer` names one for every block. `sub_num` halvings make a patch.
    """

    def __init__(
        self,
        img_size: Sequence[int] = (32, 100),
        in_channels: int = 3,
        embed_dim: Sequence[int] = (64, 128, 256),
        depth: Sequence[int] = (3, 6, 3),
        num_heads: Sequence[int] = (2, 4, 8),
        mixer: Sequence[str] = TINY_MIXERS,
        local_mixer: Sequence[Sequence[int]] = ((7, 11),) * 3,
        patch_merging: str | None = "Conv",
        mlp_ratio: float = 4,
        qkv_bias: bool = True,
        qk_scale: float | None = None,
        drop_rate: float = 0.0,
        last_drop: float = 0.1,
        attn_drop_rate: float = 0.0,
        drop_path_rate: float = 0.1,
        epsilon: float = 1e-6,
        out_channels: int = 192,
        out_char_num: int = 25,
        last_stage: bool = True,
        sub_num: int = 2,
        prenorm: bool = True,
    ):
        super().__init__()
        check_settings(depth, mixer, patch_merging, last_stage)
        self.img_size = tuple(img_size)
        self.out_channels, self.last_drop = out_channels, last_drop
        rows, columns = (side // 2**sub_num for side in img_size)

        widths = [embed_dim[0] // 2**halving for halving in reversed(range(sub_num))]
        self.patch_embed = PatchEmbedding([in_channels, *widths])
        self.pos_embed = self.create_parameter([1, rows * columns, embed_dim[0]], default_initializer=ZERO)
        self.pos_drop = nn.Dropout(drop_rate)

        drop_paths = np.linspace(0, drop_path_rate, sum(depth))
        self.grids = []  # of each stage
        for stage, blocks in enumerate(depth):
            if stage and patch_merging:
                setattr(self, f"sub_sample{stage}", MERGINGS[patch_merging](embed_dim[stage - 1], embed_dim[stage]))
            grid = (rows // 2**stage if patch_merging else rows, columns)
            first = sum(depth[:stage])
            layers = [
                MixingBlock(
                    embed_dim[stage],
                    num_heads[stage],
                    mixer[index],
                    grid,
                    local_mixer[stage],
                    mlp_ratio,
                    drop=drop_rate,
                    drop_path=drop_paths[index],
                    epsilon=epsilon,
                    prenorm=prenorm,
                    qkv_bias=qkv_bias,
                    qk_scale=qk_scale,
                    attn_drop=attn_drop_rate,
                )
                for index in range(first, first + blocks)
            ]
            setattr(self, f"blocks{stage + 1}", nn.LayerList(layers))
            self.grids.append(grid)
        self.merges = bool(patch_merging)
        self.avg_pool = nn.AdaptiveAvgPool2D([1, out_char_num])
        self.last_conv = nn.Conv2D(embed_dim[-1], out_channels, 1, bias_attr=False)
        self.norm = None if prenorm else nn.LayerNorm(embed_dim[-1], epsilon=epsilon)
        SMALL(self.pos_embed)
        self.apply(start_small)

    def forward(self, x: Tensor) -> Tensor:
        if tuple(x.shape[2:]) != self.img_size:
            raise ValueError(
                f"SVTRNet is built for images of {list(self.img_size)} (height, width) and got {list(x.shape[2:])}: "
                "let Backbone.img_size be the image_shape of the recipe, or the tps_outputsize of its Transform."
            )
        x = self.pos_drop(self.patch_embed(x) + self.pos_embed)
        for stage in range(len(self.grids)):
            if stage and self.merges:
                x = getattr(self, f"sub_sample{stage}")(to_grid(x, self.grids[stage - 1]))
            for block in getattr(self, f"blocks{stage + 1}"):
                x = block(x)
        if self.norm is not None:
            x = self.norm(x)
        x = F.hardswish(self.last_conv(self.avg_pool(to_grid(x, self.grids[-1]))))
        return F.dropout(x, self.last_drop, training=self.training, mode="downscale_in_infer")


def check_settings(depth: Sequence[int], mixer: Sequence[str], patch_merging: str | None, last_stage: bool) -> None:
    if len(mixer) != sum(depth) or not set(mixer) <= set(MIXERS):
        raise ValueError(
            f"Backbone.mixer is {list(mixer)}: SVTRNet needs one of {', '.join(MIXERS)} for each of its "
            f"{sum(depth)} blocks."
        )
    if patch_merging is not None and patch_merging not in MERGINGS:
        raise ValueError(f"Backbone.patch_merging is {patch_merging!r}: it has to be {', '.join(MERGINGS)} or null.")
    if not last_stage:
        raise ValueError("Backbone.last_stage is false: CTC needs the last stage, which makes one row of the features.")


class PatchEmbedding(nn.Layer):
    """(B, C, H, W) → (B, H · W / 4ⁿ, channels[-1]) by n overlapping convolutions, each halving both sides."""

    def __init__(self, channels: Sequence[int]):
        super().__init__()
        self.proj = nn.Sequential(
            *(ConvNormAct(before, after, 3, stride=2, padding=1, bias=True) for before, after in pairwise(channels))
        )

    def forward(self, x: Tensor) -> Tensor:
        return to_sequence(self.proj(x))


class ConvMerging(nn.Layer):
    """(B, C, H, W) → (B, H · W / 2, out_channels): half the rows."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        weight = ParamAttr(initializer=nn.initializer.KaimingNormal())
        self.conv = nn.Conv2D(in_channels, out_channels, 3, stride=[2, 1], padding=1, weight_attr=weight)
        self.norm = nn.LayerNorm(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(to_sequence(self.conv(x)))


class PoolMerging(nn.Layer):
    """As ConvMerging, by the mean of an average and a maximum."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.proj = nn.Linear(in_channels, out_channels)
        self.norm = nn.LayerNorm(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        pooled = (F.avg_pool2d(x, [3, 5], [2, 1], [1, 2]) + F.max_pool2d(x, [3, 5], [2, 1], [1, 2])) * 0.5
        return self.norm(self.proj(to_sequence(pooled)))


MERGINGS = {"Conv": ConvMerging, "Pool": PoolMerging}
