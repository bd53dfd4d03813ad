"""PaddleOCR's RecAug, in bytes from beginning to end: the same operations with the same chances, in the same order.

What is drawn is drawn in PaddleOCR's order too, so that a test can give both the same numbers. Only the noise is made
in another way; docs/input-pipeline.md says what is equal and what is not.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from container.trainer.pipeline.draws import Draws
from container.trainer.pipeline.noise import subtract_bits
from container.trainer.pipeline.tia import LEAST_SIDE, tia

_GAUSS = cv2.getGaussianKernel(ksize=5, sigma=1, ktype=cv2.CV_32F)
_DARKER = 0.5000001  # chance of the smaller value in `change_value`


@dataclass(frozen=True)
class Augmentation:
    """The chance of each operation. tia None: not even drawn, as in BaseDataAugmentation alone."""

    tia: float | None
    crop: float
    blur: float
    hsv: float
    jitter: float
    noise: float
    reverse: float

    def apply(self, image: np.ndarray, draws: Draws) -> np.ndarray:
        """uint8, (height, width, 3), BGR; another height when it was cropped."""
        height, width, _ = image.shape
        large = height >= LEAST_SIDE and width >= LEAST_SIDE
        if self.tia is not None and draws.unit() <= self.tia and large:
            image = tia(image, draws)
        if draws.unit() <= self.crop and large:
            image = crop(image, draws)
        if draws.unit() <= self.blur:
            image = cv2.sepFilter2D(image, -1, _GAUSS, _GAUSS)
        if draws.unit() <= self.hsv:
            image = change_value(image, draws)
        if draws.unit() <= self.jitter:
            image = jitter(image, draws)
        if draws.unit() <= self.noise:
            image = add_noise(image, draws)
        if draws.unit() <= self.reverse:
            image = cv2.bitwise_not(image)
        return image


def crop(image: np.ndarray, draws: Draws) -> np.ndarray:
    """1 to 8 rows less, at the top or at the bottom."""
    rows = min(draws.between(1, 8), image.shape[0] - 1)
    return image[rows:] if draws.between(0, 1) else image[:-rows]


def change_value(image: np.ndarray, draws: Draws) -> np.ndarray:
    """The value V of HSV times 1 ± 0.001 at most, cut to whole numbers: V itself, or V - 1."""
    hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
    amount = draws.unit()
    if draws.unit() <= _DARKER and amount > 0:
        hsv = cv2.subtract(hsv, (0, 0, 1, 0))
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)


def jitter(image: np.ndarray, draws: Draws) -> np.ndarray:
    """Steps of a shadow down and to the right: up to a hundredth of the shorter side, so none below 200 pixels."""
    height, width, _ = image.shape
    if height <= 10 or width <= 10:
        return image
    steps = int(draws.unit() * min(height, width) * 0.01)
    if steps < 2:
        return image
    jittered = image.copy()
    for step in range(1, steps):
        jittered[step:, step:] = image[:-step, :-step]
    return jittered


def add_noise(image: np.ndarray, draws: Draws) -> np.ndarray:
    """Every value less by 0 or 1, evenly, and none below 0.

    That is what PaddleOCR's Gaussian noise comes to: half of a standard deviation of sqrt(0.1), 0.158, cut down to
    whole numbers, changes a value in any other way with a chance of 3e-10.
    """
    return subtract_bits(image, draws.seed())
