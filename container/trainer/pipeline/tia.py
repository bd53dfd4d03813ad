"""Lines distorted, stretched and tilted: the three warps of text image augmentation (Luo et al., "Learn to Augment",
CVPR 2020) with the ranges and in the order of PaddleOCR's RecAug.

Each moves control points on the upper and the lower edge; numbers are drawn in PaddleOCR's order, x before y.
"""

from __future__ import annotations

import numpy as np

from container.trainer.pipeline.draws import Draws
from container.trainer.pipeline.warp import Move, Points, warp

LEAST_SIDE = 20  # pixels: smaller images stay as they are


def tia(image: np.ndarray, draws: Draws) -> np.ndarray:
    """The image after all three; of at least LEAST_SIDE pixels in width and height."""
    height, width, _ = image.shape
    distort = distorted(width, height, draws.between(3, 6), draws)
    stretch = stretched(width, height, draws.between(3, 6), draws)
    return warp(image, [distort, stretch, tilted(width, height, draws)])


def distorted(width: int, height: int, segments: int, draws: Draws) -> Move:
    """Corners move inwards, and cuts between the segments to any side, by a ninth to an eighteenth of the width."""
    cut = width // segments
    most = cut // 3
    x0, y0, x1, y1, x2, y2, x3, y3, *moves = draws.several_below(most, 8 + 4 * (segments - 1))
    sources = _corners(width, height)
    targets: Points = [x0, y0, width - x1, y1, width - x2, height - y2, x3, height - y3]
    half = most / 2
    for index in range(1, segments):
        x = cut * index
        by_x, by_y, below_by_x, below_by_y = moves[4 * index - 4 : 4 * index]
        sources += (x, 0, x, height)
        targets += (x + by_x - half, by_y - half, x + below_by_x - half, height + below_by_y - half)
    return sources, targets


def stretched(width: int, height: int, segments: int, draws: Draws) -> Move:
    """Cuts between the segments move sideways, by up to 0.4 of a segment; corners stay."""
    cut = width // segments
    most = cut * 4 // 5
    sources, targets = _corners(width, height), _corners(width, height)
    for index, move in enumerate(draws.several_below(most, segments - 1), start=1):
        x = cut * index
        moved = x + move - most / 2
        sources += (x, 0, x, height)
        targets += (moved, 0, moved, height)
    return sources, targets


def tilted(width: int, height: int, draws: Draws) -> Move:
    """Corners move up or down into the image, by up to half its height."""
    y0, y1, y2, y3 = draws.several_below(height // 2, 4)
    return _corners(width, height), [0, y0, width, y1, width, height - y2, 0, height - y3]


def _corners(width: int, height: int) -> Points:
    return [0, 0, width, 0, width, height, 0, height]
