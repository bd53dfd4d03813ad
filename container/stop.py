"""SIGTERM and SIGINT of the container: forwarded to the trainer, which finishes its step and saves."""

from __future__ import annotations

import os
import signal
from types import FrameType


class Stopped(Exception):
    """The container was told to stop before anything was trained."""


class Stop:
    """Remembers that a stop was asked for, and passes it on to the trainer alone.

    Only the trainer hears it (or each of several), not its group: a data-loading worker that dies of SIGTERM would
    break the very step that the trainer wants to finish. Before the trainer starts, a stop ends the preparations at
    once; after it has ended, what is left (collecting the model) is short and is finished.
    """

    def __init__(self) -> None:
        self.requested = False
        self._preparing = True
        self._trainers: set[int] = set()

    def trainer_started(self, process: int) -> None:
        """Forward to this process id, too, from now on. It may be said more than once."""
        self._preparing = False
        if process in self._trainers:
            return
        self._trainers.add(process)
        if self.requested:
            self._forward(process)

    def trainer_ended(self) -> None:
        """To none any more."""
        self._trainers.clear()

    def preparations_ended(self) -> None:
        """From now on a stop is only remembered (or forwarded)."""
        self._preparing = False

    def hear(self, _signal: int, _frame: FrameType | None) -> None:
        self.requested = True
        if self._preparing:
            raise Stopped
        for trainer in list(self._trainers):
            self._forward(trainer)

    def _forward(self, process: int) -> None:
        try:
            os.kill(process, signal.SIGTERM)
        except ProcessLookupError:
            pass


def listen_for_stop() -> Stop:
    """Install the handlers (PID 1 has none by default) and return what they set."""
    stop = Stop()
    signal.signal(signal.SIGTERM, stop.hear)
    signal.signal(signal.SIGINT, stop.hear)
    return stop
