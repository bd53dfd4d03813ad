"""Text lines bent and stretched: an image warped so that some points of it move, and the rest follows.

Compiled where the library of native/ is there, else in NumPy: the same pixels, some twenty times slower.
"""

from __future__ import annotations

import numpy as np

from container.trainer.pipeline.native.build import library
from container.trainer.pipeline.warp_numpy import warp_in_numpy

Points = list[tuple[float, float]]  # x, y in pixels; at most 64
Move = tuple[Points, Points]  # where points are in the source, and where they are in the result


def warp(image: np.ndarray, moves: list[Move]) -> np.ndarray:
    """The image (uint8, (height, width, 3), at least 2 x 2) after one warp for each move."""
    compiled = library()
    if compiled is None:
        for move in moves:
            image = warp_in_numpy(image, *np.array(move, np.float64))
        return image
    image = np.ascontiguousarray(image)
    height, width, _ = image.shape
    result = np.empty_like(image)
    work = np.empty(16 * height * width, np.uint8)
    points = np.array([point for move in moves for side in move for point in side], np.float64)
    counts = np.array([len(sources) for sources, _ in moves], np.int32)
    compiled.warp(
        image.ctypes.data,
        result.ctypes.data,
        work.ctypes.data,
        width,
        height,
        points.ctypes.data,
        counts.ctypes.data,
        len(moves),
    )
    return result
