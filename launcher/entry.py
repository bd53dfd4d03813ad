"""How most verbs begin and end: signals, mistakes in one sentence, exit codes."""

from __future__ import annotations

import json
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from contract.errors import UserError
from launcher.people import answer, fill_closed_streams, people, say

EXIT_REFUSED, EXIT_FAILED, EXIT_CTRL_C = 1, 2, 130


def enter(
    argv: list[str] | None,
    work: Callable[[list[str]], int],
    failures: tuple[type[UserError], ...] = (),
    *,
    result: str = "image",
    stopped: str = "stopped; starting again goes on from what is there",
) -> int:
    """Do the work and return its exit code; `failures` are the errors of work that had begun (2 instead of 1).

    With --json an error is an object on stdout too, in which `result` is null. Ctrl-C, SIGTERM and a closed terminal
    end it the same way, with the words `stopped`.
    """
    arguments = sys.argv[1:] if argv is None else argv
    fill_closed_streams()
    try:
        with every_stop_is_ctrl_c():
            return work(arguments)
    except UserError as error:
        if "--debug" in arguments:
            traceback.print_exc(file=people())
        say(f"error: {error}")
        return _fail(arguments, result, str(error), EXIT_FAILED if isinstance(error, failures) else EXIT_REFUSED)
    except KeyboardInterrupt:
        say(stopped)
        return _fail(arguments, result, "stopped", EXIT_CTRL_C)


def _fail(arguments: list[str], result: str, reason: str, code: int) -> int:
    if "--json" not in arguments:
        return code
    return answer(json.dumps({result: None, "reason": reason, "exit_code": code}), code)


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
