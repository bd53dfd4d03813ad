"""Values made smaller by a random bit each: compiled where the library of native/ is there, else the same in NumPy."""

from __future__ import annotations

import numpy as np

from container.trainer.pipeline.native.build import address, library

_STEP, _FIRST, _SECOND = (np.uint64(each) for each in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


def subtract_bits(image: np.ndarray, seed: int) -> np.ndarray:
    """The uint8 image, every value less by 0 or 1 and none below 0. seed: 64 bits."""
    compiled = library()
    image = np.ascontiguousarray(image)
    result = np.empty_like(image)
    if compiled is None:
        words = np.uint64(seed) + np.arange(1, image.size // 64 + 2, dtype=np.uint64) * _STEP
        bits = np.unpackbits(_mixed(words).astype("<u8").view(np.uint8), bitorder="little", count=image.size)
        np.subtract(image, bits.reshape(image.shape) & (image > 0), out=result)
    else:
        compiled.subtract_bits(address(image), address(result), image.size, seed)
    return result


def _mixed(words: np.ndarray) -> np.ndarray:
    """The output function of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014)."""
    words = (words ^ words >> np.uint64(30)) * _FIRST
    words = (words ^ words >> np.uint64(27)) * _SECOND
    return words ^ words >> np.uint64(31)
