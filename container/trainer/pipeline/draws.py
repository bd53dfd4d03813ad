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
        self._key = f"{seed}/sample/{epoch}/{sample}".encode()
        self._next = self._words().__next__

    def unit(self) -> float:
        """From 0 up to, not including, 1."""
        return self._next() * 2.0**-32

    def below(self, count: int) -> int:
        """A whole number from 0 up to, not including, `count`."""
        return self._next() * count >> 32

    def between(self, least: int, most: int) -> int:
        """A whole number, both ends included."""
        return least + self.below(most - least + 1)

    def bits(self, count: int) -> bytes:
        """At least `count` random bits, for what needs one a pixel. To be asked once."""
        return hashlib.shake_128(self._key).digest(count + 7 >> 3)

    def _words(self) -> Iterator[int]:
        for block in itertools.count():
            yield from struct.unpack("<16I", hashlib.blake2b(b"%s/%d" % (self._key, block), digest_size=64).digest())
