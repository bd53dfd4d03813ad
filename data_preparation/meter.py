"""How far a transfer is, counted from the threads that do it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any


@dataclass
class Meter:
    """Files and bytes that are there. `show` is called, in any thread, one call at a time, whenever that changes."""

    files: int  # in all
    bytes: int
    show: Callable[[Meter], None] = lambda meter: None
    done_files: int = 0
    done_bytes: int = 0  # with those under way
    found_files: int = 0  # of them, were there already
    found_bytes: int = 0
    began: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def moved(self, size: int) -> None:
        """So many bytes have been sent or received; fewer than 0 when they must be once more."""
        with self._lock:
            self.done_bytes += size
            self.show(self)

    def finished(self, files: int, size: int = 0, *, found: bool = False) -> None:
        """So many files are there; `size`: bytes that `moved` has not told. found: nothing had to be sent."""
        with self._lock:
            self.done_files += files
            self.done_bytes += size
            self.found_files += files if found else 0
            self.found_bytes += size if found else 0
            self.show(self)

    @property
    def seconds(self) -> float:
        return max(time.monotonic() - self.began, 0.001)

    @property
    def sent_files(self) -> int:
        return self.done_files - self.found_files

    @property
    def bytes_per_second(self) -> float:
        return max(0, self.done_bytes - self.found_bytes) / self.seconds

    @property
    def seconds_left(self) -> float | None:
        """At the rate so far; None while nothing says."""
        rate = self.bytes_per_second
        return (self.bytes - self.done_bytes) / rate if rate else None


class MeteredBody(BytesIO):
    """Bytes that tell a meter how far they have been read. Rewound for a second try, they take it back."""

    def __init__(self, data: bytes, moved: Callable[[int], None]) -> None:
        super().__init__(data)
        self._moved = moved

    def read(self, size: int | None = -1) -> bytes:
        """As any stream's."""
        part = super().read(size)
        self._moved(len(part))
        return part

    def seek(self, *where: Any) -> int:
        """As any stream's."""
        before = self.tell()
        after = super().seek(*where)
        if after != before:
            self._moved(after - before)
        return after
