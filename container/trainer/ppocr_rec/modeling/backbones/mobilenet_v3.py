"""MobileNetV3 (https://arxiv.org/abs/1905.02244, tables 1 and 2), with the strides of a text-line reader.

A line of text is low and wide. Where the paper halves both sides, the blocks here halve the height alone,
so that an image of height 32 ends as one row of feature columns, one for every four pixels of width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import paddle.nn.functional as F
from paddle import Tensor, nn


@dataclass(frozen=True)
class Block:
    """One row of the paper's tables; channels are those at scale 1."""

    kernel: int
    expand: int
    out: int
    se: bool
    act: str
    stage: int | None = None  # which of the four configurable strides this block takes; None: keeps the size


RE, HS = "relu", "hardswish"

LARGE = (
    Block(3, 16, 16, False, RE, stage=0),
    Block(3, 64, 24, False, RE, stage=1),
    Block(3, 72, 24, False, RE),
    Block(5, 72, 40, True, RE, stage=2),
    Block(5, 120, 40, True, RE),
    Block(5, 120, 40, True, RE),
    Block(3, 240, 80, False, HS),
    Block(3, 200, 80, False, HS),
    Block(3, 184, 80, False, HS),
    Block(3, 184, 80, False, HS),
    Block(3, 480, 112, True, HS),
    Block(3, 672, 112, True, HS),
    Block(5, 672, 160, True, HS, stage=3),
    Block(5, 960, 160, True, HS),
    Block(5, 960, 160, True, HS),
)
SMALL = (
    Block(3, 16, 16, True, RE, stage=0),
    Block(3, 72, 24, False, RE, stage=1),
    Block(3, 88, 24, False, RE),
    Block(5, 96, 40, True, HS, stage=2),
    Block(5, 240, 40, True, HS),
    Block(5, 240, 40, True, HS),
    Block(5, 120, 48, True, HS),
    Block(5, 144, 48, True, HS),
    Block(5, 288, 96, True, HS, stage=3),
    Block(5, 576, 96, True, HS),
    Block(5, 576, 96, True, HS),
)
STEM_CHANNELS = 16
LAST_EXPANSION = 6  # the closing 1x1 convolution widens the last block's output: 160 → 960, 96 → 576
SQUEEZE = 4


@dataclass(frozen=True)
class Variant:
    """`square_start`: the first block's stride shrinks both sides (large), not the height alone (small)."""

    blocks: tuple[Block, ...]
    strides: tuple[int, int, int, int]
    square_start: bool


VARIANTS = {"large": Variant(LARGE, (1, 2, 2, 2), True), "small": Variant(SMALL, (2, 2, 2, 2), False)}

Stride = int | tuple[int, int]


def round_channels(channels: float, step: int = 8) -> int:
    """The nearest multiple of `step`, never more than a tenth below `channels`."""
    rounded = max(step, int(channels / step + 0.5) * step)
    return rounded if rounded >= 0.9 * channels else rounded + step


class ConvBNLayer(nn.Layer):
    """Convolution without bias, batch normalisation and, if named, an activation."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: Stride = 1,
        groups: int = 1,
        act: str | None = None,
    ):
        super().__init__()
        self.conv = nn.Conv2D(
            in_channels, out_channels, kernel, stride, padding=kernel // 2, groups=groups, bias_attr=False
        )
        self.bn = nn.BatchNorm(out_channels)  # not BatchNorm2D: parameters are named batch_norm_N
        self.act = getattr(F, act) if act else None

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn(self.conv(x))
        return self.act(x) if self.act else x


class SqueezeExcite(nn.Layer):
    """Scale every channel by a gate in 0..1 computed from the channel means (section 5.3 of the paper)."""

    def __init__(self, channels: int, slope: float = 0.2):
        super().__init__()
        self.slope = slope
        self.conv1 = nn.Conv2D(channels, channels // SQUEEZE, 1)
        self.conv2 = nn.Conv2D(channels // SQUEEZE, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        gate = self.conv2(F.relu(self.conv1(F.adaptive_avg_pool2d(x, 1))))
        return x * F.hardsigmoid(gate, slope=self.slope, offset=0.5)


class InvertedResidual(nn.Layer):
    """Expand by 1x1, filter each channel by itself, gate, project by 1x1; add the input where sizes allow."""

    def __init__(self, in_channels: int, width: int, out_channels: int, block: Block, stride: Stride, se: bool):
        super().__init__()
        self.expand_conv = ConvBNLayer(in_channels, width, 1, act=block.act)
        self.bottleneck_conv = ConvBNLayer(width, width, block.kernel, stride, groups=width, act=block.act)
        self.mid_se = SqueezeExcite(width) if se else None
        self.linear_conv = ConvBNLayer(width, out_channels, 1)
        # A block whose height stride is configurable never adds its input, even at stride (1, 1): so were the
        # published weights trained.
        self.adds_input = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        y = self.bottleneck_conv(self.expand_conv(x))
        if self.mid_se is not None:
            y = self.mid_se(y)
        y = self.linear_conv(y)
        return x + y if self.adds_input else y


class MobileNetV3(nn.Layer):
    """(B, in_channels, 32, W) → (B, out_channels, 1, W // 4)."""

    def __init__(
        self,
        in_channels: int = 3,
        model_name: str = "small",
        scale: float = 0.5,
        large_stride: Sequence[int] | None = None,
        small_stride: Sequence[int] | None = None,
        disable_se: bool = False,
    ):
        super().__init__()
        if model_name not in VARIANTS:
            raise ValueError(f"Backbone.model_name is {model_name!r}: MobileNetV3 comes as {' and '.join(VARIANTS)}.")
        variant = VARIANTS[model_name]
        configured = {"large": large_stride, "small": small_stride}[model_name]
        strides = variant.strides if configured is None else configured
        if not isinstance(strides, Sequence) or len(strides) != 4:
            raise ValueError(f"Backbone.{model_name}_stride is {strides!r}: it has to be a list of four strides.")

        channels = round_channels(STEM_CHANNELS * scale)
        self.conv1 = ConvBNLayer(in_channels, channels, 3, stride=2, act=HS)
        blocks = []
        for block in variant.blocks:
            width, out_channels = round_channels(block.expand * scale), round_channels(block.out * scale)
            stride = block_stride(block, strides, variant.square_start)
            blocks.append(
                InvertedResidual(channels, width, out_channels, block, stride, se=block.se and not disable_se)
            )
            channels = out_channels
        self.blocks = nn.Sequential(*blocks)
        self.out_channels = round_channels(variant.blocks[-1].out * LAST_EXPANSION * scale)
        self.conv2 = ConvBNLayer(channels, self.out_channels, 1, act=HS)
        self.pool = nn.MaxPool2D(kernel_size=2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.pool(self.conv2(self.blocks(self.conv1(x))))


def block_stride(block: Block, strides: Sequence[int], square_start: bool) -> Stride:
    """1 where the size is kept, else the configured stride of the block's stage: (height, width)."""
    if block.stage is None:
        return 1
    if block.stage == 0 and square_start:
        return strides[0]
    return strides[block.stage], 1
