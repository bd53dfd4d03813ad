"""PaddleOCR's own functions that cut text out of a page, from the tree that trains: the reference for ours.

Their file imports paddle, which they do not need: they are compiled by themselves.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import cv2
import numpy as np

from container.tree import locate_tree

FILE = "tools/infer/utility.py"
QUADRILATERAL, POLYGON = "get_rotate_crop_image", "get_minarea_rect_crop"

RotateCrop = Callable[[np.ndarray, np.ndarray], np.ndarray]


@cache
def rotate_crop(name: str = QUADRILATERAL) -> RotateCrop:
    """One of the two functions: (page, points) to crop."""
    source = (locate_tree(lambda line: print(line, file=sys.stderr)) / FILE).read_text(encoding="utf-8")
    wanted = [
        each
        for each in ast.parse(source).body
        if isinstance(each, ast.FunctionDef) and each.name in (QUADRILATERAL, POLYGON)
    ]
    names: dict[str, Any] = {"cv2": cv2, "np": np}
    exec(compile(ast.Module(wanted, []), FILE, "exec"), names)
    return names[name]
