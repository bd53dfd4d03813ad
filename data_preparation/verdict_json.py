"""What a check of a dataset came to, for other programs: the keys are described in docs/data-format.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from contract.dataset import Problem
from contract.errors import UserError
from data_preparation.fixes import FIXABLE
from data_preparation.validation import Verdict

ERROR, WARNING = "error", "warning"  # severities
EXAMPLES = 5  # places of each kind


def as_json(verdict: Verdict, strict: bool) -> dict[str, Any]:
    """Everything that was found; of the warnings of a kind only the first are named."""
    report = verdict.report
    return {
        "ok": verdict.passes(strict),
        "kinds": {
            **_kinds(report.problems, ERROR, _lines(report.problems)),
            **_kinds(report.warnings, WARNING, report.warnings.counts),
        },
        "problems": [asdict(problem) for problem in report.problems],
        "warnings": [asdict(warning) for warning in report.warnings],
        "notes": report.notes,
        "train": len(report.samples("train")),
        "val": len(report.samples("val")),
        "characters": len(report.dictionary.characters) if report.dictionary else 0,
        "longest_label": report.longest_label,
        "most_steps": report.most_steps,
        "overrides": list(verdict.overrides),
        "content_sha256": report.content_sha256,
    }


def refusal(dataset: Path, error: UserError) -> dict[str, Any]:
    """A check that could not begin."""
    message, _, remedy = str(error).partition(": ")
    problems = [Problem("refused", str(dataset), message, remedy)]
    kinds = _kinds(problems, ERROR, _lines(problems))
    return {
        "ok": False,
        "kinds": kinds,
        "problems": [asdict(problem) for problem in problems],
        "warnings": [],
        "notes": [],
        "overrides": [],
    }


def _lines(problems: Iterable[Problem]) -> Counter[str]:
    """What each kind of problem is about, in lines; characters and spaces by how often they occur."""
    counts: Counter[str] = Counter()
    for problem in problems:
        counts[problem.kind] += problem.count
    return counts


def _kinds(problems: Iterable[Problem], severity: str, counts: Mapping[str, int]) -> dict[str, dict[str, Any]]:
    """Each kind that was found: how bad, how often, whether --fix cures it, and where it is first."""
    places: dict[str, list[str]] = {}
    for problem in problems:
        examples = places.setdefault(problem.kind, [])
        if len(examples) < EXAMPLES:
            examples.append(problem.where)
    return {
        kind: {"severity": severity, "count": counts[kind], "fixable": kind in FIXABLE, "examples": examples}
        for kind, examples in places.items()
    }
