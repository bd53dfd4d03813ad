"""From label lines to batches: PaddleOCR's transforms, our order, our sizes and our seeds."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import paddle

from container.trainer.sampling import Key, sample_seed
from container.trainer.scoring import Prediction
from container.trainer.unusable import Unusable
from contract.batches import Size
from contract.dataset import Sample
from contract.image_header import read_header
from contract.images import Images
from contract.recipe import ctc_steps, limits_of


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

    `dataset[key]` → the arrays that KeepKeys names: image float32 (3, H, W), labels int64, length int64, …; or why the
    sample cannot be used. Nothing is ever swapped for a neighbour.
    """

    def __init__(
        self, samples: tuple[Sample, ...], images: Images, config: dict[str, Any], mode: str, seed: int | None
    ):
        from ppocr.data.imaug import create_operators
        from ppocr.data.imaug.label_ops import BaseRecLabelEncode

        self.samples = samples
        self.images = images
        self.seed = seed
        # create_operators writes the Global section into every operator's options: give it a copy
        transforms = copy.deepcopy(config[mode]["dataset"]["transforms"])
        self.operators = create_operators(transforms, copy.deepcopy(config["Global"]))
        self.encoders = [each for each in self.operators if isinstance(each, BaseRecLabelEncode)]
        # Operators that an image goes through before it is joined to another one; 2 is PaddleOCR's own default.
        self.before_joining = int(config[mode]["dataset"].get("ext_op_transform_idx", 2))
        self.most_steps = limits_of(config).time_steps

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, key: Key) -> list[np.ndarray] | Unusable:
        sample = self.samples[key.sample]
        if self.seed is not None:
            seed = sample_seed(self.seed, key.epoch, sample.image)
            random.seed(seed)
            np.random.seed(seed)
        operators = list(self.operators)
        if key.size:  # as in PaddleOCR's MultiScaleDataSet: before the last one, which keeps what is needed
            operators.insert(-1, _resize_to(key.size))
        return self._prepare(operators, sample)

    def _prepare(self, operators: list[Any], sample: Sample) -> Any:
        """What the operators make of a sample, or why it cannot be used."""
        try:
            return self._transform(operators, sample)
        except MemoryError:
            raise
        except Exception as error:  # whatever a transform raises, it is about this sample
            return Unusable(sample.line, f"{sample.image!r}: {type(error).__name__}: {' '.join(str(error).split())}")

    def _transform(self, operators: list[Any], sample: Sample) -> Any:
        try:
            image = self.images.read(sample.image)
            read_header(image)  # again: it may have changed since the check, and its decoder believes what it claims
        except ValueError as error:
            return Unusable(sample.line, f"the image {sample.image!r} {error}")
        data: Any = {"image": image, "label": sample.label, "img_path": sample.image}
        for operator in operators:
            if hasattr(operator, "ext_data_num"):  # RecConAug joins a line with others
                data["ext_data"] = self._others(operator.ext_data_num, data)
            label = data.get("label")
            data = operator(data)
            name = type(operator).__name__
            if data is None:
                return Unusable(sample.line, f"{sample.image!r} with label {label!r} was refused by PaddleOCR's {name}")
            if operator in self.encoders and data["length"] != len(label):
                return Unusable(sample.line, f"{sample.image!r}: PaddleOCR's {name} lost characters of {label!r}")
            if isinstance(data, dict):  # the last operator makes a list
                data.pop("ext_data", None)
        return data

    def encoded_labels(self) -> dict[str, int]:
        """What PaddleOCR's label encoder makes of all labels, beside what they hold: it drops what it does not know."""
        encoded = [self.encoders[0].encode(sample.label) for sample in self.samples]
        return {
            "samples": len(self.samples),
            "code_points": sum(len(sample.label) for sample in self.samples),
            "encoded_samples": sum(indices is not None for indices in encoded),
            "encoded_code_points": sum(len(indices or ()) for indices in encoded),
        }

    def _others(self, count: int, data: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Random lines to append to `data`, read only when asked for, and only while CTC can read the whole."""
        for _ in range(count):
            other = self.samples[np.random.randint(len(self.samples))]
            if ctc_steps(data["label"] + other.label) > self.most_steps:
                return
            prepared = self._prepare(self.operators[: self.before_joining], other)
            if isinstance(prepared, Unusable):  # counted when its own turn comes
                return
            yield prepared


@cache
def _resize_to(size: Size) -> Any:
    """PaddleOCR's operator for one size of a MultiScaleSampler: the height fits, the rest of the width is zeros."""
    from ppocr.data.imaug import RecResizeImg

    width, height = size
    return RecResizeImg([3, height, width])


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
    dataset: RecognitionDataset, batches: Iterable[list[Key]], count: int, workers: int, shared_memory: bool = True
) -> Iterator[Batch]:
    """Batches in their order. 0 workers prepare them right here: Paddle's own way would use a thread, and with it the
    global random state of the trainer. Without shared memory, workers hand batches over through pipes."""
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
        use_shared_memory=shared_memory,
        return_list=True,
    )
    for parts in loader:
        yield _as_batch(*parts)


def in_order(samples: Sequence[int], batch_size: int) -> list[list[Key]]:
    """Batches of an evaluation: every sample once, in the order given."""
    keys = [Key(0, index) for index in samples]
    return [keys[start : start + batch_size] for start in range(0, len(keys), batch_size)]


# One batch on its way from a worker: which samples are usable (int64), the arrays of those, [line, reason] of the rest.
_Parts = tuple[Any, list[Any], list[list[Any]]]


def _collate(samples: list[list[np.ndarray] | Unusable]) -> _Parts:
    unusable = [[each.line, each.reason] for each in samples if isinstance(each, Unusable)]
    usable = np.array([not isinstance(each, Unusable) for each in samples], np.int64)
    columns = zip(*(each for each in samples if not isinstance(each, Unusable)), strict=True)
    return usable, [np.stack([np.asarray(value) for value in values]) for values in columns], unusable


def _as_batch(usable: Any, tensors: list[Any], unusable: list[list[Any]]) -> Batch:
    return Batch(tensors, tuple(map(bool, usable.tolist())), tuple(Unusable(*each) for each in unusable))
