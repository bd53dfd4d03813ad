"""A live line at the bottom of a terminal. Anywhere else (a log, a pipe) there is none, and views print plain lines.

Save in a notebook, whose cells show pictures: launcher/notebook_view.py.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import Progress as Bar
    from rich.progress import ProgressColumn

REFRESH_PER_SECOND = 4
SLOW_REFRESH_PER_SECOND = 1  # for what is watched for hours and changes every few seconds


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
def bar_of_a_job(stream: TextIO) -> Iterator[Bar | None]:
    """A bar over the whole width; its task has the fields `figures`, beside it, and `more`, the lines below."""
    if not _is_live(stream):
        yield None
        return
    from rich.progress import BarColumn, SpinnerColumn, TextColumn
    from rich.progress import Progress as Bar
    from rich.text import Text

    class WithLines(Bar):
        def get_renderables(self) -> Iterator[RenderableType]:
            yield self.make_tasks_table(self.tasks)
            for task in self.tasks:
                for line in task.fields.get("more", ()):
                    yield Text(f"  {line}", no_wrap=True, overflow="ellipsis")

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[figures]}", markup=False),
    )
    bar = WithLines(*columns, expand=True, **_live(stream, SLOW_REFRESH_PER_SECOND, transient=True))
    with bar:
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


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook. IPython alone, in a terminal, is none."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


def _is_live(stream: TextIO) -> bool:
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def _open(stream: TextIO, *columns: ProgressColumn, transient: bool) -> Bar:
    from rich.progress import Progress as Bar

    return Bar(*columns, **_live(stream, REFRESH_PER_SECOND, transient))


def _live(stream: TextIO, refresh_per_second: float, transient: bool) -> dict[str, Any]:
    from rich.console import Console

    return {
        "console": Console(file=stream),
        "refresh_per_second": refresh_per_second,
        "transient": transient,
        "redirect_stdout": False,
        "redirect_stderr": False,
    }
