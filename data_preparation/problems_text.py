"""Problems as people read them: grouped by kind, with a count and the first few of each."""

from __future__ import annotations

from collections.abc import Iterable

from contract.dataset import Problem
from contract.report import Warnings
from data_preparation.cli import say
from data_preparation.wording import counted

EXAMPLES = 5  # shown of each kind


def show_problems(problems: Iterable[Problem], rest: str, noun: str = "problem") -> None:
    """Print the number of problems of each kind and the first few; `rest` says where all can be read."""
    kinds: dict[str, list[Problem]] = {}
    for problem in problems:
        kinds.setdefault(problem.kind, []).append(problem)
    for kind, members in kinds.items():
        say(f"{kind}: {counted(len(members), noun)}")
        _show(members, len(members), rest)


def show_warnings(warnings: Warnings, rest: str) -> None:
    """The same of warnings, of which only the first are kept."""
    for kind, members in warnings.kept.items():
        say(f"{kind}: {counted(warnings.counts[kind], 'warning')}")
        _show(members, warnings.counts[kind], rest)


def _show(members: list[Problem], count: int, rest: str) -> None:
    for problem in members[:EXAMPLES]:
        say(f"  {problem}")
    if count > EXAMPLES:
        say(f"  … and {count - EXAMPLES:,} more: {rest}")
