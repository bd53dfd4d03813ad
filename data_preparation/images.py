"""Does an image really decode, and what does it show? Asked with OpenCV, as the training does."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import IO

import cv2
import numpy as np

from contract.errors import UserError
from contract.picture import Look

# What libjpeg and libtiff say of pixels that they had to make up; libpng warns of harmless things and gives no image.
_COMPLAINT = re.compile(r"Corrupt JPEG data: .*|Premature end of JPEG.*|TIFF_Error (.*)")

ROWS = 8  # of a picture are looked at; all of them where these
FLAT = 10.0  # levels of 255 deviate less than text does

_heard: IO[bytes] | None = None  # what stands in for stderr while decoders are listened to


def decode(data: bytes, *, upright: bool = True) -> np.ndarray | None:
    """A colour image, (height, width, 3) of 8 bits; None when OpenCV makes none of the bytes.

    upright: turned as its EXIF orientation says. Read the header first: it knows the size.
    """
    how = cv2.IMREAD_COLOR if upright else cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    with open(os.devnull, "wb") as nowhere, _stderr_goes_to(nowhere):
        return _decode(data, how)


def look(data: bytes) -> Look | None:
    """What an image shows and what the decoder said of it; None when it does not decode.

    Only while decoders are listened to.
    """
    image = _decode(data, cv2.IMREAD_COLOR)
    complaint = _complaint()
    return None if image is None else _shown(image, complaint)


@contextmanager
def listening() -> Iterator[None]:
    """Hear what decoders say, instead of letting them say it to people. Raises UserError without a place to write."""
    global _heard
    with ExitStack() as opened:
        try:
            _heard = opened.enter_context(tempfile.TemporaryFile(buffering=0))
        except OSError as error:
            reason = error.strerror
            raise UserError(f"no temporary file can be made ({reason}): name a folder for them with TMPDIR") from None
        opened.enter_context(_stderr_goes_to(_heard))
        try:
            yield
        finally:
            _heard = None


@contextmanager
def _stderr_goes_to(file: IO[bytes]) -> Iterator[None]:
    """For moments: libpng and libjpeg write their warnings straight to file descriptor 2.

    The whole process is silent meanwhile, so call it from the thread that writes to stderr.
    """
    kept = os.dup(2)
    try:
        os.dup2(file.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _decode(data: bytes, how: int) -> np.ndarray | None:
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), how)
    except cv2.error:
        return None
    return image if image is not None and image.size else None


def _shown(image: np.ndarray, complaint: str = "") -> Look:
    height, width = image.shape[:2]
    deviation = _deviation(image[:: max(1, height // ROWS)])
    if deviation < FLAT:  # the one dash may lie between the rows
        deviation = _deviation(image)
    return Look((width, height), deviation, complaint)


def _deviation(image: np.ndarray) -> float:
    return max(cv2.meanStdDev(image)[1].ravel().tolist())


def _complaint() -> str:
    """What the decoder has said since it was last asked, where it matters."""
    assert _heard is not None
    if not _heard.tell():
        return ""
    _heard.seek(0)
    found = _COMPLAINT.search(_heard.read().decode(errors="replace"))
    _heard.seek(0)
    _heard.truncate()
    return (found[1] or found[0]) if found else ""
