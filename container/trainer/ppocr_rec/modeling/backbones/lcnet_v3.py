"""PP-LCNetV3, the backbone of PP-OCRv4 and v5 mobile: PP-LCNet (https://arxiv.org/abs/2109.15099) with blocks that
train as several branches and run as one convolution (RepVGG, https://arxiv.org/abs/2101.03697).
"""

from __future__ import annotations

from dataclasses import dataclass

import paddle
import paddle.nn.functional as F
from paddle import ParamAttr, Tensor, nn
from paddle.regularizer import L2Decay

from .mobilenet_v3 import SqueezeExcite, Stride, round_channels


@dataclass(frozen=True)
class Block:
    """A depthwise convolution, then a pointwise one to `out` channels (those at scale 1)."""

    kernel: int
    out: int
    stride: Stride = 1
    se: bool = False


STEM_CHANNELS = 16
STAGES = (
    (Block(3, 32),),
    (Block(3, 64), Block(3, 64)),
    (Block(3, 128, (2, 1)), Block(3, 128)),
    (Block(3, 256, (1, 2)), *[Block(5, 256)] * 4),
    (Block(5, 512, (2, 1), se=True), Block(5, 512, se=True), Block(5, 512, (2, 1)), Block(5, 512)),
)
FIRST_STAGE = 2  # PaddleOCR calls the stem stage 1
ROWS = 3  # of features that images of height 48 leave
BRANCHES = 4
GATE_SLOPE = 0.1666667  # a sixth, as paddle rounds it
AFFINE_RATE = 0.1  # of the learning rate


class PPLCNetV3(nn.Layer):
    """(B, in_channels, 48, W) → (B, out_channels, 1, W // 8); while training (B, out_channels, 1, time_steps).

    Training may mix heights: whatever is left is averaged to one row of `training_time_steps` columns, in PaddleOCR
    always 40, which is W // 8 at width 320. Raise it with the width for labels that need more steps.
    """

    def __init__(self, in_channels: int = 3, scale: float = 1.0, training_time_steps: int = 40):
        super().__init__()
        if training_time_steps < 1:
            raise ValueError(f"Backbone.training_time_steps is {training_time_steps}: it has to be 1 or more.")
        self.training_time_steps = training_time_steps
        channels = round_channels(STEM_CHANNELS * scale, 16)
        self.conv1 = ConvNorm(in_channels, channels, 3, stride=2)
        for number, stage in enumerate(STAGES, FIRST_STAGE):
            layers = []
            for block in stage:
                out_channels = round_channels(block.out * scale, 16)
                layers.append(SeparableBlock(channels, out_channels, block))
                channels = out_channels
            setattr(self, f"blocks{number}", nn.Sequential(*layers))
        self.out_channels = channels

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        for number in range(FIRST_STAGE, FIRST_STAGE + len(STAGES)):
            x = getattr(self, f"blocks{number}")(x)
        if self.training:
            return F.adaptive_avg_pool2d(x, [1, self.training_time_steps])
        return F.avg_pool2d(x, [ROWS, 2])


class SeparableBlock(nn.Layer):
    """Filter each channel by itself, gate, then mix the channels."""

    def __init__(self, in_channels: int, out_channels: int, block: Block):
        super().__init__()
        self.dw_conv = RepLayer(in_channels, in_channels, block.kernel, block.stride, groups=in_channels)
        self.se = SqueezeExcite(in_channels, GATE_SLOPE) if block.se else None
        self.pw_conv = RepLayer(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.dw_conv(x)
        if self.se is not None:
            x = self.se(x)
        return self.pw_conv(x)


class RepLayer(nn.Layer):
    """The sum of parallel convolutions, scaled, activated and scaled again.

    PaddleOCR's exporter calls `rep` on every layer that has it and is not `is_repped`.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: Stride = 1, groups: int = 1):
        super().__init__()
        self.is_repped = False
        self.shape = (in_channels, out_channels, kernel, stride)
        self.groups = groups
        keeps_shape = in_channels == out_channels and stride == 1
        self.identity = nn.BatchNorm2D(in_channels) if keeps_shape else None
        self.conv_kxk = nn.LayerList(
            [ConvNorm(in_channels, out_channels, kernel, stride, groups) for _ in range(BRANCHES)]
        )
        self.conv_1x1 = ConvNorm(in_channels, out_channels, 1, stride, groups) if kernel > 1 else None
        self.lab = LearnableAffineBlock()
        self.act = ScaledHardswish()

    def forward(self, x: Tensor) -> Tensor:
        y = self.reparam_conv(x) if self.is_repped else sum(branch(x) for branch in self.branches())
        return self.act(self.lab(y))

    def branches(self) -> list[nn.Layer]:
        return [branch for branch in (self.identity, self.conv_1x1, *self.conv_kxk) if branch is not None]

    def rep(self) -> None:
        """Fold all branches into one convolution with a bias, which gives the same in evaluation."""
        kernels, biases = zip(*(self.folded(branch) for branch in self.branches()), strict=True)
        _, _, kernel, _ = self.shape
        self.reparam_conv = nn.Conv2D(*self.shape, padding=kernel // 2, groups=self.groups)
        self.reparam_conv.weight.set_value(sum(kernels))
        self.reparam_conv.bias.set_value(sum(biases))
        self.is_repped = True

    def folded(self, branch: nn.Layer) -> tuple[Tensor, Tensor]:
        """Kernel, as large as the largest, and bias of one branch with its normalisation worked in."""
        in_channels, _, size, _ = self.shape
        if isinstance(branch, ConvNorm):
            kernel, norm = branch.conv.weight, branch.bn
        else:
            width = in_channels // self.groups
            kernel, norm = paddle.eye(width).tile([self.groups, 1]).reshape([-1, width, 1, 1]), branch
        border = (size - kernel.shape[-1]) // 2
        gain = norm.weight / (norm._variance + norm._epsilon).sqrt()
        return F.pad(kernel, [border] * 4) * gain.reshape([-1, 1, 1, 1]), norm.bias - norm._mean * gain


class ConvNorm(nn.Layer):
    """Convolution without bias and batch normalisation, whose parameters do not decay."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: Stride = 1, groups: int = 1):
        super().__init__()
        self.conv = nn.Conv2D(
            in_channels,
            out_channels,
            kernel,
            stride,
            padding=kernel // 2,
            groups=groups,
            weight_attr=ParamAttr(initializer=nn.initializer.KaimingNormal()),
            bias_attr=False,
        )
        weight, bias = (ParamAttr(regularizer=L2Decay(0.0)) for _ in range(2))
        self.bn = nn.BatchNorm2D(out_channels, weight_attr=weight, bias_attr=bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(x))


class LearnableAffineBlock(nn.Layer):  # automatic parameter names follow from the class's
    """One scale and one shift for the whole tensor."""

    def __init__(self):
        super().__init__()
        self.scale, self.bias = (
            self.create_parameter(
                [1],
                attr=ParamAttr(learning_rate=AFFINE_RATE),
                default_initializer=nn.initializer.Constant(start),
            )
            for start in (1.0, 0.0)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * x + self.bias


class ScaledHardswish(nn.Layer):
    def __init__(self):
        super().__init__()
        self.lab = LearnableAffineBlock()

    def forward(self, x: Tensor) -> Tensor:
        return self.lab(F.hardswish(x))
