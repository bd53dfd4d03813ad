"""How far a long step is: a bar on a terminal, a few plain lines elsewhere. Always on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from data_preparation.cli import say
from data_preparation.meter import Meter

Advance = Callable[[int, int], None]  # done, total

LINES = 4  # plain lines in all
LINE_SECONDS = 30.0  # of a transfer; a slow line is no stopped one
REDRAW_SECONDS = 0.1
MEGA = 1e6


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


@contextmanager
def transfer(what: str) -> Iterator[Callable[[Meter], None]]:
    """What a Meter shows itself with: files, megabytes, rates and the time that is left."""
    if sys.stderr.isatty():
        with _transfer_bar(what) as show:
            yield show
    else:
        yield _transfer_lines(what)


def _transfer_lines(what: str) -> Callable[[Meter], None]:
    said, quarters = time.monotonic(), 0

    def show(meter: Meter) -> None:
        nonlocal said, quarters
        files = meter.done_files * LINES // max(1, meter.files)
        if files > quarters or time.monotonic() - said > LINE_SECONDS:
            said, quarters = time.monotonic(), max(files, quarters)
            say(f"{what}: {meter.done_files:,} of {meter.files:,} files, {_figures(meter)}")

    return show


@contextmanager
def _transfer_bar(what: str) -> Iterator[Callable[[Meter], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[figures]}"))
    with Progress(*columns, console=Console(stderr=True), auto_refresh=False) as bar:
        task = bar.add_task(what, total=None, figures="")
        drawn = 0.0

        def show(meter: Meter) -> None:
            nonlocal drawn
            ends = meter.done_files == meter.files
            if ends or time.monotonic() - drawn > REDRAW_SECONDS:
                figures = f"{meter.done_files:,}/{meter.files:,} files, {_figures(meter)}"
                bar.update(task, completed=meter.done_bytes, total=meter.bytes, figures=figures)
                bar.refresh()
                drawn = time.monotonic()

        yield show


def _figures(meter: Meter) -> str:
    """Megabytes, and once something moves, how fast and how much longer."""
    amount = f"{meter.done_bytes / MEGA:,.1f} of {meter.bytes / MEGA:,.1f} MB"
    left = meter.seconds_left
    if left is None:
        return amount
    rates = f"{meter.bytes_per_second / MEGA:,.1f} MB/s, {meter.sent_files / meter.seconds:,.0f} files/s"
    return f"{amount}, {rates}" + (f", {_clock(left)} left" if meter.done_files < meter.files else "")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
