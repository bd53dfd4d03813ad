"""Which sample trains when, and at which size: a pure function of seed, epoch and position.

Randomness belongs to the sample, not to the process, so a run is the same for any number of workers and across any
interruption. RandomState, not Generator: NumPy guarantees its streams never change (NEP 19).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from contract.batches import BatchShape, Scales, Size, epoch_batches


class Key(NamedTuple):
    """One sample of a batch."""

    epoch: int  # from 0
    sample: int  # its place in the label file
    size: Size | None = None  # to resize to; None: the recipe's own transform does


@dataclass(frozen=True)
class Schedule:
    """The order of all batches of a run. A batch has at least `minimum` samples, if it takes one of them twice.

    An epoch takes `samples` of the whole set; the next one goes on where it ended, so that all are trained alike often.
    """

    samples: int
    batch_size: int  # with scales: of the first one
    epochs: int
    seed: int
    scales: Scales | None = None
    minimum: int = 1
    of: int | None = None  # samples of the whole set; None: an epoch takes them all

    @property
    def steps_per_epoch(self) -> int:
        return len(self._shapes)

    def batches(self, epoch: int, consumed: int) -> Iterator[list[Key]]:
        """Every batch from a position on: `consumed` samples of `epoch` are trained already."""
        while epoch < self.epochs:
            order = self._order(epoch)
            for start, end, size in self._cuts(epoch, consumed):
                lacking = max(0, self.minimum - (end - start))  # at the end of an epoch that another minimum began
                indices = [*order[start:end], *np.resize(order, lacking)]
                yield [Key(epoch, int(index), size) for index in indices]
            epoch, consumed = epoch + 1, 0

    def steps_done(self, epoch: int, consumed: int) -> int:
        """Steps of this schedule from its beginning to a position."""
        return epoch * self.steps_per_epoch + self.steps_per_epoch - self._steps_in_epoch_from(epoch, consumed)

    def steps_left(self, epoch: int, consumed: int) -> int:
        """Steps from a position to the end of the run."""
        if epoch >= self.epochs:
            return 0
        return self._steps_in_epoch_from(epoch, consumed) + (self.epochs - epoch - 1) * self.steps_per_epoch

    def _order(self, epoch: int) -> np.ndarray:
        """The samples of an epoch: its part of one permutation of the whole set after the other."""
        whole = self.of or self.samples
        turn, start = divmod(epoch * self.samples, whole)
        turns = [epoch_order(self.seed, turn, whole)]
        if start + self.samples > whole:
            turns.append(epoch_order(self.seed, turn + 1, whole))
        return np.concatenate(turns)[start : start + self.samples]

    @cached_property
    def _shapes(self) -> list[BatchShape]:
        return epoch_batches(self.samples, self.batch_size, self.scales, self.minimum)

    def _steps_in_epoch_from(self, epoch: int, consumed: int) -> int:
        return sum(1 for _ in self._cuts(epoch, consumed))

    def _cuts(self, epoch: int, consumed: int) -> Iterator[tuple[int, int, Size | None]]:
        """Begin, end and size of every batch left in an epoch. The batches of an epoch end at the same places from
        wherever it is taken up, even inside a batch of a run that had another batch size."""
        order = range(len(self._shapes))
        if self.scales:
            order = np.random.RandomState(_seed(self.seed, "scales", epoch)).permutation(len(self._shapes))
        end = 0
        for index in order:
            samples, size = self._shapes[index]
            end += samples
            if end - consumed >= self.minimum or consumed < end == self.samples:
                yield consumed, end, size
                consumed = end


def epoch_order(seed: int, epoch: int, count: int) -> np.ndarray:
    """The permutation of `count` samples in one epoch."""
    return np.random.RandomState(_seed(seed, "order", epoch)).permutation(count)


def sample_seed(seed: int, epoch: int, sample: str) -> int:
    """32-bit seed for everything random that happens to one sample in one epoch."""
    return _seed(seed, "sample", epoch, sample)


def step_seed(seed: int, step: int, rank: int = 0) -> int:
    """32-bit seed for what is random inside the network (dropout) at one step, in one of several processes."""
    return _seed(seed, "step", step, *([rank] if rank else []))


def _seed(*parts: object) -> int:
    digest = hashlib.blake2b("/".join(map(str, parts)).encode(), digest_size=4).digest()
    return int.from_bytes(digest, "little")
