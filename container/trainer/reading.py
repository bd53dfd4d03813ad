"""From label lines to batches: PaddleOCR's transforms, our order and our seeds."""

from __future__ import annotations

import copy
import random
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import paddle

from container.trainer.sampling import Key, sample_seed
from contract.dataset import Sample, image_file

# Paddle's workers hand batches over in /dev/shm; Docker's default of 64 MB ends in a bus error.
SHARED_MEMORY_NEEDED = 1 << 30


class UnusableSample(Exception):
    """A sample that passed the checks but not PaddleOCR's transforms."""


class RecognitionDataset(paddle.io.Dataset):
    """Samples through the transforms of one mode of the recipe.

    `dataset[(epoch, index)]` → the arrays that KeepKeys names: image float32 (3, H, W), label int64, length int64.
    Raises UnusableSample; nothing is ever dropped or swapped for a neighbour.
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

    def __getitem__(self, key: Key) -> list[np.ndarray]:
        epoch, index = key
        sample = self.samples[index]
        if self.seed is not None:
            seed = sample_seed(self.seed, epoch, sample.image)
            random.seed(seed)
            np.random.seed(seed)
        data: Any = {
            "image": image_file(self.folder, sample.image).read_bytes(),
            "label": sample.label,
            "img_path": sample.image,
        }
        for operator in self.operators:
            data = operator(data)
            if data is None:
                raise UnusableSample(
                    f"line {sample.line}: {sample.image!r} with label {sample.label!r} was refused by "
                    f"PaddleOCR's {type(operator).__name__}"
                )
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
) -> Iterator[list[paddle.Tensor]]:
    """Batches as tensors. 0 workers prepare them right here: Paddle's own way would use a thread, and with it the
    global random state of the trainer."""
    if workers == 0:
        for keys in batches:
            yield [paddle.to_tensor(array) for array in _collate([dataset[key] for key in keys])]
        return
    yield from paddle.io.DataLoader(
        dataset,
        batch_sampler=BatchOrder(batches, count),
        collate_fn=_collate,
        num_workers=workers,
        use_shared_memory=_shared_memory_is_enough(),
        return_list=True,
    )


def in_order(count: int, batch_size: int) -> list[list[Key]]:
    """Batches of an evaluation: every sample once, in the order of the label file."""
    return [
        [(0, index) for index in range(start, min(start + batch_size, count))] for start in range(0, count, batch_size)
    ]


def _collate(samples: list[list[np.ndarray]]) -> list[np.ndarray]:
    return [np.stack([np.asarray(value) for value in values]) for values in zip(*samples, strict=True)]


def _shared_memory_is_enough() -> bool:
    return Path("/dev/shm").is_dir() and shutil.disk_usage("/dev/shm").free >= SHARED_MEMORY_NEEDED
