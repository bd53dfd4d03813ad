"""How verbs begin and end: signals, mistakes in one sentence, exit codes."""

from __future__ import annotations

import json
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from contract.errors import UserError, in_one_sentence
from contract.starting import EXIT_CTRL_C, ctrl_c_is_heard
from contract.streams import people, ready_streams
from launcher.people import answer, say

EXIT_REFUSED, EXIT_FAILED = 1, 2


def enter(
    argv: list[str] | None,
    work: Callable[[list[str]], int],
    failures: tuple[type[UserError], ...] = (),
    *,
    result: str = "image",
    stopped: str = "stopped; starting again goes on from what is there",
    as_json: Callable[[str, int], dict[str, Any]] | None = None,
) -> int:
    """Do the work and return its exit code; `failures` are the errors of work that had begun (2 instead of 1).

    With --json an error is an object on stdout too: `as_json` of reason and exit code, else one in which `result` is
    null. Ctrl-C, SIGTERM and a closed terminal end it with the words `stopped`, unless the work listens to them itself.
    """
    arguments = sys.argv[1:] if argv is None else argv
    ready_streams()
    try:
        ctrl_c_is_heard()
        with every_stop_is_ctrl_c():
            return work(arguments)
    except (UserError, OSError) as error:
        if "--debug" in arguments:
            traceback.print_exc(file=people())
        reason, code = str(in_one_sentence(error)), EXIT_FAILED if isinstance(error, failures) else EXIT_REFUSED
        say(f"error: {reason}")
    except KeyboardInterrupt:
        say(stopped)
        reason, code = "stopped", EXIT_CTRL_C
    if "--json" not in arguments:
        return code
    shown = as_json(reason, code) if as_json else {result: None, "reason": reason, "exit_code": code}
    return answer(json.dumps(shown), code)


@contextmanager
def every_stop_is_ctrl_c() -> Iterator[None]:
    """SIGTERM and SIGHUP unwind like Ctrl-C, so that nothing is left running or lying around."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    numbers = [signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup keeps its meaning
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
