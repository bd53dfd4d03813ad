"""A live line at the bottom of a terminal. Anywhere else (a log, a pipe) there is none, and views print plain lines."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import ProgressColumn

REFRESH_PER_SECOND = 4


@contextmanager
def bar_with_figures(stream: TextIO) -> Iterator[Bar | None]:
    """A bar for something of known length; its task has the field `figures`. None: the stream is no terminal."""
    if not _is_live(stream):
        yield None
        return
    from rich.progress import BarColumn, SpinnerColumn, TextColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[figures]}"),
    )
    with _open(stream, *columns, transient=False) as bar:
        yield bar


@contextmanager
def line_with_clock(stream: TextIO) -> Iterator[Bar | None]:
    """What goes on and since when, for something of unknown length; it goes away at the end."""
    if not _is_live(stream):
        yield None
        return
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.table import Column

    one_line = Column(no_wrap=True, overflow="ellipsis")
    description = TextColumn("{task.description}", markup=False, table_column=one_line)
    with _open(stream, SpinnerColumn(), TimeElapsedColumn(), description, transient=True) as bar:
        yield bar


def print_above(bar: Bar, text: str) -> None:
    """A line that stays, above what is live."""
    bar.console.print(text, markup=False, highlight=False, soft_wrap=True)


def _is_live(stream: TextIO) -> bool:
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def _open(stream: TextIO, *columns: ProgressColumn, transient: bool) -> Bar:
    from rich.console import Console
    from rich.progress import Progress as Bar

    return Bar(
        *columns,
        console=Console(file=stream),
        refresh_per_second=REFRESH_PER_SECOND,
        transient=transient,
        redirect_stdout=False,
        redirect_stderr=False,
    )
