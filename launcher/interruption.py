"""When a rehearsed Spot interruption strikes: `20s` or `120steps`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from contract.errors import UserError

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class Interruption:
    """One interruption: so many seconds after the supervisor's start, or at a step of the run."""

    seconds: float | None = None
    step: int | None = None

    def __str__(self) -> str:
        return f"after {self.seconds:g} s" if self.seconds is not None else f"at step {self.step}"

    def is_due(self, elapsed_s: float, step: int) -> bool:
        """`step`: the last one that this attempt reported, 0 before."""
        if self.seconds is not None:
            return elapsed_s >= self.seconds
        return self.step is not None and step >= self.step


def parse_interruption(text: str) -> Interruption:
    """`20s`, `2m` or `120steps`. Raises UserError."""
    steps = re.fullmatch(r"(\d+)\s*steps?", text)
    if steps:
        return Interruption(step=int(steps[1]))
    try:
        return Interruption(seconds=parse_duration(text))
    except UserError:
        raise UserError(f"--interrupt-after must be like 20s or 120steps, not {text!r}") from None


def parse_duration(text: str) -> float:
    """`20s`, `1.5m`, `12h` or `2d` in seconds. Raises UserError: a number without a unit says too little."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd])", text)
    if not match:
        raise UserError(f"a duration is a number and s, m, h or d, such as 120s, not {text!r}")
    return float(match[1]) * _SECONDS[match[2]]
