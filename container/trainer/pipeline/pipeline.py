"""From label lines to batches of bytes: what PaddleOCR's transforms make of a sample, some twenty times faster.

Bytes until the end: an image stays uint8, height x width x BGR, and planes.normalise makes PaddleOCR's float32 planes
of a whole batch, on whichever side of a process border it is wanted.
"""

from __future__ import annotations

import copy
import math
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from container.trainer.pipeline.draws import Draws
from container.trainer.pipeline.labels import Labels
from container.trainer.pipeline.supported import Joining, read_transforms
from container.trainer.sampling import Key
from container.trainer.unusable import Unusable
from contract.batches import Size
from contract.dataset import Sample
from contract.image_header import Bytes, read_header
from contract.images import Images
from contract.limits import ctc_steps
from contract.recipe import limits_of

_TIFF = (b"II", b"MM")  # how its files begin; their header is not asked how the decoder will turn the image
_TOGETHER = 64  # image files in memory before the first of them is decoded


class _Prepared(NamedTuple):
    """One sample. image: uint8 (its height, its width, 3), BGR. codes: int32, the label."""

    image: np.ndarray
    codes: np.ndarray


@dataclass(frozen=True)
class PreparedBatch:
    """The usable samples of a batch.

    images: uint8 (B, height, width, 3), BGR. widths: int32 (B,), pixels of each image that are not padding.
    labels: the arrays that KeepKeys names after the image, in its order.
    usable: bool, one for each sample asked for. unusable: why the others are not.
    """

    images: np.ndarray
    widths: np.ndarray
    labels: list[np.ndarray]
    usable: np.ndarray
    unusable: tuple[Unusable, ...]


class Pipeline:
    """Samples through the transforms of one mode of the recipe. Raises Unsupported when it does not know them all.

    The same key gives the same bytes, in any process and in any order. May be sent to other processes.
    """

    def __init__(
        self, samples: tuple[Sample, ...], images: Images, config: dict[str, Any], mode: str, seed: int | None
    ):
        from ppocr.data import imaug

        dataset = config[mode]["dataset"]
        # create_operators writes the Global section into every operator's options: give it a copy
        operators = imaug.create_operators(copy.deepcopy(dataset["transforms"]), copy.deepcopy(config["Global"]))
        self.transforms = read_transforms(operators, dataset, Path(imaug.__file__).parent)
        self.samples = samples
        self.images = images
        self.seed = seed
        self.labels = Labels(
            [sample.label for sample in samples],
            self.transforms.classes,
            self.transforms.longest,
            self.transforms.encoder,
        )
        self._most_steps = limits_of(config).time_steps
        self._steps = array("q", map(ctc_steps, (sample.label for sample in samples)))
        self._aspects = array("d", [0.0]) * len(samples)  # width / height of each image as far as known, else 0

    def __len__(self) -> int:
        return len(self.samples)

    def encoded_labels(self) -> dict[str, int]:
        """What the label encoder makes of all labels, beside what they hold."""
        return self.labels.counts()

    def batch(self, keys: Sequence[Key]) -> PreparedBatch:
        """Samples that train together: all keys have one size."""
        width, height = self._size(keys[0])
        images: np.ndarray = np.empty((len(keys), height, width, 3), np.uint8)
        widths: list[int] = []
        codes: list[np.ndarray] = []
        usable: np.ndarray = np.zeros(len(keys), bool)
        unusable = []
        for at, (key, file) in enumerate(zip(keys, self._files(keys), strict=True)):
            prepared = file if isinstance(file, Unusable) else self._prepared(key, file)
            if isinstance(prepared, Unusable):
                unusable.append(prepared)
                continue
            widths.append(_resize_into(images[len(widths)], prepared.image, self.transforms.padding))
            codes.append(prepared.codes)
            usable[at] = True
        inside = np.array(widths, np.int32)
        labels = self._labels(codes, inside / width)
        return PreparedBatch(images[: len(widths)], inside, labels, usable, tuple(unusable))

    def _files(self, keys: Sequence[Key]) -> Iterator[Bytes | Unusable]:
        """The image files, some at a time: so reading and decoding each find their code in the processor's cache."""
        for start in range(0, len(keys), _TOGETHER):
            yield from [self._file(key.sample) for key in keys[start : start + _TOGETHER]]

    def _file(self, number: int) -> Bytes | Unusable:
        sample = self.samples[number]
        try:
            return self._checked(sample.image)
        except ValueError as error:
            return _unusable(sample, error)

    def _prepared(self, key: Key, file: Bytes) -> _Prepared | Unusable:
        """One sample, up to its resizing, or why it cannot be used. Nothing ever takes its place."""
        sample = self.samples[key.sample]
        transforms = self.transforms
        try:
            image = _decoded(file)
        except ValueError as error:
            return _unusable(sample, error)
        codes = self.labels.codes(key.sample)
        if codes is None:
            refusal = self.labels.refusal(key.sample)
            return Unusable(sample.line, f"{sample.image!r} with label {sample.label!r} {refusal}")
        if transforms.joining or transforms.augmentation:
            draws = Draws(self.seed, key.epoch, sample.image)
            if transforms.joining:
                image, codes = self._joined(image, codes, key.sample, transforms.joining, draws)
            if transforms.augmentation:
                image = transforms.augmentation.apply(image, draws)
        return _Prepared(image, codes)

    def _size(self, key: Key) -> Size:
        size = key.size or self.transforms.size
        if size is None:
            raise ValueError("a recipe with a sampler needs keys with sizes")
        return size

    def _labels(self, codes: list[np.ndarray], valid_ratios: np.ndarray) -> list[np.ndarray]:
        ctc, nrtr, lengths = self.labels.arrays(codes)
        return [ctc, lengths] if nrtr is None else [ctc, nrtr, lengths, valid_ratios]

    def _checked(self, image: str) -> Bytes:
        """The bytes of an image file that may be decoded. ValueError continues "the image 'x' …"."""
        data = self.images.view(image)
        read_header(data)  # again: it may have changed since the check, and its decoder believes what it claims
        return data

    def _joined(
        self, image: np.ndarray, codes: np.ndarray, sample: int, joining: Joining, draws: Draws
    ) -> tuple[np.ndarray, np.ndarray]:
        """The image with those of others to the right of it, and their labels; mostly it stays alone.

        Others are joined as long as the network can learn the whole, and are looked at only as far as it takes to see
        that they do not fit.
        """
        others = [draws.below(len(self.samples)) for _ in range(joining.count)]
        if draws.unit() > joining.chance:
            return image, codes
        most = min(joining.most_characters, self.labels.most)
        steps = self._steps[sample]
        for other in others:
            added = self.labels.codes(other)
            if added is None or len(codes) + len(added) > most:
                break
            steps += self._steps[other] + int(codes[-1] == added[0])  # a blank where a character meets itself
            if steps > self._most_steps:
                break
            height, width, _ = image.shape
            try:
                aspects = width / height, self._aspect(other)
                if sum(aspects) > joining.most_aspect or min(aspects) * joining.height <= 0.5:  # no pixel wide
                    break
                beside = _decoded(self._checked(self.samples[other].image))
            except ValueError:  # counted when its own turn comes
                break
            image = np.concatenate([_of_height(image, joining.height), _of_height(beside, joining.height)], axis=1)
            codes = np.concatenate([codes, added])
        return image, codes

    def _aspect(self, sample: int) -> float:
        """Width / height of a sample's image, which is decoded only where its header would not do."""
        if not self._aspects[sample]:
            data = self.images.view(self.samples[sample].image)
            header = read_header(data)
            width, height = header.width, header.height
            if header.orientation != 1 or data[:2] in _TIFF:
                height, width, _ = _decoded(data).shape
            self._aspects[sample] = width / height
        return self._aspects[sample]


def _unusable(sample: Sample, error: ValueError) -> Unusable:
    return Unusable(sample.line, f"the image {sample.image!r} {error}")


def _decoded(data: Bytes) -> np.ndarray:
    """uint8 (height, width, 3), BGR. ValueError continues "the image 'x' …"."""
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise ValueError(f"cannot be decoded ({error.err})") from None
    if image is None:
        raise ValueError("cannot be decoded")
    return image


def _of_height(image: np.ndarray, height: int) -> np.ndarray:
    """Resized to a height, its aspect kept as RecConAug keeps it."""
    width = round(image.shape[1] / image.shape[0] * height)
    return image if image.shape[0] == height else cv2.resize(image, (width, height))


def _resize_into(canvas: np.ndarray, image: np.ndarray, padding: bool) -> int:
    """Fill `canvas` with the image, zeros to the right of it; returns the width that is not padding."""
    height, width, _ = canvas.shape
    if padding:
        own_height, own_width, _ = image.shape
        fitting = math.ceil(height * (own_width / own_height))
        if fitting < width:
            canvas[:, fitting:] = 0
            cv2.resize(image, (fitting, height), dst=canvas[:, :fitting])
            return fitting
    cv2.resize(image, (width, height), dst=canvas)
    return width
