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
    """Corners move inwards, cuts between the segments to any side, by up to a ninth or so of a third of the width."""
    cut = width // segments
    most = cut // 3
    corners = _corners(width, height)
    moved: Points = [
        (x - draws.below(most) if x else draws.below(most), y - draws.below(most) if y else draws.below(most))
        for x, y in corners
    ]
    cuts = [(cut * index, y) for index in range(1, segments) for y in (0, height)]
    moved += [(x + draws.below(most) - most / 2, y + draws.below(most) - most / 2) for x, y in cuts]
    return corners + cuts, moved


def stretched(width: int, height: int, segments: int, draws: Draws) -> Move:
    """Cuts between the segments move sideways, by up to 0.4 of a segment; corners stay."""
    cut = width // segments
    most = cut * 4 // 5
    sources, targets = _corners(width, height), _corners(width, height)
    for index in range(1, segments):
        move = draws.below(most) - most / 2
        sources += [(cut * index, 0), (cut * index, height)]
        targets += [(cut * index + move, 0), (cut * index + move, height)]
    return sources, targets


def tilted(width: int, height: int, draws: Draws) -> Move:
    """Corners move up or down into the image, by up to half its height."""
    corners = _corners(width, height)
    return corners, [(x, y - draws.below(height // 2) if y else draws.below(height // 2)) for x, y in corners]


def _corners(width: int, height: int) -> Points:
    return [(0, 0), (width, 0), (width, height), (0, height)]
