"""A table as text, as wide as the terminal; as wide as it needs to be in a pipe."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Sequence

GAP = 2  # columns between two columns
WIDE = 10_000  # no line of a table for a program is cut


def width_of_stdout() -> int:
    """Columns there are for a table on stdout."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDE


def as_table(head: Sequence[str], rows: Sequence[Sequence[str]], width: int, numbers: Sequence[int] = ()) -> str:
    """The table; long words are folded, never cut. `numbers`: columns that are set flush right."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="", show_header=any(head))
    for number, name in enumerate(head):
        table.add_column(name, overflow="fold", justify="right" if number in numbers else "left")
    for row in rows:
        table.add_row(*row)
    out = io.StringIO()
    Console(file=out, width=width, color_system=None, highlight=False, markup=False, emoji=False).print(table)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())
