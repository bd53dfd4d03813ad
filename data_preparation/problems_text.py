"""Problems as people read them: grouped by kind, with a count and the first few of each."""

from __future__ import annotations

from collections.abc import Iterable

from contract.dataset import Problem
from data_preparation.cli import say

EXAMPLES = 5  # shown of each kind when the rest can be read elsewhere


def show_problems(problems: Iterable[Problem], rest: str | None = None) -> None:
    """Print every problem, or with `rest` the first few of each kind: it says where the rest can be read."""
    kinds: dict[str, list[Problem]] = {}
    for problem in problems:
        kinds.setdefault(problem.kind, []).append(problem)
    for kind, members in kinds.items():
        say(f"{kind}: {len(members)} {'problem' if len(members) == 1 else 'problems'}")
        shown = members[:EXAMPLES] if rest else members
        for problem in shown:
            say(f"  {problem}")
        if len(members) > len(shown):
            say(f"  … and {len(members) - len(shown)} more: {rest}")
