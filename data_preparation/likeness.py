"""The likeness of an image: the SHA-256 of its file, and a hash of what it looks like."""

from __future__ import annotations

import hashlib

import cv2
import numpy as np

from contract.image_header import read_header
from data_preparation.images import decode
from data_preparation.together import BANDS, Likeness

ROWS, COLUMNS = 16, 32  # cells, each with a difference to the right and one downwards
BLUR = 0.6  # cells: less depends on where a cell begins
MARGIN = 0.2  # of the picture's contrast: differences below it are noise


def likeness_of(data: bytes) -> Likeness:
    """Raises ValueError with words that continue "the image …" when the bytes are not an image that decodes."""
    read_header(data)
    image = decode(data)
    if image is None:
        raise ValueError("does not decode: the file is damaged")
    return Likeness(hashlib.sha256(data).hexdigest(), picture_hash(image))


def picture_hash(image: np.ndarray) -> int:
    """1,024 bits of an image (height, width, 3) of 8 bits: where it becomes brighter to the right and downwards.

    A picture that was encoded again or made brighter differs in few bits, a word that was printed twice in many more
    (measured: docs/data-format.md). The bits of a band lie BANDS apart: each band sees all of the picture.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    cells = cv2.resize(grey, (COLUMNS + 1, ROWS + 1), interpolation=cv2.INTER_AREA).astype(np.float32)
    cells = cv2.GaussianBlur(cells, (0, 0), BLUR)
    least = MARGIN * max(1.0, cv2.meanStdDev(cells)[1][0, 0])
    bits: np.ndarray = np.empty((2, ROWS, COLUMNS), bool)
    bits[0] = cells[:-1, 1:] - cells[:-1, :-1] > least
    bits[1] = cells[1:, :-1] - cells[:-1, :-1] > least
    return int.from_bytes(np.packbits(bits.reshape(-1, BANDS).T).tobytes(), "big")
