"""Cause and remedy, in one line, of what can go wrong anywhere."""

from __future__ import annotations

import errno

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def explain(error: BaseException) -> str:
    """One line for an error that nobody foresaw where it came up; its traceback is in the log."""
    if isinstance(error, OSError) and error.errno in _FULL:
        where = f" for {error.filename}" if error.filename else ""
        return f"no space left on the device{where}: free some or use a bigger volume, then start the run again"
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
