"""What becomes of a job that nothing runs for: phases with durations and log lines, and how it ends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from contract.events import format_event

NO_CAPACITY = (
    "CapacityError: Unable to provision requested ML compute capacity. Please retry using a different ML instance type."
)

# What DescribeTrainingJob says about each phase.
MESSAGES = {
    "Starting": "Starting the training job",
    "Pending": "Preparing the instances for training",
    "Downloading": "Downloading input data",
    "Training": "Training image download completed. Training in progress.",
    "Interrupted": "Spot instance interrupted. Waiting for capacity to resume training.",
    "Uploading": "Uploading generated training model",
    "Stopping": "Stopping the training job",
    "Stopped": "Training job stopped",
    "MaxRuntimeExceeded": "Training job runtime exceeded MaxRuntimeInSeconds provided",
    "MaxWaitTimeExceeded": "Training job wait time exceeded MaxWaitTimeInSeconds provided",
    "Completed": "Training job completed",
    "Failed": "Training job failed",
}


@dataclass(frozen=True)
class Line:
    """One line of the container's output, so many seconds after the phase began."""

    after_s: float
    text: str


@dataclass(frozen=True)
class Phase:
    """A secondary status and how long it lasts."""

    status: str
    seconds: float
    lines: tuple[Line, ...] = ()
    message: str = ""


@dataclass(frozen=True)
class End:
    """The last secondary status; `reason` is the FailureReason."""

    status: str
    reason: str = ""


@dataclass(frozen=True)
class Timeline:
    """A whole job. Times are seconds of the service's clock."""

    phases: tuple[Phase, ...]
    end: End
    spot_saving: float = 0.7  # 1 - billable / training seconds, when the job is a Spot job
    log_delay_s: float = 0.0  # how late CloudWatch shows a line, also after the end
    stop_s: float = 20.0  # from StopTrainingJob, or a limit, to Stopped
    on_stop: tuple[Line, ...] = ()  # what the container prints meanwhile

    def but(self, **changes: Any) -> Timeline:
        """The same with some fields changed."""
        return replace(self, **changes)


def timeline(*parts: Phase | End, **options: Any) -> Timeline:
    """Phases and, last, how it ends; options are the other fields of Timeline."""
    phases, end = [part for part in parts if isinstance(part, Phase)], parts[-1]
    if not isinstance(end, End) or len(phases) != len(parts) - 1:
        raise TypeError("a timeline is phases and, last, one end such as completed()")
    return Timeline(tuple(phases), end, **options)


def phase(status: str, seconds: float, lines: Sequence[Line | str] = (), message: str = "") -> Phase:
    """A phase of any status. Texts are spread evenly over it."""
    gap = seconds / (len(lines) + 1)
    placed = (
        line if isinstance(line, Line) else Line(gap * number, line) for number, line in enumerate(lines, start=1)
    )
    return Phase(status, seconds, tuple(sorted(placed, key=lambda line: line.after_s)), message)


def starting(seconds: float) -> Phase:
    return phase("Starting", seconds)


def pending(seconds: float) -> Phase:
    return phase("Pending", seconds)


def downloading(seconds: float) -> Phase:
    return phase("Downloading", seconds)


def training(seconds: float, lines: Sequence[Line | str] = ()) -> Phase:
    """A container runs; a new log stream begins."""
    return phase("Training", seconds, lines)


def interrupted(seconds: float) -> Phase:
    """The Spot machine is gone, and it takes so long to get another one."""
    return phase("Interrupted", seconds)


def uploading(seconds: float) -> Phase:
    return phase("Uploading", seconds)


def completed() -> End:
    return End("Completed")


def failed(reason: str) -> End:
    return End("Failed", reason)


def capacity_error() -> End:
    """AWS has no such machine now."""
    return End("Failed", NO_CAPACITY)


def max_runtime_exceeded() -> End:
    return End("MaxRuntimeExceeded")


def max_wait_exceeded() -> End:
    return End("MaxWaitTimeExceeded")


def curve(
    first: int,
    last: int,
    *,
    total: int | None = None,
    epoch_steps: int = 10,
    every: int = 1,
    resumed: int | None = None,
    run: str = "scripted",
) -> list[str]:
    """What our container prints from step `first` to step `last` of `total` (default: last).

    A step has the same numbers however often the run was interrupted. An epoch ends with an evaluation and a
    checkpoint. `resumed`: the step of the checkpoint from which this attempt went on.
    """
    total = total or last
    epochs = math.ceil(total / epoch_steps)
    say = format_event
    plan = {"epochs": epochs, "steps": total, "steps_per_epoch": epoch_steps}
    lines = [say("job", run=run, **plan, train=64 * epoch_steps, val=64, batch_size=64, device="gpu:0")]
    if resumed is not None:
        lines.append(say("resume", step=resumed, epoch=resumed // epoch_steps + 1, samples=0))
    for step in range(first, last + 1):
        at: dict[str, Any] = {"step": step, "epoch": math.ceil(step / epoch_steps)}
        if step % every == 0 or step in (1, total):
            loss = 8 * math.exp(-4 * step / total) + 0.1 * abs(math.sin(step))
            speed = 800 + 20 * math.cos(step)
            lines.append(say("train", **at, loss=loss, lr=5e-4, samples_per_s=speed, reader_share=0.02))
        if step % epoch_steps == 0 or step == total:
            lines.append(say("phase", name="evaluating", step=step))
            lines.append(say("eval", **at, **_scores(step / total)))
            lines.append(say("checkpoint", step=step))
    if last == total:
        lines.append(say("phase", name="exporting", step=total))
        lines.append(say("done", step=total, **_scores(1)))
    return lines


def _scores(progress: float) -> dict[str, float]:
    wrong = math.exp(-3 * progress)
    return {"acc": 1 - wrong, "cer": wrong / 4, "norm_edit_dis": 1 - wrong / 3}


PLAIN = timeline(starting(5), pending(60), downloading(30), training(300, curve(1, 60)), uploading(15), completed())
