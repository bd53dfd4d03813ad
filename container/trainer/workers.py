"""Worker processes that prepare what training needs next, and hand arrays over in memory that both sides map.

The memory is anonymous and made before the fork. So /dev/shm, which Docker limits to 64 MB, is not used, whoever is
killed leaves nothing behind in it, and no array is pickled.
"""

from __future__ import annotations

import mmap
import multiprocessing
import signal
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from multiprocessing.connection import Connection
from typing import Any, NamedTuple, TypeVar

import numpy as np

from contract.fitting import BATCHES_AHEAD

Task = TypeVar("Task")
Prepared = tuple[Any, list[np.ndarray]]  # what is small and goes through a pipe, and the arrays
Span = tuple[int, str, tuple[int, ...]]  # offset in bytes, dtype and shape of an array

PLACES = BATCHES_AHEAD + 1  # for the arrays of one worker: one more is in the trainer's hands
ALIGNED = 64  # bytes: where an array may begin


class WorkerDied(Exception):
    """A worker is gone without a word. What to do about it, container/diagnosis.py says."""


class WorkerFailed(Exception):
    """The work raised an exception; the text is its traceback in the worker."""


def prepare_ahead(
    work: Callable[[Task], Prepared], tasks: Iterable[Task], count: int, workers: int, room: int
) -> Iterator[Prepared]:
    """What `work` makes of each of the `count` tasks, in their order; each worker is BATCHES_AHEAD tasks ahead.

    tasks: each worker goes through a copy of its own and takes its share, so they must depend on nothing that changes.
    room: bytes for the arrays of one task; arrays that need more go through the pipe. Pages never used cost nothing.
    The arrays are views of that memory and hold until the next are asked for. Raises WorkerDied, and WorkerFailed when
    the work raises.
    """
    crew: list[_Worker] = []
    try:
        for first in range(min(workers, count)):
            crew.append(_Worker(work, islice(tasks, first, count, workers), room, crew))
        for number in range(count):
            worker = crew[number % len(crew)]
            yield worker.take()
            worker.free_a_place()
    finally:
        for worker in crew:
            worker.dismiss()


class _Message(NamedTuple):
    """What a worker says of one task: where the arrays lie in its place, or themselves when they did not fit."""

    said: Any
    spans: Sequence[Span] = ()
    arrays: Sequence[np.ndarray] = ()
    failure: str = ""


class _Worker:
    """One process. A byte in its pipe is a place that it may fill."""

    def __init__(self, work: Callable[[Task], Prepared], tasks: Iterator[Task], room: int, others: list[_Worker]):
        fork = multiprocessing.get_context("fork")
        self.memory = _Memory(room)
        self.pipe, its_end = fork.Pipe()
        ours = [self.pipe, *(other.pipe for other in others)]  # with a copy of them it would never see our end
        self.process = fork.Process(
            target=_keep_working, args=(work, tasks, self.memory, its_end, ours), name="data worker", daemon=True
        )
        self.process.start()
        its_end.close()
        self.taken = 0
        for _ in range(PLACES):
            self.free_a_place()

    def take(self) -> Prepared:
        """The next task's, as soon as it is there."""
        try:
            message: _Message = self.pipe.recv()
        except (EOFError, OSError):  # it is gone, and with it the only other end
            raise WorkerDied(self._how_it_died()) from None
        if message.failure:
            raise WorkerFailed(message.failure)
        arrays = list(message.arrays) or self.memory.views(self.taken, message.spans)
        self.taken += 1
        return message.said, arrays

    def free_a_place(self) -> None:
        with suppress(BrokenPipeError):  # it has done its last task; if not, take() says so
            self.pipe.send_bytes(bytes(1))

    def dismiss(self) -> None:
        """It holds nothing that would be lost."""
        self.pipe.close()
        self.process.kill()
        self.process.join()

    def _how_it_died(self) -> str:
        self.process.join()
        code = self.process.exitcode or 0
        how = f"died of signal {-code} ({signal.Signals(-code).name})" if code < 0 else f"ended with exit code {code}"
        return f"a data worker {how}"


class _Memory:
    """Places of one worker, used in turns."""

    def __init__(self, room: int):
        self.room = -(-max(room, ALIGNED) // ALIGNED) * ALIGNED
        self.map = mmap.mmap(-1, PLACES * self.room)  # shared between parent and child

    def fill(self, task: int, arrays: list[np.ndarray]) -> list[Span] | None:
        """Copy the arrays into the task's place; None when they do not fit."""
        spans, end = [], 0
        for array in arrays:
            spans.append((end, array.dtype.str, array.shape))
            end += -(-array.nbytes // ALIGNED) * ALIGNED
        if end > self.room:
            return None
        for view, array in zip(self.views(task, spans), arrays, strict=True):
            view[...] = array
        return spans

    def views(self, task: int, spans: Sequence[Span]) -> list[np.ndarray]:
        start = task % PLACES * self.room
        return [np.ndarray(shape, dtype, self.map, start + offset) for offset, dtype, shape in spans]


def _keep_working(
    work: Callable[[Task], Prepared], tasks: Iterator[Task], memory: _Memory, pipe: Connection, ours: list[Connection]
) -> None:
    """The life of a worker: it ends with its tasks, or with its trainer, whatever ends that."""
    import cv2

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the trainer's
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # and so is SIGTERM, but for multiprocessing's own at its exit
    for end in ours:
        end.close()
    cv2.setNumThreads(0)  # each worker has a core
    try:
        for number, task in enumerate(tasks):
            pipe.recv_bytes()  # a place is free
            try:
                said, arrays = work(task)
            except Exception:
                pipe.send(_Message(None, failure=traceback.format_exc()))
                return
            spans = memory.fill(number, arrays)
            pipe.send(_Message(said, arrays=arrays) if spans is None else _Message(said, spans))
    except (EOFError, OSError):
        return  # the trainer is gone
