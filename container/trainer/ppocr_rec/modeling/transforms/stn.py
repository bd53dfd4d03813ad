"""Straighten a line before it is read: ASTER's rectification (doi:10.1109/TPAMI.2018.2848939, section 3.1).

A small network finds points along the upper and the lower edge of the text (a spatial transformer,
https://arxiv.org/abs/1506.02025); a thin-plate spline through them (https://arxiv.org/abs/1603.03915) bends the
image so that these edges become level.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from .thin_plate_spline import ThinPlateSpline, edge_points

CHANNELS = (32, 64, 128, 256, 256, 256)
FEATURES = 512  # what the first linear layer takes: two cells of 256 channels, all that is left of 32 x 64
LOOKED_AT = [32, 64]  # the one tps_inputsize for which that holds
START_MARGIN = 0.01  # before training the points lie this far from the border, so the image stays as it is
ACTIVATIONS = ("none", "sigmoid")


class STN_ON(nn.Layer):
    """(B, C, H, W) → (B, C, *tps_outputsize)."""

    def __init__(
        self,
        in_channels: int,
        tps_inputsize: Sequence[int],
        tps_outputsize: Sequence[int],
        num_control_points: int,
        tps_margins: Sequence[float],
        stn_activation: str = "none",
    ):
        super().__init__()
        if list(tps_inputsize) != LOOKED_AT:
            raise ValueError(f"Transform.tps_inputsize is {list(tps_inputsize)}: STN_ON has to look at {LOOKED_AT}.")
        if stn_activation not in ACTIVATIONS:
            raise ValueError(f"Transform.stn_activation is {stn_activation!r}: it has to be none or sigmoid.")
        self.out_channels = in_channels
        self.tps = ThinPlateSpline(tps_outputsize, num_control_points, tps_margins)
        self.stn_head = PointFinder(in_channels, num_control_points, stn_activation == "sigmoid")

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            small = F.interpolate(x, LOOKED_AT, mode="bilinear", align_corners=True)
        else:
            small = shrink(x, LOOKED_AT)
        return self.tps(x, self.stn_head(small))


def shrink(x: Tensor, size: Sequence[int]) -> Tensor:
    """What F.interpolate gives: (B, C, H, W) → (B, C, *size), bilinear, corners stay corners.

    By products of matrices, because Paddle Inference 3.3 cannot run an exported F.interpolate on the CPU (oneDNN).
    """
    return hats(x.shape[2], size[0]).matmul(x).matmul(hats(x.shape[3], size[1]).t())


def hats(given: int, wanted: int) -> Tensor:
    """(wanted, given): how much each of the given values counts at each of the wanted places between them."""
    places = (paddle.arange(wanted, dtype="float32") * ((given - 1) / (wanted - 1))).unsqueeze(1)
    return F.relu(1 - (places - paddle.arange(given, dtype="float32")).abs())


class PointFinder(nn.Layer):
    """(B, C, 32, 64) → (B, points, 2): x and y in 0..1, first the upper edge, then the lower."""

    def __init__(self, in_channels: int, points: int, bounded: bool):
        super().__init__()
        self.points, self.bounded = points, bounded
        layers: list[nn.Layer] = []
        for before, after in pairwise((in_channels, *CHANNELS)):
            layers += [convolution(before, after), nn.MaxPool2D(2)]
        self.stn_convnet = nn.Sequential(*layers[:-1])
        self.stn_fc1 = nn.Sequential(
            nn.Linear(FEATURES, FEATURES, weight_attr=nn.initializer.Normal(0.0, 0.001)),
            nn.BatchNorm1D(FEATURES),
            nn.ReLU(),
        )
        start: np.ndarray = edge_points(points, (START_MARGIN, START_MARGIN)).astype("float32")
        if bounded:
            start = -np.log(1 / start - 1)
        self.stn_fc2 = nn.Linear(
            FEATURES,
            2 * points,
            weight_attr=nn.initializer.Constant(0.0),
            bias_attr=nn.initializer.Assign(start.flatten()),
        )

    def forward(self, x: Tensor) -> Tensor:
        features = self.stn_fc1(self.stn_convnet(x).flatten(1))
        points = self.stn_fc2(0.1 * features)
        if self.bounded:
            points = F.sigmoid(points)
        return points.reshape([-1, self.points, 2])


def convolution(in_channels: int, out_channels: int) -> nn.Sequential:
    """3x3, from a normal distribution that keeps the variance of what goes back."""
    spread = math.sqrt(2 / (9 * out_channels))
    layer = nn.Conv2D(in_channels, out_channels, 3, padding=1, weight_attr=nn.initializer.Normal(0.0, spread))
    return nn.Sequential(layer, nn.BatchNorm2D(out_channels), nn.ReLU())
