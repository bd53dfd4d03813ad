"""Looks at the images of a dataset in several processes, where there are enough to be worth it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import partial

from contract.errors import BadImage
from contract.image_check import Over
from contract.picture import Chunk, Looker, Picture
from data_preparation.images import listening
from data_preparation.in_processes import in_processes, usable_cpus

ALONE_S = 0.5  # seconds until it is clear how long the rest will take
WORTH_S = 1.0  # that others must save: a process takes half a second of a core to begin
MOST = 8  # processes, unless more are asked for: then the disk decides

Pictures = list[Picture | BadImage]


def over(workers: int | None) -> Over:
    """The way to look at chunks with so many processes; None: as suits the machine."""
    return partial(_look_over, workers or min(usable_cpus(), MOST))


def _look_over(workers: int, looker: Looker, chunks: Sequence[Chunk]) -> Iterator[Pictures]:
    rest = iter(chunks)
    began = time.monotonic()
    for done, chunk in enumerate(rest, start=1):
        yield _look(looker, chunk)
        took = time.monotonic() - began
        if took > ALONE_S and took / done * (len(chunks) - done) * (1 - 1 / workers) > WORTH_S:
            yield from in_processes(partial(_look, looker), rest, workers)


def _look(looker: Looker, chunk: Chunk) -> Pictures:
    with listening():
        return looker(chunk)
