"""From label lines to batches: PaddleOCR's transforms, our order and our seeds."""

from __future__ import annotations

import copy
import random
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import paddle

from container.trainer.sampling import Key, sample_seed
from container.trainer.scoring import Prediction
from container.trainer.unusable import Unusable
from contract.dataset import Sample, image_file

# Paddle's workers hand batches over in /dev/shm; Docker's default of 64 MB ends in a bus error.
SHARED_MEMORY_NEEDED = 1 << 30


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


class RecognitionDataset(paddle.io.Dataset):
    """Samples through the transforms of one mode of the recipe.

    `dataset[(epoch, index)]` → the arrays that KeepKeys names: image float32 (3, H, W), label int64, length int64;
    or why the sample cannot be used. Nothing is ever swapped for a neighbour.
    """

    def __init__(self, samples: tuple[Sample, ...], folder: Path, config: dict[str, Any], mode: str, seed: int | None):
        from ppocr.data.imaug import create_operators

        self.samples = samples
        self.folder = folder
        self.seed = seed
        # create_operators writes the Global section into every operator's options: give it a copy
        transforms = copy.deepcopy(config[mode]["dataset"]["transforms"])
        self.operators = create_operators(transforms, copy.deepcopy(config["Global"]))

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, key: Key) -> list[np.ndarray] | Unusable:
        epoch, index = key
        sample = self.samples[index]
        if self.seed is not None:
            seed = sample_seed(self.seed, epoch, sample.image)
            random.seed(seed)
            np.random.seed(seed)
        try:
            return self._transform(sample)
        except MemoryError:
            raise
        except Exception as error:  # whatever a transform raises, it is about this sample
            return Unusable(sample.line, f"{sample.image!r}: {type(error).__name__}: {' '.join(str(error).split())}")

    def _transform(self, sample: Sample) -> list[np.ndarray] | Unusable:
        data: Any = {
            "image": image_file(self.folder, sample.image).read_bytes(),
            "label": sample.label,
            "img_path": sample.image,
        }
        for operator in self.operators:
            data = operator(data)
            if data is None:
                refusal = f"with label {sample.label!r} was refused by PaddleOCR's {type(operator).__name__}"
                return Unusable(sample.line, f"{sample.image!r} {refusal}")
        return data


class BatchOrder(paddle.io.BatchSampler):
    """The batches in the order given, as Paddle's DataLoader wants them."""

    def __init__(self, batches: Iterable[list[Key]], count: int):
        self.batches = batches
        self.count = count

    def __iter__(self) -> Iterator[list[Key]]:
        yield from self.batches

    def __len__(self) -> int:
        return self.count


def read_batches(
    dataset: RecognitionDataset, batches: Iterable[list[Key]], count: int, workers: int
) -> Iterator[Batch]:
    """Batches in their order. 0 workers prepare them right here: Paddle's own way would use a thread, and with it the
    global random state of the trainer."""
    if workers == 0:
        for keys in batches:
            usable, arrays, unusable = _collate([dataset[key] for key in keys])
            yield _as_batch(usable, [paddle.to_tensor(array) for array in arrays], unusable)
        return
    loader = paddle.io.DataLoader(
        dataset,
        batch_sampler=BatchOrder(batches, count),
        collate_fn=_collate,
        num_workers=workers,
        use_shared_memory=_shared_memory_is_enough(),
        return_list=True,
    )
    for parts in loader:
        yield _as_batch(*parts)


def in_order(count: int, batch_size: int) -> list[list[Key]]:
    """Batches of an evaluation: every sample once, in the order of the label file."""
    return [
        [(0, index) for index in range(start, min(start + batch_size, count))] for start in range(0, count, batch_size)
    ]


# One batch on its way from a worker: which samples are usable (int64), the arrays of those, [line, reason] of the rest.
_Parts = tuple[Any, list[Any], list[list[Any]]]


def _collate(samples: list[list[np.ndarray] | Unusable]) -> _Parts:
    unusable = [[each.line, each.reason] for each in samples if isinstance(each, Unusable)]
    usable = np.array([not isinstance(each, Unusable) for each in samples], np.int64)
    columns = zip(*(each for each in samples if not isinstance(each, Unusable)), strict=True)
    return usable, [np.stack([np.asarray(value) for value in values]) for values in columns], unusable


def _as_batch(usable: Any, tensors: list[Any], unusable: list[list[Any]]) -> Batch:
    return Batch(tensors, tuple(map(bool, usable.tolist())), tuple(Unusable(*each) for each in unusable))


def _shared_memory_is_enough() -> bool:
    return Path("/dev/shm").is_dir() and shutil.disk_usage("/dev/shm").free >= SHARED_MEMORY_NEEDED
