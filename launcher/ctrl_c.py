"""Ctrl-C, SIGTERM and a closed terminal: asked once, the job saves and stops; asked twice, it is killed."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stop:
    """How often the user has asked for the end."""

    def __init__(self) -> None:
        self.asked = 0

    def hear(self, _signal: int, _frame: FrameType | None) -> None:
        self.asked += 1


@contextmanager
def listen_for_stop() -> Iterator[Stop]:
    """Count requests to stop for as long as the job runs, instead of dying of them."""
    stop = Stop()
    numbers = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup keeps its meaning
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, stop.hear) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
