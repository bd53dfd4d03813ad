"""stderr, where people read. It may go away (a closed terminal, `| head`) without ending the job."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from typing import Any, TextIO


class PeopleStream:
    """A text stream that falls silent instead of failing: the job goes on, and job.log has every line."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._try(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        self._try(self._stream.flush)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _try(self, action: Callable[[], object]) -> None:
        try:
            action()
        except OSError:
            # Python's exit flushes what is still buffered and would fail again: let it go nowhere.
            with contextlib.suppress(OSError), open(os.devnull, "wb") as nowhere:
                os.dup2(nowhere.fileno(), self._stream.fileno())


def people() -> TextIO:
    """stderr as a PeopleStream."""
    return PeopleStream(sys.stderr)  # type: ignore[return-value]


def say(text: str) -> None:
    """A line for people, at once."""
    print(text, file=people(), flush=True)
