"""The same work on many items by several processes, the results in the order of the items."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import chain
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 4  # items under way for each process: what is kept in memory
KEPT_BYTES = 64 << 20  # of memory that is free; 32 MiB is the largest threshold glibc takes for one piece of it
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # https://man7.org/linux/man-pages/man3/mallopt.3.html


def in_processes(work: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Generator[Result, None, None]:
    """As `map(work, items)`. `work` is sent to each process once, so it may hold much.

    When a process is killed, often for want of memory, or none can begin, what is left is done here: so doing an item
    again must do no harm. Ctrl-C is raised here only. Close the generator and no process is at work any more.
    """
    # Started afresh: the threads of OpenCV survive no fork, and Windows has none.
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _begin, (work,))
    under_way: deque[tuple[Item, Future[Result] | None]] = deque()
    rest = iter(items)
    try:
        for item in rest:
            under_way.append((item, None))
            with interrupts_held_back():
                under_way[-1] = (item, pool.submit(_do, item))
            if len(under_way) > AHEAD * workers:
                yield _next(under_way)
        while under_way:
            yield _next(under_way)
    except BrokenProcessPool:
        pass
    finally:
        pool.shutdown(cancel_futures=True)
    yield from map(work, chain((item for item, _ in under_way), rest))


def begin_work_on_images() -> None:
    """Prepares a process that decodes many pictures: it takes one core, and keeps the memory of a page for the next."""
    import cv2

    cv2.setNumThreads(1)
    if sys.platform == "linux":
        _keep_memory()


def usable_cpus() -> int:
    """The CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _next(under_way: deque[tuple[Any, Future[Result] | None]]) -> Result:
    future = under_way[0][1]
    assert future is not None
    result = future.result()
    under_way.popleft()
    return result


@contextmanager
def interrupts_held_back() -> Iterator[None]:
    """Ctrl-C comes afterwards. A process that is started meanwhile never hears it: even before its first line runs."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_work: Callable[[Any], Any]  # of a process that was started here


def _begin(work: Callable[[Any], Any]) -> None:
    global _work
    _work = work
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    begin_work_on_images()


def _keep_memory() -> None:
    """Otherwise glibc gives a page's pixels back after each, and the kernel clears them anew: a third of the time."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):  # musl has none
        libc.mallopt(_M_MMAP_THRESHOLD, KEPT_BYTES // 2)
        libc.mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)


def _do(item: Any) -> Any:
    return _work(item)
