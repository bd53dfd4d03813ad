"""Looks at the images of a dataset in several processes, where there are enough to be worth it."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial

import cv2

from contract.errors import BadImage
from contract.image_check import Over
from contract.picture import Chunk, Looker, Picture
from data_preparation.images import listening

ALONE_S = 0.5  # seconds until it is clear how long the rest will take
WORTH_S = 1.0  # that others must save: a process takes half a second of a core to begin
MOST = 8  # processes, unless more are asked for: then the disk decides

Pictures = list[Picture | BadImage]


def over(workers: int | None) -> Over:
    """The way to look at chunks with so many processes; None: as suits the machine."""
    return partial(_look_over, workers or min(_cores(), MOST))


def _look_over(workers: int, looker: Looker, chunks: Sequence[Chunk]) -> Iterator[Pictures]:
    rest = iter(chunks)
    began = time.monotonic()
    for done, chunk in enumerate(rest, start=1):
        yield _look(looker, chunk)
        took = time.monotonic() - began
        if took > ALONE_S and took / done * (len(chunks) - done) * (1 - 1 / workers) > WORTH_S:
            yield from _look_in_processes(workers, looker, rest)


def _look_in_processes(workers: int, looker: Looker, chunks: Iterator[Chunk]) -> Iterator[Pictures]:
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _begin, (looker,))
    waiting: deque[Chunk] = deque()
    under_way: deque[Future[Pictures]] = deque()
    try:
        for chunk in chunks:
            waiting.append(chunk)
            under_way.append(pool.submit(_look_there, chunk))
            if len(under_way) > 4 * workers:
                pictures = under_way.popleft().result()
                waiting.popleft()
                yield pictures
        while under_way:
            pictures = under_way.popleft().result()
            waiting.popleft()
            yield pictures
    except BrokenProcessPool:  # one was killed, often for want of memory, or none could begin: the rest is done here
        pass
    finally:
        pool.shutdown(cancel_futures=True)
    yield from map(partial(_look, looker), itertools.chain(waiting, chunks))


def _look(looker: Looker, chunk: Chunk) -> Pictures:
    with listening():
        return looker(chunk)


_looker: Looker  # of a process that looks at images


def _begin(looker: Looker) -> None:
    global _looker
    _looker = looker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    cv2.setNumThreads(1)


def _look_there(chunk: Chunk) -> Pictures:
    return _look(_looker, chunk)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
