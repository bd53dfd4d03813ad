"""Everything that a run has left, from wherever it is: model, log, checkpoints, SageMaker. Reads, decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from contract.errors import UserError
from launcher.cloud.curve import EVAL_FIELDS, TRAIN_FIELDS, Curve, Heard, join_curve
from launcher.run_report.fields import Fields, read_beginning, read_object, read_object_lines
from launcher.run_report.job_log import JobLog, read_job_log
from launcher.run_report.places import Places
from launcher.run_report.predictions import Readings, read_worst
from launcher.run_report.sagemaker import Jobs, how_it_ended

FINISHED, STOPPED, FAILED, UNFINISHED = "finished", "stopped", "failed", "unfinished"

WORST = 50  # crops


@dataclass(frozen=True)
class Record:
    """What the sections of a page draw on. Empty: the run has not come that far, or it is not here."""

    places: Places
    facts: Fields  # run.json
    curve: Curve
    readings: Readings | None
    config: str  # config.yml
    status: str  # one of the four words above
    reason: str  # of an end that was none
    jobs: Jobs

    @property
    def best(self) -> Fields:
        """Of the model, or of the run so far."""
        if self.facts.inside("best"):
            return self.facts.inside("best")
        return Fields("the curve", self.curve.best or {})

    @property
    def is_older(self) -> bool:
        """The model is of an earlier start: the run has trained on since."""
        last, steps = self.curve.last, self.facts.count("steps")
        return bool(last and steps is not None and last["step"] > steps)


def take_record(places: Places, jobs: Jobs, say: Callable[[str], None]) -> Record:
    """Raises UserError for a file that is damaged; a checkpoint that is, is passed over and said."""
    model = places.model
    facts = read_object(model / "run.json") if model else Fields()
    log = read_job_log(places.log) if places.log else JobLog()
    status, reason = _status(facts, log, jobs)
    return Record(
        places=places,
        facts=facts,
        curve=_curve(places, facts, log, jobs, say),
        readings=read_worst(model / "predictions.csv", WORST) if model and _has(model, "predictions.csv") else None,
        config=read_beginning(model / "config.yml") if model and _has(model, "config.yml") else "",
        status=status,
        reason=reason,
        jobs=jobs,
    )


def _status(facts: Fields, log: JobLog, jobs: Jobs) -> tuple[str, str]:
    """How the run ended last, and why. Who was there last knows best."""
    if jobs.newest:
        status, reason = how_it_ended(jobs.newest)
        return status or UNFINISHED, reason
    if log.end:
        status = {"done": FINISHED, "interrupted": STOPPED}.get(str(log.end["event"]), FAILED)
        return status, str(log.end.get("reason", ""))
    if log.heard or facts.text("status") not in (FINISHED, STOPPED):
        return UNFINISHED, ""
    return facts.text("status"), ""


def _curve(places: Places, facts: Fields, log: JobLog, jobs: Jobs, say: Callable[[str], None]) -> Curve:
    """The one that goes furthest of those that there are; of equal ones the model's own."""
    found = []
    if places.model and _has(places.model, "metrics.jsonl"):
        found.append(_joined(read_object_lines(places.model / "metrics.jsonl"), facts.counts("resumes")))
    for path in places.states:
        try:
            state = read_object(path)
            found.append(_joined(state.objects("history"), state.counts("resumes")))
            break
        except UserError as error:
            say(f"note: not used: {error}")
    found += [join_curve(log.heard)] if log.heard else []
    found += [jobs.curve] if jobs.curve else []
    longest = max(found, key=lambda each: each.last["step"] if each.last else 0, default=join_curve([]))
    planned = next((each.steps for each in found if each.steps), None)
    return replace(longest, steps=longest.steps or planned)


def _joined(history: Iterable[Fields], resumes: list[int]) -> Curve:
    """A history has every step once already; it does not say where it was taken up again."""
    events = []
    for each in history:
        numbers = {name: each.number(name) for name in (*TRAIN_FIELDS, *EVAL_FIELDS)}
        event = {name: value for name, value in numbers.items() if value is not None}
        events.append(Heard(event | {"event": each.text("event"), "step": each.count("step")}, "", "", None))
    return replace(join_curve(events), resumed=tuple(resumes))


def _has(folder: Path, name: str) -> bool:
    return (folder / name).is_file()
