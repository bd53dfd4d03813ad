"""SIGTERM in the trainer: a flag, looked at between steps and between evaluation batches."""

from __future__ import annotations

import signal
import time
from types import FrameType


class StopFlag:
    """True once SIGTERM was heard. SIGINT is left to the supervisor."""

    def __init__(self) -> None:
        self.heard_at: float | None = None
        signal.signal(signal.SIGTERM, self._hear)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def __bool__(self) -> bool:
        return self.heard_at is not None

    @property
    def seconds_since(self) -> float:
        """Seconds since the signal; 0 when none came."""
        return 0.0 if self.heard_at is None else time.monotonic() - self.heard_at

    def _hear(self, _signal: int, _frame: FrameType | None) -> None:
        if self.heard_at is None:
            self.heard_at = time.monotonic()
