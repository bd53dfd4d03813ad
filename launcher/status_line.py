"""What goes on in long work without figures: one line that changes on a terminal, plain lines anywhere else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from contract.streams import people
from launcher.terminal import line_with_clock, print_above

if TYPE_CHECKING:
    from rich.progress import Progress as Bar


class PlainStatus:
    """Lines only."""

    is_live = False

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def set(self, text: str) -> None:
        """What goes on now."""

    def say(self, text: str) -> None:
        """A line that stays."""
        print(text, file=self._stream, flush=True)


class TerminalStatus(PlainStatus):
    """A line at the bottom with the time since it began; what stays goes above it."""

    is_live = True

    def __init__(self, stream: TextIO, bar: Bar) -> None:
        super().__init__(stream)
        self._bar = bar
        self._task = bar.add_task("starting", total=None)

    def set(self, text: str) -> None:
        self._bar.update(self._task, description=text)

    def say(self, text: str) -> None:
        print_above(self._bar, text)


@contextmanager
def status_line(stream: TextIO | None = None) -> Iterator[PlainStatus]:
    """The view that suits the stream (stderr)."""
    stream = stream or people()
    with line_with_clock(stream) as bar:
        yield TerminalStatus(stream, bar) if bar else PlainStatus(stream)
