"""From label lines to batches: who prepares them, in which order, and in which process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import paddle

from container.trainer.paddleocr_samples import PaddleOCRSamples
from container.trainer.pipeline.native.build import SLOWER, library
from container.trainer.pipeline.supported import Unsupported
from container.trainer.pipeline_samples import PipelineSamples
from container.trainer.sampling import Key
from container.trainer.scoring import Prediction
from container.trainer.unusable import Unusable
from container.trainer.workers import Prepared, prepare_ahead
from contract.dataset import Sample, read_labels
from contract.hyperparameters import PADDLEOCR
from contract.images import Images
from contract.memory import pixels_of_a_sample
from contract.recipe import limits_of


@dataclass(frozen=True)
class Batch:
    """What the usable samples of one batch became: `tensors` as KeepKeys names them, the image (B, 3, H, W) first.

    A sample that cannot be used is left out and named; nothing takes its place. The position in the epoch moves by
    `size`, which counts it. With nothing usable there are no tensors.
    """

    tensors: list[paddle.Tensor]
    usable: tuple[bool, ...]  # one for each sample asked for
    unusable: tuple[Unusable, ...]

    @property
    def size(self) -> int:
        return len(self.usable)

    def read_by(self, read: Callable[[paddle.Tensor], list[Prediction]]) -> list[Prediction]:
        """What `read` makes of the images; a sample that cannot be used was read as nothing."""
        predictions = iter(read(self.tensors[0]) if self.tensors else [])
        return [next(predictions) if usable else Prediction("", 0.0) for usable in self.usable]


class Samples(Protocol):
    """The samples of one mode of a recipe, and what makes batches of them. The same keys give the same batch."""

    samples: tuple[Sample, ...]

    def __len__(self) -> int: ...

    def encoded_labels(self) -> dict[str, int]:
        """What the label encoder makes of all labels, beside what they hold."""

    def prepare(self, keys: list[Key]) -> Prepared:
        """In a worker: (which samples are usable, why the others are not), and the arrays of those that are."""

    def tensors(self, arrays: list[np.ndarray]) -> list[paddle.Tensor]:
        """In the trainer: what the network and the loss take, on the device."""


def open_samples(
    config: dict[str, Any],
    mode: str,
    labels: Path,
    images: Images,
    seed: int | None,
    by: str,
    say: Callable[[str], None],
) -> Samples:
    """The samples of a mode, prepared by our pipeline, or by PaddleOCR where `by` or the recipe asks for it."""
    samples = read_labels(labels).samples
    if by != PADDLEOCR:
        try:
            prepared = PipelineSamples(samples, images, config, mode, seed)
            if mode == "Train" and library() is None:
                say(f"note: {SLOWER}")
            return prepared
        except Unsupported as what:
            say(f"note: PaddleOCR's own code prepares the samples of {mode}, slower: our pipeline does not know {what}")
    return PaddleOCRSamples(samples, images, config, mode, seed)


def read_batches(
    samples: Samples, batches: Iterable[list[Key]], count: int, workers: int, room: int
) -> Iterator[Batch]:
    """`count` batches in their order, prepared right here or by `workers` processes; room: see prepare_ahead."""
    ahead = prepare_ahead(samples.prepare, batches, count, workers, room) if workers else map(samples.prepare, batches)
    for (usable, unusable), arrays in ahead:
        yield Batch(samples.tensors(arrays), usable, unusable)


def room_for(config: dict[str, Any], batch: int) -> int:
    """Bytes that the arrays of a batch take at most: images as float32, and labels of two heads as int64."""
    limits = limits_of(config)
    pixels = max(pixels_of_a_sample(config), limits.height * limits.width)
    return batch * (3 * 4 * pixels + 2 * 8 * (limits.longest_label + limits.reserved) + 64)


def in_order(samples: Sequence[int], batch_size: int) -> list[list[Key]]:
    """Batches of an evaluation: every sample once, in the order given."""
    keys = [Key(0, index) for index in samples]
    return [keys[start : start + batch_size] for start in range(0, len(keys), batch_size)]
