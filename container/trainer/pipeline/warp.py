"""Text lines bent and stretched: an image warped so that some points of it move, and the rest follows.

Compiled where the library of native/ is there, else in NumPy: the same pixels, some twenty times slower.
"""

from __future__ import annotations

from array import array

import numpy as np

from container.trainer.pipeline.native.build import address, library
from container.trainer.pipeline.warp_numpy import warp_in_numpy

Points = list[float]  # x and y of each in turn, in pixels; of at most 64
Move = tuple[Points, Points]  # where points are in the source, and where they are in the result


def warp(image: np.ndarray, moves: list[Move]) -> np.ndarray:
    """The image (uint8, (height, width, 3), at least 2 x 2) after one warp for each move."""
    compiled = library()
    if compiled is None:
        for move in moves:
            image = warp_in_numpy(image, *np.array(move, np.float64).reshape(2, -1, 2))
        return image
    image = np.ascontiguousarray(image)
    height, width, _ = image.shape
    work: np.ndarray = np.empty(19 * image.size // 3, np.uint8)  # 16 bytes a pixel to work in, and 3 of the result
    room = 16 * image.size // 3
    points, counts = array("d"), array("i")
    for sources, targets in moves:
        points.extend(sources)
        points.extend(targets)
        counts.append(len(sources) // 2)
    start = address(work)
    compiled.warp(
        address(image),
        start + room,
        start,
        width,
        height,
        points.buffer_info()[0],
        counts.buffer_info()[0],
        len(moves),
    )
    return work[room:].reshape(image.shape)
