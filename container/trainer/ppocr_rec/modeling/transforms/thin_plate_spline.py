"""Thin-plate spline: the smoothest bending that takes given points to given places (doi:10.1109/34.24792)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn


class ThinPlateSpline(nn.Layer):
    """An image (B, C, H, W) and points on it (B, points, 2) → (B, C, *size), in which the points lie on the edges.

    `margins` (x, y) is how far from the border of the new image the edges are, as shares of its sides.
    """

    def __init__(self, size: Sequence[int], points: int, margins: Sequence[float]):
        super().__init__()
        self.size = tuple(size)
        places = paddle.to_tensor(edge_points(points, margins))
        # The spline is linear in the points: what solves it, and where its pixels are, can be computed once.
        # Neither is persistable: published weights do not hold them.
        self.solution = paddle.inverse(system(places).astype("float32"))[:, :points]
        self.pixels = terms(pixel_centres(self.size), places.astype("float32"))

    def forward(self, x: Tensor, points: Tensor) -> Tensor:
        if self.training and x.stop_gradient:
            # paddle 3.3.1 crashes in grid_sample's backward on the CPU where the image needs no gradient
            x = x.detach()
            x.stop_gradient = False
        with paddle.amp.auto_cast(enable=False):  # half precision is too coarse to say where a pixel is
            where = self.pixels.matmul(self.solution.matmul(points.astype("float32")))
            grid = 2 * paddle.clip(where, 0, 1).reshape([-1, *self.size, 2]) - 1
            return F.grid_sample(x.astype("float32"), grid)


def edge_points(count: int, margins: Sequence[float]) -> np.ndarray:
    """(count, 2): x and y of points spread evenly along the upper edge of a unit square, then along the lower."""
    x_margin, y_margin = margins
    x = np.linspace(x_margin, 1 - x_margin, count // 2)
    return np.concatenate([np.stack([x, np.full_like(x, y)], axis=1) for y in (y_margin, 1 - y_margin)])


def pixel_centres(size: Sequence[int]) -> Tensor:
    """(H · W, 2): x and y in 0..1 of every pixel, row by row."""
    y, x = np.indices(size, dtype="float32").reshape(2, -1)
    return paddle.to_tensor(np.stack([x / np.float32(size[1] - 1), y / np.float32(size[0] - 1)], axis=1))


def terms(at: Tensor, places: Tensor) -> Tensor:
    """(N, points + 3): the spline's terms at N positions, one for each place and three of its affine part."""
    return paddle.concat([bending(at, places), paddle.ones([len(at), 1], at.dtype), at], axis=1)


def bending(at: Tensor, places: Tensor) -> Tensor:
    """(N, points): r² · log r for the distance r of each pair, which is 0 at r = 0."""
    x, y = paddle.unbind(at.unsqueeze(1) - places.unsqueeze(0), axis=2)
    squared = x * x + y * y
    return paddle.where(squared > 0, 0.5 * squared * paddle.log(squared), paddle.zeros_like(squared))


def system(places: Tensor) -> Tensor:
    """(points + 3, points + 3): the equations of a spline through the places that is flat far away."""
    upper = terms(places, places)
    affine = upper[:, len(places) :]
    return paddle.concat([upper, paddle.concat([affine.t(), paddle.zeros([3, 3], places.dtype)], axis=1)])
