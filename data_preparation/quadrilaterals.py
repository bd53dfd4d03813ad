"""From an annotated polygon to the four corners that are cut out: top left, top right, bottom right, bottom left."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from contract.image_header import MAX_PIXELS
from data_preparation.regions import Polygon
from data_preparation.sources.entries import BadSample

MIN_SIDE = 4  # pixels: no letter is legible on less
MIN_INSIDE = 0.8  # share of the region that lies on the page
_FARTHEST = 1e6  # pixels

Corners = tuple[tuple[float, float], ...]  # four, clockwise as people see it (y grows downwards)

_CORRECT = "correct the annotation"


@dataclass(frozen=True)
class Quadrilateral:
    """What is cut out of a page: from its top left corner clockwise, and the size in pixels that it will have."""

    corners: Corners
    width: int
    height: int


def quadrilateral(polygon: Polygon, page: tuple[int, int]) -> Quadrilateral:
    """What to cut out of a page of that width and height. Raises BadSample for what is no region of it.

    Four points keep their order, which says where their text begins; counter-clockwise, their text would be cut out
    mirrored, so the other order from the same first corner is taken. More points are cut out by their smallest
    rectangle, as PaddleOCR does with the polygons that it detects.
    """
    if len(polygon) < 4:
        raise BadSample("polygon", f"the region has {len(polygon)} of at least 4 points", _CORRECT)
    if not all(-_FARTHEST < number < _FARTHEST for point in polygon for number in point):  # not so for NaN either
        raise BadSample("polygon", "a coordinate is no number of pixels", _CORRECT)
    corners = polygon if len(polygon) == 4 else _smallest_rectangle(polygon)
    if upright_box(corners) is None:
        corners = _clockwise(corners)
    width, height = _size(corners)
    if min(width, height) < MIN_SIDE:
        raise BadSample("too small", f"the region is {width} x {height} pixels, of at least {MIN_SIDE}", _CORRECT)
    if width * height > MAX_PIXELS:
        message = f"the region would be {width} x {height} pixels, over the limit of {MAX_PIXELS:,}"
        raise BadSample("too large", message, _CORRECT)
    inside = _share_inside(corners, page)
    if inside < MIN_INSIDE:
        share = "" if inside == 0 else f" by {1 - inside:.0%}"
        raise BadSample("outside", f"the region lies outside the page of {page[0]} x {page[1]} pixels{share}", _CORRECT)
    return Quadrilateral(corners, width, height)


def upright_box(corners: Corners) -> tuple[int, int, int, int] | None:
    """Left, top, right and bottom of corners that are those of an upright box on whole pixels; None for others."""
    (left, top), _, (right, bottom), _ = corners
    if corners != ((left, top), (right, top), (right, bottom), (left, bottom)):
        return None
    if left >= right or top >= bottom:
        return None  # counter-clockwise, or on its head
    if int(left) != left or int(top) != top or int(right) != right or int(bottom) != bottom:
        return None
    return int(left), int(top), int(right), int(bottom)


def _size(corners: Corners) -> tuple[int, int]:
    """Width and height: the longer one of opposite sides in whole pixels, in single precision as PaddleOCR reckons."""
    box = upright_box(corners)
    if box:
        return box[2] - box[0], box[3] - box[1]
    points = np.float32(corners)
    top, right, bottom, left = (float(np.linalg.norm(points[i] - points[(i + 1) % 4])) for i in range(4))
    return int(max(top, bottom)), int(max(right, left))


def _clockwise(corners: Corners) -> Corners:
    """The corners in clockwise order. Raises BadSample unless they are those of a convex quadrilateral."""
    turns = [_turn(corners[i - 1], corners[i], corners[(i + 1) % 4]) for i in range(4)]
    right, left = sum(turn > 0 for turn in turns), sum(turn < 0 for turn in turns)
    if right == 4:
        return corners
    if left == 4:
        return (corners[0], corners[3], corners[2], corners[1])
    if right == left == 2:
        raise BadSample("polygon", "the region's sides cross each other", _CORRECT)
    if right + left == 4:
        raise BadSample("polygon", "the region has a dent at a corner", _CORRECT)
    raise BadSample("polygon", "three corners of the region lie on one line: it has no area", _CORRECT)


def _turn(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    """Above 0 where the way from a over b to c turns right, as people see it."""
    return (b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0])


def _smallest_rectangle(polygon: Polygon) -> Corners:
    """The rectangle of the smallest area around the points, from its top left corner, on whole pixels before."""
    box = cv2.boxPoints(cv2.minAreaRect(np.array(polygon).astype(np.int32)))
    points = sorted(((float(x), float(y)) for x, y in box), key=lambda point: point[0])
    left, right = sorted(points[:2], key=lambda point: point[1]), sorted(points[2:], key=lambda point: point[1])
    return (left[0], right[0], right[1], left[1])


def _share_inside(corners: Corners, page: tuple[int, int]) -> float:
    """The share of the area that lies on the page."""
    width, height = page
    xs, ys = zip(*corners, strict=True)
    if min(xs) >= 0 and min(ys) >= 0 and max(xs) <= width and max(ys) <= height:
        return 1.0
    quad = np.float32(corners)
    whole = np.float32([[0, 0], [width, 0], [width, height], [0, height]])
    return float(cv2.intersectConvexConvex(quad, whole)[0] / cv2.contourArea(quad))
