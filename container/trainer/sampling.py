"""Which sample trains when: a pure function of seed, epoch and position.

Randomness belongs to the sample, not to the process, so a run is the same for any number of workers and across any
interruption. RandomState, not Generator: NumPy guarantees its streams never change (NEP 19).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

Key = tuple[int, int]  # epoch (from 0), index of the sample in the label file


@dataclass(frozen=True)
class Schedule:
    """The order of all batches of a run."""

    samples: int
    batch_size: int
    epochs: int
    seed: int

    @property
    def steps_per_epoch(self) -> int:
        return -(-self.samples // self.batch_size)

    def batches(self, epoch: int, consumed: int) -> Iterator[list[Key]]:
        """Every batch from a position on: `consumed` samples of `epoch` are trained already."""
        while epoch < self.epochs:
            order = epoch_order(self.seed, epoch, self.samples)
            while consumed < self.samples:
                size = next_batch_size(self.samples - consumed, self.batch_size)
                yield [(epoch, int(index)) for index in order[consumed : consumed + size]]
                consumed += size
            epoch, consumed = epoch + 1, 0

    def steps_done(self, epoch: int, consumed: int) -> int:
        """Steps of this schedule from its beginning to a position."""
        return epoch * self.steps_per_epoch + self.steps_per_epoch - self._steps_in_epoch_from(consumed)

    def steps_left(self, epoch: int, consumed: int) -> int:
        """Steps from a position to the end of the run."""
        if epoch >= self.epochs:
            return 0
        return self._steps_in_epoch_from(consumed) + (self.epochs - epoch - 1) * self.steps_per_epoch

    def _steps_in_epoch_from(self, consumed: int) -> int:
        return -(-(self.samples - consumed) // self.batch_size)


def epoch_order(seed: int, epoch: int, count: int) -> np.ndarray:
    """The permutation of `count` samples in one epoch."""
    return np.random.RandomState(_seed(seed, "order", epoch)).permutation(count)


def next_batch_size(remaining: int, batch_size: int) -> int:
    """Batches of even size (50 samples at 32 train as 25 + 25): a rump of two would upset batch norm."""
    batches = -(-remaining // batch_size)
    return -(-remaining // batches)


def sample_seed(seed: int, epoch: int, sample: str) -> int:
    """32-bit seed for everything random that happens to one sample in one epoch."""
    return _seed(seed, "sample", epoch, sample)


def step_seed(seed: int, step: int) -> int:
    """32-bit seed for what is random inside the network (dropout) at one step."""
    return _seed(seed, "step", step)


def _seed(*parts: object) -> int:
    digest = hashlib.blake2b("/".join(map(str, parts)).encode(), digest_size=4).digest()
    return int.from_bytes(digest, "little")
