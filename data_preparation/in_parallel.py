"""Many small waits at once, with few of them under way and none of them waited for after a stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from queue import SimpleQueue
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

THREADS = "in_parallel"  # their name
LAST_WAIT_S = 1.0  # for what is under way when it ends early; a request that hangs is left to itself


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """What each of these comes to, in their order. The first exception ends it."""
    found = dict(in_parallel(lambda each: (each[0], each[1]()), enumerate(works), len(works)))
    return [found[number] for number in range(len(works))]


def in_parallel(work: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """What `work` makes of each item, as it comes. Items are taken from the iterable as they are needed.

    The first exception ends it, and so does Ctrl-C: no further item is begun. The threads are daemons, so that a
    request that hangs or sleeps before a retry keeps nobody from leaving.
    """
    todo: SimpleQueue[list[Item]] = SimpleQueue()  # lists of one; an empty list ends a thread
    done: SimpleQueue[tuple[list[Result], BaseException | None]] = SimpleQueue()
    stop = threading.Event()

    def keep_working() -> None:
        for item in iter(todo.get, []):
            if stop.is_set():
                return
            try:
                done.put(([work(item[0])], None))
            except BaseException as error:  # raised again in the thread that waits
                done.put(([], error))

    def next_result() -> Result:
        result, error = done.get()
        if error is not None:
            raise error
        return result[0]

    threads = [threading.Thread(target=keep_working, name=THREADS, daemon=True) for _ in range(workers)]
    under_way = 0
    try:
        for thread in threads:
            thread.start()
        for item in items:
            todo.put([item])
            under_way += 1
            if under_way == 2 * workers:
                yield next_result()
                under_way -= 1
        while under_way:
            yield next_result()
            under_way -= 1
    finally:
        stop.set()
        for _ in threads:
            todo.put([])
        until = time.monotonic() + LAST_WAIT_S
        for thread in threads:
            if thread.ident:
                thread.join(max(0.0, until - time.monotonic()))
