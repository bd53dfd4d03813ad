"""A timeline under way: it writes into the job's record whatever is due."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from tests.service.timeline import Timeline
from tests.service.training_job import TrainingJob

RUNNING = ("Downloading", "Training")  # what MaxRuntimeInSeconds counts

Step = tuple[float, Callable[[float], None]]  # when, and what happens then


class ScriptedRun:
    """Nothing runs: the record is brought up to date when somebody looks at it."""

    def __init__(self, script: Timeline, job: TrainingJob) -> None:
        self._script = script
        self._job = job
        job.spot_saving = script.spot_saving
        self._steps = _in_order(self._whole(job.created))
        self._stopped = False
        cut, status = self._limit()
        if cut < self.ends_at:
            self._cut(cut, status)

    @property
    def ends_at(self) -> float:
        return self._steps[-1][0] if self._steps else self._job.changed

    def catch_up(self, now: float) -> None:
        """Everything until `now` has happened."""
        while self._steps and self._steps[0][0] <= now:
            at, happen = self._steps.pop(0)
            happen(at)

    def stop(self, now: float) -> None:
        """StopTrainingJob: the rest of the script is not played."""
        if not self._stopped:
            self._cut(now, "Stopped")

    def close(self) -> None:
        """Nothing of it runs."""

    def _whole(self, start: float) -> Iterator[Step]:
        at, job = start, self._job
        for phase in self._script.phases:
            yield at, partial(job.enter, phase.status, message=phase.message)
            if phase.status == "Training":
                yield at, job.open_streams
            for line in phase.lines:
                yield at + line.after_s, self._say(line.text)
            at += phase.seconds
        end = self._script.end
        yield at, partial(job.finish, end.status, reason=end.reason)

    def _limit(self) -> tuple[float, str]:
        """When MaxWaitTimeInSeconds or MaxRuntimeInSeconds ends the job, if the script does not."""
        conditions = self._job.request["StoppingCondition"]
        runs = conditions.get("MaxRuntimeInSeconds", float("inf"))
        waits = self._job.created + conditions.get("MaxWaitTimeInSeconds", float("inf"))
        at = self._job.created
        for phase in self._script.phases:
            if phase.status in RUNNING:
                if phase.seconds > runs:
                    return min((at + runs, "MaxRuntimeExceeded"), (waits, "MaxWaitTimeExceeded"))
                runs -= phase.seconds
            at += phase.seconds
        return waits, "MaxWaitTimeExceeded"

    def _cut(self, at: float, status: str) -> None:
        self._stopped = True
        script, job = self._script, self._job
        self._steps = [step for step in self._steps if step[0] < at]
        self._steps.append((at, partial(job.enter, "Stopping")))
        has_container = any(step[1] == job.open_streams for step in self._steps) or bool(job.streams)
        if has_container:
            self._steps += [(at + line.after_s, self._say(line.text)) for line in script.on_stop]
        self._steps = _in_order([*self._steps, (at + script.stop_s, partial(job.finish, status))])

    def _say(self, text: str) -> Callable[[float], None]:
        return lambda at: self._job.say(text, at, self._script.log_delay_s)


def _in_order(steps: Iterable[Step]) -> list[Step]:
    return sorted(steps, key=lambda step: step[0])
