"""stderr, where people read, and stdout, where programs do.

Either may be closed or go away (a closed terminal, `| head`) without ending the work.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable
from typing import Any, TextIO

from contract.errors import UserError


class PeopleStream:
    """A text stream that falls silent instead of failing: the work goes on, and job.log has every line of a job."""

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
            _let_go(self._stream)


def people() -> TextIO:
    """stderr as a PeopleStream. It goes nowhere when it was closed before the start (`2>&-`)."""
    return PeopleStream(sys.stderr or open(os.devnull, "w", encoding="utf-8", newline="\n"))  # type: ignore[return-value]


def pour(text: str) -> bool:
    """Print data as it comes. Returns whether somebody still reads it (`| head`). Raises UserError on a full disk."""
    try:
        print(text, flush=True)
    except OSError as error:
        _let_go(sys.stdout)
        if not isinstance(error, BrokenPipeError):
            raise UserError(f"stdout cannot be written ({error.strerror}): make room or name another file") from None
        return False
    return True


def ready_streams() -> None:
    """What a program does first: no stream is closed, and what programs read is UTF-8 with LF on every system."""
    _fill_closed_streams()
    _speak_utf8()


def _fill_closed_streams() -> None:
    """Open what was closed of stdin, stdout and stderr (`2>&-`): a file of the work would get its number, and Python
    has None in its place.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # it gets the lowest number that is free
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w" if number else "r", encoding="utf-8", newline="\n"))


def _speak_utf8() -> None:
    """Into a file or a pipe, Windows would write in a code page without Thai, and CR LF. Names of files are any bytes.

    A terminal keeps its own encoding and shows what that lacks as an escape, as stderr does anyway.
    """
    stream = sys.stdout
    if isinstance(stream, io.TextIOWrapper):
        if stream.isatty():
            stream.reconfigure(errors="backslashreplace")
        else:
            stream.reconfigure(encoding="utf-8", errors="surrogateescape", newline="\n")


def _let_go(stream: TextIO) -> None:
    """Python's exit flushes what is still buffered and would fail again: let it go nowhere."""
    with contextlib.suppress(OSError), open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())
