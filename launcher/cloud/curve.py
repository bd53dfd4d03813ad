"""The curve of a run over all its jobs and restarts, from event lines: every step once. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

TRAIN_FIELDS = ("epoch", "loss", "lr", "samples_per_s", "reader_share")
EVAL_FIELDS = ("acc", "cer", "norm_edit_dis")
FIELDS = ("step", *TRAIN_FIELDS, *EVAL_FIELDS, "job", "time")

Row = dict[str, Any]


@dataclass(frozen=True)
class Heard:
    """An event, where and when."""

    event: dict[str, Any]
    job: str
    attempt: str  # one execution of the container: a stream
    time: datetime | None  # None: it is not written down


@dataclass(frozen=True)
class Curve:
    """Rows by step; `resumed`: the steps from which an attempt went on."""

    rows: tuple[Row, ...]
    resumed: tuple[int, ...]
    steps: int | None  # of the whole run
    epochs: int | None

    @property
    def best(self) -> Row | None:
        """The evaluation that the trainer calls the best: accuracy, then the lower CER, then the earlier."""
        scored = [row for row in self.rows if row.get("acc") is not None]
        return max(scored, key=lambda row: (row["acc"], -row.get("cer", 0), -row["step"]), default=None)

    @property
    def last(self) -> Row | None:
        return self.rows[-1] if self.rows else None


def join_curve(events: Iterable[Heard]) -> Curve:
    """Later attempts win: what came after the step from which one resumes is trained again, and not counted twice."""
    attempts: dict[tuple[str, str], list[Heard]] = {}
    for heard in events:
        attempts.setdefault((heard.job, heard.attempt), []).append(heard)
    rows: dict[int, Row] = {}
    resumed: list[int] = []
    steps = epochs = None
    for attempt in attempts.values():
        kinds = [heard.event.get("event") for heard in attempt]
        if "job" in kinds and "resume" not in kinds:
            rows, resumed = {}, []  # it began at step 0
        for heard in attempt:
            kind, step = heard.event.get("event"), heard.event.get("step")
            if kind == "job":
                steps, epochs = heard.event.get("steps", steps), heard.event.get("epochs", epochs)
            elif not isinstance(step, int):
                continue
            elif kind == "resume":
                rows = {known: row for known, row in rows.items() if known <= step}
                resumed.append(step)
            elif kind in ("train", "eval"):
                fields = TRAIN_FIELDS if kind == "train" else ("epoch", *EVAL_FIELDS)
                row = rows.setdefault(step, {"step": step})
                row.update({name: heard.event[name] for name in fields if name in heard.event})
                row.update(job=heard.job, time=heard.time)
    return Curve(tuple(rows[step] for step in sorted(rows)), tuple(resumed), steps, epochs)
