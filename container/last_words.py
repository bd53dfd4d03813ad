"""The trainer's stderr passed on line by line, and the end of it kept, so that a death can be explained."""

from __future__ import annotations

import os
import threading
from typing import IO

KEPT = 64 * 1024  # bytes: a C++ stack of paddle has some ten thousand
CLOSE_SECONDS = 5  # a process that left the trainer's group may hold the pipe for ever


class LastWords:
    """Copies a pipe to this process's stderr and remembers the last KEPT bytes.

    In whole lines: Python writes a line and its end apart, and an event line of the trainer's stdout, which goes to the
    same log, would get between them. What grows longer than KEPT without an end is passed on all the same.
    """

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
        begun = b""
        while piece := os.read(self._pipe.fileno(), 1 << 16):
            self._kept = (self._kept + piece)[-KEPT:]
            lines, end, rest = piece.rpartition(b"\n")
            begun += lines + end
            if end or len(begun) + len(rest) > KEPT:
                _pass_on(begun)
                begun = b""
            begun += rest
        _pass_on(begun)
        self._pipe.close()


def _pass_on(text: bytes) -> None:
    try:
        while text:
            text = text[os.write(2, text) :]
    except OSError:  # nobody listens any more; the trainer must not wait for that
        pass
