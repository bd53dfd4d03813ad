"""Does an image really decode? Asked with OpenCV, as the training does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np


def decode(data: bytes, *, upright: bool = True) -> np.ndarray | None:
    """A colour image, (height, width, 3) of 8 bits; None when OpenCV makes none of the bytes.

    upright: turned as its EXIF orientation says. Read the header first: it knows the size.
    """
    how = cv2.IMREAD_COLOR if upright else cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    with _quiet():
        try:
            image = cv2.imdecode(np.frombuffer(data, np.uint8), how)
        except cv2.error:
            return None
    return image if image is not None and image.size else None


def decodes(data: bytes) -> bool:
    """True when OpenCV makes a colour image of the bytes."""
    return decode(data) is not None


@contextmanager
def _quiet() -> Iterator[None]:
    """Send file descriptor 2 to nowhere: libpng and libjpeg write their warnings straight to it.

    The whole process is silent meanwhile, so call it from the thread that writes to stderr.
    """
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)
