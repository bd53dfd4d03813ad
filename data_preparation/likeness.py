"""The likeness of an image: the SHA-256 of its file, and a hash of what it looks like."""

from __future__ import annotations

import hashlib

import cv2
import numpy as np

from contract.image_header import read_header
from data_preparation.images import decode
from data_preparation.together import Likeness

SIDE = 16  # the differences of 16 x 8 cells to the right, and of as many downwards, are 256 bits
MARGIN = 0.2  # of the picture's contrast: differences below it are noise


def likeness_of(data: bytes) -> Likeness:
    """Raises ValueError with words that continue "the image …" when the bytes are not an image that decodes."""
    read_header(data)
    image = decode(data)
    if image is None:
        raise ValueError("does not decode: the file is damaged")
    return Likeness(hashlib.sha256(data).hexdigest(), picture_hash(image))


def picture_hash(image: np.ndarray) -> int:
    """256 bits of an image (height, width, 3) of 8 bits: where it becomes brighter to the right and downwards.

    A picture that was encoded again, made brighter or larger differs in few bits (measured: docs/data-format.md).
    Neighbouring bits lie 16 apart, so that each group of 16 sees all of the picture.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    cells = cv2.resize(grey, (SIDE + 1, SIDE // 2 + 1), interpolation=cv2.INTER_AREA).astype(np.float32)
    least = MARGIN * max(1.0, cv2.meanStdDev(cells)[1][0, 0])
    bits: np.ndarray = np.empty((2, SIDE // 2, SIDE), bool)
    bits[0] = cells[:-1, 1:] - cells[:-1, :-1] > least
    bits[1] = cells[1:, :-1] - cells[:-1, :-1] > least
    return int.from_bytes(np.packbits(bits.reshape(SIDE, SIDE).T).tobytes(), "big")
