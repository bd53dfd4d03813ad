"""SIGTERM and SIGINT of the container: forwarded to the trainer, which finishes its step and saves."""

from __future__ import annotations

import os
import signal
from types import FrameType


class Stopped(Exception):
    """The container was told to stop while no trainer was running."""


class Stop:
    """Remembers that a stop was asked for, and passes it on to the trainer alone.

    Only the trainer hears it, not its group: a data-loading worker that dies of SIGTERM would break the very step
    that the trainer wants to finish.
    """

    def __init__(self) -> None:
        self.requested = False
        self._trainer: int | None = None

    def watch(self, trainer: int | None) -> None:
        """Forward to this process id from now on; None when it has ended."""
        self._trainer = trainer
        if self.requested and trainer is not None:
            self._forward()

    def hear(self, _signal: int, _frame: FrameType | None) -> None:
        self.requested = True
        if self._trainer is None:
            raise Stopped
        self._forward()

    def _forward(self) -> None:
        assert self._trainer is not None
        try:
            os.kill(self._trainer, signal.SIGTERM)
        except ProcessLookupError:
            pass


def listen_for_stop() -> Stop:
    """Install the handlers (PID 1 has none by default) and return what they set."""
    stop = Stop()
    signal.signal(signal.SIGTERM, stop.hear)
    signal.signal(signal.SIGINT, stop.hear)
    return stop
