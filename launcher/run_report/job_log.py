"""job.log of a run on this machine: the events of all its attempts, however each of them ended."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contract.errors import UserError
from launcher.cloud.curve import Heard
from launcher.follow import event_of
from launcher.run_report.fields import is_number

LONGEST_LINE = 100_000  # bytes that are looked at
ENDS = ("done", "interrupted", "failed")

# What launcher/run_job.py writes when a container has started.
_STARTED = re.compile(r"launcher: \S+ container of run ")


@dataclass(frozen=True)
class JobLog:
    """What it tells. `end`: the last event of the newest attempt, if it is one of ENDS."""

    heard: tuple[Heard, ...] = ()
    end: dict[str, Any] | None = None


def read_job_log(path: Path) -> JobLog:
    """Raises UserError when it cannot be read. Lines that are no events, or torn ones, say nothing."""
    heard: list[Heard] = []
    attempt = 0
    end: dict[str, Any] | None = None
    for line in _lines(path):
        if _STARTED.match(line):
            attempt, end = attempt + 1, None
        elif event := event_of(line):
            figures = {name: value for name, value in event.items() if name == "event" or is_number(value)}
            heard.append(Heard(figures, "", str(attempt), None))
            end = event if event.get("event") in ENDS else end
    return JobLog(tuple(heard), end)


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open("rb") as file:
            while line := file.readline(LONGEST_LINE):
                yield line.decode("utf-8", errors="replace")
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): name another run") from None
