"""native/warp.c in NumPy, to the bit: every sum in the same order, every number of the same kind."""

from __future__ import annotations

import numpy as np

GRID = 100  # pixels between the nodes at which the deformation is solved
ONE = 2.0**32  # positions are fixed point with 32 bits behind the point


def warp_in_numpy(image: np.ndarray, sources: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """See warp.warp. sources, targets: float64 (count, 2)."""
    height, width, _ = image.shape
    columns, rows = _nodes(width), _nodes(height)
    way = _ways_back(columns, rows, sources, targets)
    result = np.empty_like(image)
    for i, top in enumerate(rows[:-1]):
        for j, left in enumerate(columns[:-1]):
            bottom, right = min(top + GRID, height), min(left + GRID, width)
            share = (np.arange(bottom - top) / (bottom - top))[:, None]
            first = way[i, j] + (way[i + 1, j] - way[i, j]) * share
            last = way[i, j + 1] + (way[i + 1, j + 1] - way[i, j + 1]) * share
            step = (last - first) / (right - left)
            at = np.arange(right - left)
            x = _fixed(left + first[:, :1]) + _fixed(step[:, :1] + 1) * at
            y = _fixed(np.arange(top, bottom)[:, None] + first[:, 1:]) + _fixed(step[:, 1:]) * at
            result[top:bottom, left:right] = _between_pixels(image, x, y)
    return result


def _nodes(length: int) -> list[int]:
    """Where the nodes are along a side: every GRID pixels, and on the last one."""
    return [*range(0, length, GRID), length - 1]


def _ways_back(columns: list[int], rows: list[int], sources: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """(rows, columns, 2): where each node comes from, as the way from it."""
    x: np.ndarray
    y: np.ndarray
    x, y = np.meshgrid(np.array(columns, float), np.array(rows, float))
    from_x, from_y = sources.T
    to_x, to_y = targets.T
    count = len(sources)
    weights, total, spread = [], np.zeros_like(x), np.zeros_like(x)
    p_x, p_y, q_x, q_y, moved_x, moved_y = (np.zeros_like(x) for _ in range(6))
    for k in range(count):
        square = (x - to_x[k]) * (x - to_x[k]) + (y - to_y[k]) * (y - to_y[k])
        weight = np.where(square == 0, 0.0, 1 / np.where(square == 0, 1.0, square))
        weights.append(weight)
        total += weight
        p_x += weight * to_x[k]
        p_y += weight * to_y[k]
        q_x += weight * from_x[k]
        q_y += weight * from_y[k]
    p_x /= total
    p_y /= total
    for k in range(count):
        off_x, off_y = to_x[k] - p_x, to_y[k] - p_y
        along = off_x * (x - p_x) + off_y * (y - p_y)
        across = off_x * (y - p_y) - off_y * (x - p_x)
        spread += weights[k] * (off_x * off_x + off_y * off_y)
        moved_x += weights[k] * (along * from_x[k] - across * from_y[k])
        moved_y += weights[k] * (across * from_x[k] + along * from_y[k])
    way = np.stack([moved_x / spread + q_x / total - x, moved_y / spread + q_y / total - y], axis=-1)
    for k in reversed(
        range(count - 1)
    ):  # on a control point its own move counts: of the first, where there are several
        way[(x == to_x[k]) & (y == to_y[k])] = sources[k] - targets[k]
    return way


def _fixed(position: np.ndarray) -> np.ndarray:
    return (position * ONE).astype(np.int64)


def _between_pixels(image: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The image at fixed-point positions."""
    height, width, _ = image.shape
    x = np.clip(x, 0, (width - 1) << 32)
    y = np.clip(y, 0, (height - 1) << 32)
    column = np.minimum(x >> 32, width - 2)  # the last pixel is the neighbour, wholly, of the one before
    row = np.minimum(y >> 32, height - 2)
    along = (((x - (column << 32)) >> 8).astype(np.float32) * np.float32(2.0**-24))[..., None]
    down = (((y - (row << 32)) >> 8).astype(np.float32) * np.float32(2.0**-24))[..., None]
    above, above_next, below, below_next = (
        image[row + i, column + j].astype(np.float32) for i in (0, 1) for j in (0, 1)
    )
    above += (above_next - above) * along
    below += (below_next - below) * along
    return (above + (below - above) * down).astype(np.uint8)
