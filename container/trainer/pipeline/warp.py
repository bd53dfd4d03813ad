"""Text lines bent and stretched: an image warped so that some points of it move, and the rest follows.

Compiled where the library of native/ is there, else in NumPy: the same pixels, some twenty times slower.
"""

from __future__ import annotations

import numpy as np

from container.trainer.pipeline.native.build import library
from container.trainer.pipeline.warp_numpy import warp_in_numpy

Points = list[tuple[float, float]]  # x, y in pixels; at most 64


def warp(image: np.ndarray, sources: Points, targets: Points) -> np.ndarray:
    """The image (uint8, (height, width, 3), at least 2 x 2), where what was at `sources` is at `targets`."""
    compiled = library()
    points = np.array([sources, targets], np.float64)
    if compiled is None:
        return warp_in_numpy(image, *points)
    image = np.ascontiguousarray(image)
    result = np.empty_like(image)
    height, width, _ = image.shape
    start = points.ctypes.data
    compiled.warp(image.ctypes.data, result.ctypes.data, width, height, start, start + points.nbytes // 2, len(sources))
    return result
