"""The warp of native/pixels.c in NumPy, to the bit: every sum in the same order, every number of the same kind."""

from __future__ import annotations

from typing import Any

import numpy as np

GRID = 100  # pixels between the nodes at which the deformation is solved
WEIGHT = 16384  # of two neighbours in a column, together


def warp_in_numpy(image: np.ndarray, sources: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """One warp of warp.warp. sources, targets: float64 (count, 2)."""
    height, width, _ = image.shape
    columns, rows = _nodes(width), _nodes(height)
    way = _ways_back(columns, rows, sources, targets)
    pixels: np.ndarray = image.reshape(-1, 3).astype(np.float32)
    result = np.empty_like(image)
    for i, top in enumerate(rows[:-1]):
        for j, left in enumerate(columns[:-1]):
            bottom, right = min(top + GRID, height), min(left + GRID, width)
            share = (np.arange(bottom - top) / (bottom - top))[:, None]
            first = way[i, j] + (way[i + 1, j] - way[i, j]) * share
            last = way[i, j + 1] + (way[i + 1, j + 1] - way[i, j + 1]) * share
            step = (last - first) / (right - left) + (1, 0)
            places = np.arange(right - left, dtype=np.float32)
            at = first[..., None].astype(np.float32) + step[..., None].astype(np.float32) * places
            column, along = _place(at[:, 0], left, width)
            row, down = _place(at[:, 1], np.arange(top, bottom)[:, None], height)
            result[top:bottom, left:right] = _between(pixels, width, row * width + column, down, along)
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
    for k in reversed(range(count - 1)):  # on a control point its own move counts: of the first, if there are several
        way[(x == to_x[k]) & (y == to_y[k])] = sources[k] - targets[k]
    return way


def _place(at: np.ndarray, origin: Any, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions counted from `origin` of a side: the pixel at or before each, and how far behind that it is."""
    least = np.asarray(-origin, np.float32)
    most = np.asarray(length - 1 - origin, np.float32)
    at = np.minimum(np.maximum(at, least), most)
    whole = np.floor(np.minimum(at, most - np.float32(1)))
    return origin + whole.astype(np.int64), at - whole


def _between(pixels: np.ndarray, width: int, at: np.ndarray, down: np.ndarray, along: np.ndarray) -> np.ndarray:
    """The mean of two neighbours in each of two rows. pixels: float32 (height * width, 3), in which `at` counts.

    Weights up and down are whole numbers, as in C, and so is all that comes of them: below 2**24, exact in float32.
    """
    lower = np.floor(down * np.float32(WEIGHT) + np.float32(0.5))[..., None]
    upper = np.float32(WEIGHT) - lower
    left, right = (pixels.take(here, 0) * upper + pixels.take(here + width, 0) * lower for here in (at, at + 1))
    left += (right - left) * along[..., None]
    return (left * np.float32(1 / WEIGHT)).astype(np.uint8)
