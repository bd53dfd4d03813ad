"""How far a long step is: a bar on a terminal, a few plain lines elsewhere. Always on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from data_preparation.cli import say

Advance = Callable[[int, int], None]  # done, total

LINES = 4  # plain lines in all
REDRAW_SECONDS = 0.1


@contextmanager
def progress(what: str) -> Iterator[Advance]:
    """A function to call with (done, total) after every item."""
    if sys.stderr.isatty():
        with _bar(what) as advance:
            yield advance
    else:
        yield _lines(what)


def _lines(what: str) -> Advance:
    def advance(done: int, total: int) -> None:
        if done * LINES // total > (done - 1) * LINES // total:
            say(f"{what}: {done:,} of {total:,}")

    return advance


@contextmanager
def _bar(what: str) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # Redrawn from here and not by rich's thread: images.decode closes stderr for moments.
    with Progress(*columns, console=Console(stderr=True), auto_refresh=False) as bar:
        task = bar.add_task(what, total=None)
        drawn = 0.0

        def advance(done: int, total: int) -> None:
            nonlocal drawn
            bar.update(task, completed=done, total=total)
            if done == total or time.monotonic() - drawn > REDRAW_SECONDS:
                bar.refresh()
                drawn = time.monotonic()

        yield advance
