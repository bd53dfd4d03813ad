"""Samples that passed the checks before training and cannot be used all the same: left out, counted, and said."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from container.trainer.errors import TrainingFailed

ALLOWED_SHARE = 0.01  # of a set, and one sample in any case; more than that end the run
SHOWN = 20  # samples of a set that are named in the log; all are counted


@dataclass(frozen=True)
class Unusable:
    """One sample by its line in the label file (from 1), and why it cannot be used."""

    line: int
    reason: str


class UnusableSamples:
    """Those of one set, each counted once however often an epoch comes by."""

    def __init__(self, file: str, samples: int, say: Callable[[str], None]):
        self.file = file
        self.allowed = max(1, int(ALLOWED_SHARE * samples))
        self.samples = samples
        self.say = say
        self.found: dict[int, str] = {}

    def note(self, unusable: Iterable[Unusable]) -> None:
        """Count what a batch had to leave out."""
        for each in unusable:
            if each.line in self.found:
                continue
            self.found[each.line] = each.reason
            if len(self.found) <= SHOWN:
                self.say(f"note: {self.file}:{each.line}: {each.reason}: left out")

    def refuse_many(self) -> None:
        """Raises TrainingFailed when more of the set than allowed cannot be used."""
        if len(self.found) > self.allowed:
            line, reason = next(reversed(self.found.items()))
            raise TrainingFailed(
                f"{self.file}:{line}: {reason}: with it {len(self.found)} of {self.samples} samples cannot be used, "
                f"and {self.allowed} may be: correct or delete these lines and start the run again"
            )

    def refuse_empty(self, tensors: list[Any], unusable: Sequence[Unusable]) -> None:
        """Raises TrainingFailed for a batch of which nothing is left: a step needs a sample. `unusable`: its own."""
        if not tensors:
            last = unusable[-1]
            raise TrainingFailed(
                f"{self.file}:{last.line}: {last.reason}: nothing is left of its batch: correct or delete the line "
                "and start the run again"
            )

    def facts(self) -> dict[str, Any]:
        """For run.json."""
        return {"samples": len(self.found), "lines": sorted(self.found)}
