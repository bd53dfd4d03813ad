"""The trainer's stderr passed on at once, and the end of it kept, so that a death can be explained."""

from __future__ import annotations

import os
import threading
from typing import IO

KEPT = 64 * 1024  # bytes: a C++ stack of paddle has some ten thousand
CLOSE_SECONDS = 5  # a process that left the trainer's group may hold the pipe for ever


class LastWords:
    """Copies a pipe to this process's stderr, byte by byte as it comes, and remembers the last KEPT bytes."""

    def __init__(self, pipe: IO[bytes]):
        self._pipe = pipe
        self._kept = b""
        self._thread = threading.Thread(target=self._copy, daemon=True, name="last words")
        self._thread.start()

    def text(self) -> str:
        """What is kept, once the writer has ended."""
        self._thread.join(CLOSE_SECONDS)
        return self._kept.decode("utf-8", errors="replace")

    def _copy(self) -> None:
        while piece := os.read(self._pipe.fileno(), 1 << 16):
            self._kept = (self._kept + piece)[-KEPT:]
            try:
                while piece:
                    piece = piece[os.write(2, piece) :]
            except OSError:  # nobody listens any more; the trainer must not wait for that
                continue
        self._pipe.close()
