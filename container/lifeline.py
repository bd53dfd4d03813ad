"""A process that must not outlive the one that started it holds the read end of a pipe: its lifeline.

The starter holds the only write end. However the starter ends, kill -9 included, the pipe closes, and the process
ends at once with its children. Without it, a killed launcher would leave a trainer writing into the checkpoint
folder of the run that the user has just started again.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable

from contract.paths import LIFELINE_VARIABLE


def hold_lifeline(end: Callable[[], None]) -> None:
    """Call `end` from a thread when the starter of this process is gone. Nothing to do without a lifeline."""
    descriptor = os.environ.pop(LIFELINE_VARIABLE, None)
    if descriptor is None:
        return

    def wait_for_end() -> None:
        os.read(int(descriptor), 1)  # nobody writes: this returns when the other end is closed
        end()

    threading.Thread(target=wait_for_end, daemon=True, name="lifeline").start()


def kill_group(group: int) -> None:
    """SIGKILL to a whole process group; a group that is gone already is fine."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass


def end_all_others() -> None:
    """As PID 1, and only then: end what left its group, and take in the dead, which would stay zombies."""
    if os.getpid() != 1:
        return
    with contextlib.suppress(ProcessLookupError):  # there is no other process
        os.kill(-1, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):  # none is left
        while True:
            os.waitpid(-1, 0)
