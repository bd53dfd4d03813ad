"""What is drawn for one sample in one epoch: a pure function of the run's seed, the epoch and the sample.

Random numbers by hashing: BLAKE2b of what they are for and a counter. Nothing to seed (NumPy's RandomState takes longer
to seed than a whole sample to draw), nothing shared, and a stream that no release of NumPy can change.
"""

from __future__ import annotations

import hashlib
import itertools
import struct
from collections.abc import Iterator


class Draws:
    """Random numbers, each used once."""

    def __init__(self, seed: int | None, epoch: int, sample: str):
        self._words = _words(f"{seed}/sample/{epoch}/{sample}".encode())
        self._next = self._words.__next__

    def unit(self) -> float:
        """From 0 up to, not including, 1."""
        return self._next() * 2.0**-32

    def below(self, count: int) -> int:
        """A whole number from 0 up to, not including, `count`."""
        return self._next() * count >> 32

    def several_below(self, count: int, numbers: int) -> list[int]:
        """That many of `below`."""
        return [word * count >> 32 for word in itertools.islice(self._words, numbers)]

    def between(self, least: int, most: int) -> int:
        """A whole number, both ends included."""
        return least + self.below(most - least + 1)

    def seed(self) -> int:
        """64 bits, for what needs one a pixel."""
        return self._next() << 32 | self._next()


def _words(key: bytes) -> Iterator[int]:
    """Random numbers of 32 bits."""
    for block in itertools.count():
        yield from _BLOCK.unpack(hashlib.blake2b(b"%s/%d" % (key, block), digest_size=64).digest())


_BLOCK = struct.Struct("<16I")
