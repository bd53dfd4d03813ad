"""Cuts one region out of the pixels of its page: upright, and as PaddleOCR's own rotate-crop does, to the pixel.

PaddleOCR cuts what it has detected with a perspective transform, bicubic, and turns tall crops by 90 degrees. A model
should be trained on the same pixels that it will read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from data_preparation.quadrilaterals import Quadrilateral, upright_box
from data_preparation.sources.entries import BadSample

TALL = 1.5  # height / width from which PaddleOCR takes text for vertical

# A JPEG of quality 95 is a quarter of the PNG in size and in time to write; what it loses is far below the blur and
# noise that training adds. 3 is OpenCV's own level for PNG.
ENCODINGS = {"jpg": (cv2.IMWRITE_JPEG_QUALITY, 95), "png": (cv2.IMWRITE_PNG_COMPRESSION, 3)}
LONGEST_JPEG = 65_500  # pixels; libjpeg's limit


@dataclass(frozen=True)
class Cut:
    """How regions are cut out. `padding` is pixels around the region or, with `relative`, a share of its height."""

    padding: float = 0
    relative: bool = False
    turn_tall: bool = True  # by 90 degrees counter-clockwise
    encoding: str = "jpg"  # one of ENCODINGS

    @property
    def facts(self) -> dict[str, Any]:
        """The same for the manifest of the dataset."""
        padding = f"{self.padding:.0%}" if self.relative else self.padding
        return {"padding": padding, "tall": "turned" if self.turn_tall else "kept", "encoding": self.encoding}


def cut_out(page: np.ndarray, region: Quadrilateral, how: Cut) -> tuple[np.ndarray, bool]:
    """The pixels of the region, (height, width, 3), upright, and whether they were turned because they are tall.

    Raises BadSample when it cannot be padded.
    """
    padding = round(how.padding * min(region.width, region.height) if how.relative else how.padding)
    crop = _slice(page, region, padding)
    if crop is None:
        crop = _warp(page, region, padding)
    turned = how.turn_tall and crop.shape[0] / crop.shape[1] >= TALL
    return (np.rot90(crop) if turned else crop), turned


def encoded(crop: np.ndarray, encoding: str) -> bytes:
    """The file of a crop. Raises BadSample for one that is too large for it."""
    if encoding == "jpg" and max(crop.shape) > LONGEST_JPEG:
        size = f"{crop.shape[1]} x {crop.shape[0]}"
        raise BadSample("too large", f"the crop of {size} pixels cannot be a JPEG", "use --image-format png")
    done, file = cv2.imencode(f".{encoding}", crop, ENCODINGS[encoding])
    if not done:
        raise RuntimeError(f"OpenCV could not encode {crop.shape} as {encoding}")
    return file.tobytes()


def _slice(page: np.ndarray, region: Quadrilateral, padding: int) -> np.ndarray | None:
    """The same pixels as the transform's, without it: for upright boxes on whole pixels inside the page."""
    box = upright_box(region.corners)
    if box is None:
        return None
    left, top, right, bottom = box[0] - padding, box[1] - padding, box[2] + padding, box[3] + padding
    if left < 0 or top < 0 or right > page.shape[1] or bottom > page.shape[0]:
        return None
    return page[top:bottom, left:right]


def _warp(page: np.ndarray, region: Quadrilateral, padding: int) -> np.ndarray:
    """The quadrilateral as a rectangle; beyond the page, its edge is repeated."""
    width, height = region.width, region.height
    target = np.float32([[0, 0], [width, 0], [width, height], [0, height]])
    matrix = cv2.getPerspectiveTransform(np.float32(region.corners), target)
    if padding:
        matrix = _padded(matrix, region, padding)
    size = (width + 2 * padding, height + 2 * padding)
    return cv2.warpPerspective(page, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def _padded(matrix: np.ndarray, region: Quadrilateral, padding: int) -> np.ndarray:
    """The transform with its result moved into a larger one. Raises BadSample where that meets the horizon."""
    back = np.linalg.inv(matrix)[2]
    xs, ys = (-padding, region.width + padding), (-padding, region.height + padding)
    depths = [float(back @ np.float64((x, y, 1))) for x in xs for y in ys]
    if min(depths) * max(depths) <= 0:
        raise BadSample("padding", "the region is too far from a rectangle to be padded", "correct its corners")
    return np.float64([[1, 0, padding], [0, 1, padding], [0, 0, 1]]) @ matrix
