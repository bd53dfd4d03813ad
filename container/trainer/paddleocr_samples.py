"""Samples prepared by PaddleOCR's own transforms, with our order, our sizes and our seeds: for every recipe."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np
import paddle

from container.trainer.sampling import Key, sample_seed
from container.trainer.unusable import Unusable
from container.trainer.workers import Prepared
from contract.batches import Size
from contract.dataset import Sample
from contract.image_header import read_header
from contract.images import Images
from contract.limits import ctc_steps
from contract.recipe import limits_of


class PaddleOCRSamples:
    """Samples through PaddleOCR's own transforms, for one mode of the recipe.

    `samples[key]` → the arrays that KeepKeys names: image float32 (3, H, W), labels int64, length int64, …; or why the
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
        self.limits = limits_of(config)

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

    def prepare(self, keys: Sequence[Key]) -> Prepared:
        """Which samples of a batch are usable, why the others are not, and the arrays of the usable ones."""
        made = [self[key] for key in keys]
        usable = tuple(not isinstance(each, Unusable) for each in made)
        unusable = tuple(each for each in made if isinstance(each, Unusable))
        columns = zip(*(each for each in made if not isinstance(each, Unusable)), strict=True)
        return (usable, unusable), [np.stack([np.asarray(value) for value in values]) for values in columns]

    def tensors(self, arrays: list[np.ndarray]) -> list[paddle.Tensor]:
        """What the network and the loss take, from the arrays of a batch."""
        return [paddle.to_tensor(array) for array in arrays]

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
        """Random lines to append to `data`, read only when asked for, and only while both heads can learn the whole."""
        for _ in range(count):
            other = self.samples[np.random.randint(len(self.samples))]
            whole = data["label"] + other.label
            if ctc_steps(whole) > self.limits.time_steps or len(whole) > self.limits.longest_label:
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
