"""The live view of a job on SageMaker: a bar with figures on a terminal, curves in a cell, else plain lines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from contract.streams import people
from launcher.cloud.forecast import Forecast, describe_money
from launcher.cloud.job import Job
from launcher.cloud.logs import LogLine
from launcher.follow import PlainView, TerminalView, event_of
from launcher.notebook_view import CellView
from launcher.progress import Event, Progress, clock, describe_event, join
from launcher.terminal import bar_of_a_job, in_notebook

# What SageMaker's secondary statuses mean to the user. Any other is shown as it is.
PHASES = {
    "Pending": "waiting for a machine",
    "Starting": "starting",
    "LaunchingMLInstances": "starting",
    "PreparingTrainingStack": "starting",
    "DownloadingTrainingImage": "downloading the image",
    "Downloading": "downloading data",
    "Training": "training",
    "Interrupted": "interrupted",
    "Restarting": "restarting",
    "Updating": "updating",
    "Uploading": "uploading the model",
    "Stopping": "stopping",
    "Stopped": "stopped",
    "MaxRuntimeExceeded": "out of time (--max-run)",
    "MaxWaitTimeExceeded": "out of time (--max-wait)",
    "Completed": "completed",
    "Failed": "failed",
}
TRAIN_LINE_EVERY_S = 30.0


class JobView(PlainView):
    """What both views know of a job."""

    phase = ""
    money = ""
    interruptions = 0

    def take(self, line: LogLine) -> Event | None:
        """Show one line of the log and return its event, if it is one."""
        return self.line(line.text, line.ms / 1000)

    def remember(self, line: LogLine) -> None:
        """A line that was printed before this watch began."""
        event = event_of(line.text)
        if event is None:
            self.progress.hear(line.ms / 1000)
        else:
            self.progress.update(event, line.ms / 1000)

    def caught_up(self) -> None:
        """All that was printed before, in one line."""
        if self.progress.step:
            self.say(f"so far: {figures(self.progress)}  {scores(self.progress)}")

    def show(self, job: Job, seen: Forecast) -> None:
        """Where the job stands now."""
        self.phase = describe_phase(job, self.progress)
        self.money = describe_money(seen)
        self.interruptions = job.interruptions

    @property
    def bill(self) -> str:
        """What it has cost so far, and how often AWS took the machine away."""
        times = f"interrupted {self.interruptions}×" if self.interruptions else ""
        return "  ".join(filter(None, (self.money, times)))


class PlainJobView(JobView):
    """Lines: phases, the container's own lines, events in words, training steps about every thirty seconds."""

    _next = 0.0

    def _show_event(self, event: Event, now: float) -> None:
        if event.get("event") != "train":
            super()._show_event(event, now)
        elif now >= self._next:
            self._next = now + TRAIN_LINE_EVERY_S
            self._print(join(describe_event(event, self.progress), self.money))


class TerminalJobView(JobView, TerminalView):
    """The bar and its figures at the bottom; above them phases, scores and whatever matters."""

    def show(self, job: Job, seen: Forecast) -> None:
        super().show(job, seen)
        self._draw()

    def _draw(self) -> None:
        state = self.progress
        self._bar.update(
            self._task,
            description=self.phase,
            completed=state.step,
            total=state.steps,
            figures=figures(state),
            more=tuple(filter(None, (scores(state), self.bill))),
        )


class CellJobView(JobView, CellView):
    """Figures and curves at the top of the cell; below them phases, scores and whatever matters."""

    def remember(self, line: LogLine) -> None:
        super().remember(line)
        self.hear(event_of(line.text), line.time)

    def show(self, job: Job, seen: Forecast) -> None:
        super().show(job, seen)
        self._draw()

    def words(self) -> tuple[str, ...]:
        return self.phase, figures(self.progress), scores(self.progress), self.bill


def describe_phase(job: Job, progress: Progress) -> str:
    """The phase in words; while it trains, what the trainer says it does."""
    if job.secondary == "Training" and progress.status not in ("interrupted", "done", "failed"):
        return progress.status
    return PHASES.get(job.secondary) or job.secondary or job.status


def figures(state: Progress) -> str:
    """How far it is."""
    parts = [
        f"step {state.step}/{state.steps}" if state.steps else "",
        f"epoch {state.epoch}/{state.epochs}" if state.epoch and state.epochs else "",
        f"ETA {clock(state.eta_s)}" if state.eta_s else "",
    ]
    return "  ".join(filter(None, parts))


def scores(state: Progress) -> str:
    """How well it does."""
    parts = [
        f"loss {state.loss:.3g}" if state.loss is not None else "",
        f"acc {state.acc:.3f}" if state.acc is not None else "",
        f"CER {state.cer:.3f}" if state.cer is not None else "",
        f"{state.samples_per_s:.0f} samples/s" if state.samples_per_s else "",
    ]
    return "  ".join(filter(None, parts))


@contextmanager
def job_view(stream: TextIO | None = None) -> Iterator[JobView]:
    """The view that suits the stream (stderr)."""
    stream = stream or people()
    if in_notebook():
        yield CellJobView(stream)
        return
    with bar_of_a_job(stream) as bar:
        yield TerminalJobView(stream, bar) if bar else PlainJobView(stream)
