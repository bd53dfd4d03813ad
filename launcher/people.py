"""stderr, where people read, and stdout, where programs do.

Either may be closed or go away (a closed terminal, `| head`) without ending the job.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from typing import Any, TextIO

from contract.errors import UserError


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
    """stderr as a PeopleStream. It goes nowhere when it was closed before the start (`2>&-`)."""
    return PeopleStream(sys.stderr or open(os.devnull, "w", encoding="utf-8", newline="\n"))  # type: ignore[return-value]


def say(text: str) -> None:
    """A line for people, at once."""
    print(text, file=people(), flush=True)


def answer(text: str, code: int) -> int:
    """Print data on stdout and return the exit code: `code`, also when the reader has gone (`| head`).

    Where the data cannot be written, as on a full disk, success becomes 2.
    """
    try:
        pour(text)
    except UserError as error:
        say(f"error: {error}")
        return code or 2
    return code


def pour(text: str) -> bool:
    """Print data as it comes. Returns whether somebody still reads it (`| head`). Raises UserError on a full disk."""
    try:
        print(text, flush=True)
    except OSError as error:
        # Python's exit flushes what is still buffered and would fail again: let it go nowhere.
        with contextlib.suppress(OSError), open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise UserError(f"stdout cannot be written ({error.strerror}): make room or name another file") from None
        return False
    return True


def fill_closed_streams() -> None:
    """Open what was closed of stdin, stdout and stderr (`2>&-`), or a file of the job would get its number."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # it gets the lowest number that is free
