"""Ctrl-C while a program is still importing: nothing has begun, so it ends at once and without a traceback."""

from __future__ import annotations

import os
import signal
from types import FrameType

EXIT_CTRL_C = 130  # 128 + SIGINT, as shells have it


def ctrl_c_ends_at_once() -> None:
    """From the first line of a program until `ctrl_c_is_heard`. Not raised: an import may swallow what it is no match
    for, or turn it into an ImportError. Who ignores SIGINT (`nohup`, `&` in a script) goes on doing so.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def ctrl_c_is_heard() -> None:
    """Now there is work that wants to be ended properly: Ctrl-C raises KeyboardInterrupt again."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(_number: int, _frame: FrameType | None) -> None:
    os._exit(EXIT_CTRL_C)
