"""Samples prepared by our pipeline: bytes come from the workers, and the device makes the network's numbers of them."""

from __future__ import annotations

import numpy as np
import paddle

from container.trainer.pipeline.pipeline import Pipeline
from container.trainer.pipeline.planes import NORMALISED, normalise
from container.trainer.sampling import Key
from container.trainer.workers import Prepared


class PipelineSamples(Pipeline):
    """The pipeline as reading.Samples has it."""

    def prepare(self, keys: list[Key]) -> Prepared:
        batch = self.batch(keys)
        usable = tuple(map(bool, batch.usable))
        arrays = [batch.images, batch.widths, *batch.labels] if any(usable) else []
        return (usable, batch.unusable), arrays

    def tensors(self, arrays: list[np.ndarray]) -> list[paddle.Tensor]:
        if not arrays:
            return []
        images, widths, *labels = arrays
        if paddle.device.get_device() == "cpu":
            planes = paddle.to_tensor(normalise(images, widths))
        else:
            planes = normalise_on_device(paddle.to_tensor(images), paddle.to_tensor(widths))
        return [planes, *map(paddle.to_tensor, labels)]


def normalise_on_device(images: paddle.Tensor, widths: paddle.Tensor) -> paddle.Tensor:
    """What `normalise` makes of the same bytes, to the bit, where the tensors are: a quarter of the bytes travel there.

    images: uint8 (B, height, width, 3). widths: int32 (B,). Returns float32 (B, 3, height, width).
    """
    planes = images.astype("int32").transpose([0, 3, 1, 2])
    table = paddle.to_tensor(NORMALISED.reshape(-1), place=images.place)
    numbers = paddle.gather(table, planes.flatten()).reshape(planes.shape)
    inside = paddle.arange(planes.shape[3], dtype="int32") < widths.reshape([-1, 1, 1, 1])
    return paddle.where(inside, numbers, paddle.zeros_like(numbers))
