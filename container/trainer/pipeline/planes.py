"""Bytes of a batch made into the floats that a network trains on."""

from __future__ import annotations

import cv2
import numpy as np

from container.trainer.pipeline.native.build import library

# x / 255 - 0.5, times 2, as PaddleOCR computes it: in float32, and divided by 0.5.
NORMALISED = (np.arange(256, dtype=np.float32) / 255 - np.float32(0.5)) / np.float32(0.5)


def normalise(images: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """float32 (B, 3, height, width) of a PreparedBatch's images and widths.

    To the bit what PaddleOCR's resizing gives, which pads with zeros after it has normalised.
    """
    count, height, width, _ = images.shape
    planes: np.ndarray = np.empty((count, 3, height, width), np.float32)
    compiled = library()
    if compiled is None:
        for image, own_width, plane in zip(images, widths, planes, strict=True):
            for channel, values in zip(plane, cv2.split(image), strict=True):
                cv2.LUT(values, NORMALISED, dst=channel)
            plane[:, :, own_width:] = 0
        return planes
    images = np.ascontiguousarray(images, np.uint8)
    widths = np.ascontiguousarray(widths, np.int32)
    compiled.planes(
        images.ctypes.data,
        planes.ctypes.data,
        count,
        height,
        width,
        widths.ctypes.data,
        NORMALISED.ctypes.data,
    )
    return planes
