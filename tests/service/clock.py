"""The service's time: it may run faster than ours, stand still, and be moved on."""

from __future__ import annotations

import threading
import time


class Clock:
    """Seconds since 1970, from now on `speed` times as fast as reality."""

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed
        self._lock = threading.Lock()
        self._base = time.time()
        self._since = time.monotonic()

    def now(self) -> float:
        with self._lock:
            return self._base + (time.monotonic() - self._since) * self.speed

    def advance(self, seconds: float) -> None:
        """Move on at once."""
        with self._lock:
            self._base += seconds
