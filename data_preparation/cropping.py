"""Cuts one region out of the pixels of its page: upright, and as PaddleOCR's own rotate-crop does, to the pixel.

PaddleOCR cuts what it has detected with a perspective transform, bicubic, and turns tall crops by 90 degrees. A model
should be trained on the same pixels that it will read.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from data_preparation.quadrilaterals import Corners, size_of
from data_preparation.sources.entries import BadSample

TALL = 1.5  # height / width from which PaddleOCR takes text for vertical


@dataclass(frozen=True)
class Cut:
    """How regions are cut out. `padding` is pixels around the region or, with `relative`, a share of its height."""

    padding: float = 0
    relative: bool = False
    turn_tall: bool = True  # by 90 degrees counter-clockwise


def cut_out(page: np.ndarray, corners: Corners, how: Cut) -> np.ndarray:
    """The pixels between the corners, (height, width, 3), upright. Raises BadSample when they cannot be padded."""
    width, height = size_of(corners)
    padding = round(how.padding * min(width, height) if how.relative else how.padding)
    crop = _slice(page, corners, padding)
    if crop is None:
        crop = _warp(page, corners, (width, height), padding)
    if how.turn_tall and crop.shape[0] / crop.shape[1] >= TALL:
        crop = np.rot90(crop)
    return crop


def _slice(page: np.ndarray, corners: Corners, padding: int) -> np.ndarray | None:
    """The same pixels as the transform's, without it: for upright boxes on whole pixels inside the page."""
    (left, top), _, (right, bottom), _ = corners
    if left > right or corners != ((left, top), (right, top), (right, bottom), (left, bottom)):
        return None  # tilted, or turned upside down
    x, y, to_x, to_y = int(left), int(top), int(right), int(bottom)
    if (x, y, to_x, to_y) != (left, top, right, bottom):
        return None
    x, y, to_x, to_y = x - padding, y - padding, to_x + padding, to_y + padding
    if x < 0 or y < 0 or to_x > page.shape[1] or to_y > page.shape[0]:
        return None
    return page[y:to_y, x:to_x]


def _warp(page: np.ndarray, corners: Corners, size: tuple[int, int], padding: int) -> np.ndarray:
    """The quadrilateral as a rectangle; beyond the page, its edge is repeated."""
    width, height = size
    target = np.float32([[0, 0], [width, 0], [width, height], [0, height]])
    matrix = cv2.getPerspectiveTransform(np.float32(corners), target)
    if padding:
        matrix = _padded(matrix, size, padding)
    size = (width + 2 * padding, height + 2 * padding)
    return cv2.warpPerspective(page, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def _padded(matrix: np.ndarray, size: tuple[int, int], padding: int) -> np.ndarray:
    """The transform with its result moved into a larger one. Raises BadSample where that meets the horizon."""
    width, height = size
    back = np.linalg.inv(matrix)[2]
    edges = [(x, y, 1.0) for x in (-padding, width + padding) for y in (-padding, height + padding)]
    depths = [float(back @ np.float64(edge)) for edge in edges]
    if min(depths) * max(depths) <= 0:
        raise BadSample("padding", "the region is too far from a rectangle to be padded", "correct its corners")
    return np.float64([[1, 0, padding], [0, 1, padding], [0, 0, 1]]) @ matrix
