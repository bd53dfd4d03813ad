"""Drawn pages and their annotations to test with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

Points = list[list[float]]


def draw_page(path: Path, width: int = 320, height: int = 240, seed: int = 0) -> np.ndarray:
    """Write an image with structure everywhere; return its pixels as they decode."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))
    return cv2.imread(str(path))


def box(x: float, y: float, width: float = 80, height: float = 24) -> Points:
    """The corners of an upright box, from its top left one, clockwise."""
    return [[x, y], [x + width, y], [x + width, y + height], [x, y + height]]


def label_line(page: str, regions: list[tuple[str, Points]], **more: Any) -> str:
    """A line of PPOCRLabel's Label.txt."""
    annotations = [{"transcription": text, "points": points, "difficult": False, **more} for text, points in regions]
    return f"{page}\t{json.dumps(annotations, ensure_ascii=False)}\n"


def shape(text: str, points: Points, kind: str = "polygon", **more: Any) -> dict[str, Any]:
    """A shape of a LabelMe file."""
    return {"label": text, "points": points, "group_id": None, "shape_type": kind, "flags": {}} | more


def labelme_file(path: Path, page: str, shapes: list[dict[str, Any]], **more: Any) -> None:
    """A JSON file as LabelMe 5 writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"version": "5.4.1", "flags": {}, "shapes": shapes, "imagePath": page, "imageData": "aGVsbG8="} | more
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2), encoding="utf-8")


def icdar_line(text: str, points: Points) -> str:
    """A line of a text file of ICDAR 2015."""
    return ",".join(str(round(number)) for point in points for number in point) + f",{text}\n"
