"""One thing that is looked at before money is spent, and what came of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from contract.errors import UserError
from launcher.aws import explained

_COMMAND = re.compile(r"`((?:python -m|make|bash|aws|unset) [^`]+)`")

OK, PROBLEM, UNKNOWN = "ok", "problem", "unknown"


@dataclass(frozen=True)
class Check:
    """`unknown` is what could not be asked: it stops nobody."""

    name: str
    status: str
    detail: str
    remedy: str = ""

    @property
    def command(self) -> str:
        """What to paste to mend it; empty: there is no such command."""
        return command_in(self.remedy)

    @property
    def sentence(self) -> str:
        """What is wrong and what to do, for an error message."""
        return f"{self.name}: {self.detail}: {self.remedy}" if self.remedy else f"{self.name}: {self.detail}"


def command_in(text: str) -> str:
    """The command that a message names: they stand in backticks, the best one first."""
    found = _COMMAND.search(text)
    return found[1] if found else ""


def fine(name: str, detail: str) -> Check:
    return Check(name, OK, detail)


def problem(name: str, detail: str, remedy: str) -> Check:
    return Check(name, PROBLEM, detail, remedy)


def unknown(name: str, why: str, remedy: str = "") -> Check:
    return Check(name, UNKNOWN, why, remedy)


def asking(name: str, doing: str, work: Callable[[], Check]) -> Check:
    """The check that `work` makes; what AWS does not answer or allow is unknown, with AWS's reason."""
    try:
        with explained(doing):
            return work()
    except UserError as error:
        reason, _, remedy = str(error).rpartition(": ")
        return unknown(name, reason, remedy)
