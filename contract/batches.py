"""How many samples train together, and at which input size: the shapes of an epoch's batches.

A plain recipe has one batch size. One with a `Train.sampler` (PaddleOCR's MultiScaleSampler) trains each batch at one
of several input sizes, the smaller the size the more samples, so that every batch costs about the same memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from contract.errors import UserError
from contract.hyperparameters import did_you_mean

Size = tuple[int, int]  # width, height in pixels

SAMPLER = "MultiScaleSampler"
# Keys of Train.sampler with PaddleOCR's defaults; the last two only matter with ds_width, which is refused.
SAMPLER_KEYS: dict[str, Any] = {
    "name": SAMPLER,
    "scales": None,
    "first_bs": 128,
    "fix_bs": True,
    "divided_factor": [8, 16],
    "is_training": True,
    "ratio_wh": 0.8,
    "max_w": 480.0,
}


class BatchShape(NamedTuple):
    """Samples of one batch, and the size they are resized to; None: the recipe's own transform decides."""

    samples: int
    size: Size | None = None


@dataclass(frozen=True)
class Scales:
    """The input sizes of a MultiScaleSampler."""

    sizes: tuple[Size, ...]
    first_pixels: int  # of the first scale as written: the batch size is meant for it
    fix_batch: bool  # the same number of samples at every size

    def shapes(self, batch_size: int) -> tuple[BatchShape, ...]:
        """The batch of each scale, where the first takes `batch_size` samples."""
        pixels = batch_size * self.first_pixels
        return tuple(
            BatchShape(batch_size if self.fix_batch else max(1, pixels // (width * height)), (width, height))
            for width, height in self.sizes
        )


def scales_of(recipe: dict[str, Any]) -> Scales | None:
    """The scales of a checked recipe, or None when it has no sampler."""
    if not recipe["Train"].get("sampler"):
        return None
    sampler = SAMPLER_KEYS | recipe["Train"]["sampler"]
    by_width, by_height = sampler["divided_factor"]
    sizes = tuple(
        (width // by_width * by_width, height // by_height * by_height) for width, height in sampler["scales"]
    )
    width, height = sampler["scales"][0]
    return Scales(sizes, width * height, sampler["fix_bs"])


def samples_of_epoch(recipe: dict[str, Any], samples: int) -> int:
    """How many of the training samples one epoch takes: `Train.dataset.ratio_list` of a checked recipe."""
    ratio = recipe["Train"]["dataset"].get("ratio_list", 1.0)
    return max(1, round(samples * float(ratio[0] if isinstance(ratio, list) else ratio)))


def check_ratio(ratio: Any, where: object) -> None:
    """Refuse a `Train.dataset.ratio_list` that is not one share of the samples. Raises UserError."""
    ratios = ratio if isinstance(ratio, list) else [ratio]
    if len(ratios) != 1:
        raise UserError(
            f"{where}.ratio_list has {len(ratios)} ratios, and a dataset has one label file: write one ratio"
        )
    if not isinstance(ratios[0], (int, float)) or isinstance(ratios[0], bool) or not 0 < ratios[0] <= 1:
        raise UserError(f"{where}.ratio_list must be the share of the samples that an epoch takes, not {ratio!r}")


def epoch_batches(samples: int, batch_size: int, scales: Scales | None, minimum: int = 1) -> list[BatchShape]:
    """The batches of an epoch, before their order is shuffled. Together they hold every sample once.

    The scales take turns until every sample has a place; then all batches shrink alike until none is left over
    (50 samples at 32 train as 25 + 25): a rump of two would upset batch norm. A batch of less than `minimum` samples
    is avoided by fewer, larger ones.
    """
    largest = scales.shapes(batch_size) if scales else (BatchShape(batch_size),)
    batches: list[BatchShape] = []
    places = 0
    while places < samples:
        batches.append(largest[len(batches) % len(largest)])
        places += batches[-1].samples
    while len(batches) > 1 and min(_shares(samples, batches)) < minimum:
        batches.pop()
    shares = _shares(samples, batches)
    return [BatchShape(share, batch.size) for share, batch in zip(shares, batches, strict=True)]


def check_sampler(sampler: Any, where: object) -> None:
    """Refuse a `Train.sampler` that this tool would not follow to the letter. Raises UserError."""
    if not isinstance(sampler, dict):
        raise UserError(f"{where}: Train.sampler must be a mapping with name, scales and first_bs")
    for key in sampler:
        if key not in SAMPLER_KEYS:
            raise UserError(f"{where}: Train.sampler has the unknown key {key!r}{did_you_mean(str(key), SAMPLER_KEYS)}")
    given = SAMPLER_KEYS | sampler
    scales = given["scales"]
    if not isinstance(scales, list) or not scales or not all(_is_pair(scale) for scale in scales):
        raise UserError(f"{where}: Train.sampler.scales must list [width, height] pairs, not {scales!r}")
    factor = given["divided_factor"]
    if not _is_pair(factor):
        raise UserError(f"{where}: Train.sampler.divided_factor must be [width, height], not {factor!r}")
    if any(side < step for scale in scales for side, step in zip(scale, factor, strict=True)):
        raise UserError(f"{where}: Train.sampler.scales has a side that is smaller than divided_factor {factor}")
    if not isinstance(given["fix_bs"], bool) or given["is_training"] is not True:
        raise UserError(f"{where}: Train.sampler must have fix_bs true or false, and is_training true")
    first = given["first_bs"]
    if not isinstance(first, int) or isinstance(first, bool) or first < 1:
        raise UserError(f"{where}: Train.sampler.first_bs must be a whole number of at least 1, not {first!r}")


def _shares(samples: int, batches: list[BatchShape]) -> list[int]:
    places = sum(batch.samples for batch in batches)
    shares = [samples * batch.samples // places for batch in batches]
    rest = samples - sum(shares)
    return [share + (index < rest) for index, share in enumerate(shares)]


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(type(side) is int and side > 0 for side in value)
