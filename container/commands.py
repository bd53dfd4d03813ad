"""What the commands for people have in common: flags, errors in one sentence, exit codes."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from contract.errors import UserError, in_one_sentence
from contract.paths import EXIT_REFUSED
from contract.starting import EXIT_CTRL_C, ctrl_c_is_heard
from contract.streams import people, ready_streams


class Parser(argparse.ArgumentParser):
    """Flags are written in full, and a wrong one is a UserError like any other bad input."""

    def __init__(self, command: str, **options: Any) -> None:
        super().__init__(
            prog=f"python -m container {command}",
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            **options,
        )

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; {self.prog} --help lists the flags")


def run_command(parser: Parser, action: Callable[[argparse.Namespace], int]) -> int:
    """Parse the flags, do the action, and turn what a person can cause into an exit code."""
    ready_streams()
    try:
        ctrl_c_is_heard()
        code = action(parser.parse_args())
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # `| head` has seen enough; Python would complain again when it flushes stdout at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_REFUSED
    except (UserError, OSError) as error:
        say(f"error: {in_one_sentence(error)}")
        return EXIT_REFUSED
    except KeyboardInterrupt:
        say("interrupted")
        return EXIT_CTRL_C


def say(line: str) -> None:
    """One line for people, at once."""
    print(line, file=people(), flush=True)
