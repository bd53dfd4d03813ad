"""What programs write for programs is UTF-8, whatever the system's code page is."""

from __future__ import annotations

import io
import sys


def speak_utf8() -> None:
    """Make stdout UTF-8 where it is not: into a file or a pipe, Windows would write in a code page without Thai.

    A terminal keeps its own encoding and shows what that lacks as an escape, as stderr does anyway.
    """
    stream = sys.stdout
    if isinstance(stream, io.TextIOWrapper) and stream.encoding.lower().replace("-", "") != "utf8":
        if stream.isatty():
            stream.reconfigure(errors="backslashreplace")
        else:
            stream.reconfigure(encoding="utf-8")
