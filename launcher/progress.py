"""Where a job stands, folded from its event lines. Pure: the views show it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Event = dict[str, Any]


@dataclass
class Progress:
    """What is known so far; None means: not said yet."""

    status: str = "starting"
    step: int = 0
    steps: int | None = None
    epoch: int | None = None
    epochs: int | None = None
    batch_size: int | None = None
    loss: float | None = None
    acc: float | None = None
    cer: float | None = None
    samples_per_s: float | None = None
    reason: str = ""
    gpus: dict[int, float] = field(default_factory=dict)  # device → utilisation in %
    _paced: tuple[float, int] | None = field(default=None, repr=False)  # time and step where this attempt's pace begins
    _now: float = field(default=0.0, repr=False)

    def begin_attempt(self) -> None:
        """The container starts (again): its pace is measured anew, and its step is unknown until it says so."""
        self.status, self.step, self.samples_per_s, self._paced = "starting", 0, None, None

    def hear(self, now: float) -> None:
        """The container has printed something that is no event: it is past its start."""
        if self.status == "starting":
            self.status = "checking data"

    def update(self, event: Event, now: float) -> None:
        """Take in one event line."""
        kind = event.get("event")
        for name in ("step", "steps", "epoch", "epochs", "batch_size", "loss", "acc", "cer", "samples_per_s", "reason"):
            if name in event:
                setattr(self, name, event[name])
        self._now = now
        if kind == "job":
            self.status = "training"
        elif kind == "resume":
            self.status = "resuming"
        elif kind == "eval":
            self.status = "training"
        elif kind == "train":
            self.status = "training"
            self._paced = self._paced or (now, self.step)
        elif kind == "phase":
            self.status = str(event.get("name"))
        elif kind == "gpu" and "device" in event and "utilization" in event:
            self.gpus[event["device"]] = event["utilization"]
        elif kind in ("interrupted", "done", "failed"):
            self.status = str(kind)

    @property
    def gpu_use(self) -> str:
        """`GPU 93 %`, the mean of all of them; empty without one."""
        return f"GPU {sum(self.gpus.values()) / len(self.gpus):.0f} %" if self.gpus else ""

    @property
    def eta_s(self) -> float | None:
        """Seconds of training left, at this attempt's own pace (evaluations included) or the trainer's figure.

        None when training is not under way: before it, and while exporting, which patience may bring on early.
        """
        if self.status not in ("training", "evaluating") or not self.steps or self.step >= self.steps:
            return None
        left = self.steps - self.step
        if self._paced and self._now > self._paced[0] and self.step > self._paced[1]:
            since, first = self._paced
            return left * (self._now - since) / (self.step - first)
        if self.samples_per_s and self.batch_size:
            return left * self.batch_size / self.samples_per_s
        return None


def describe_event(event: Event, progress: Progress) -> str:
    """One event as a line for people."""
    kind = event.get("event")
    if kind == "train":
        return join(
            f"step {progress.step}" + (f"/{progress.steps}" if progress.steps else ""),
            progress.epoch and f"epoch {progress.epoch}" + (f"/{progress.epochs}" if progress.epochs else ""),
            progress.loss is not None and f"loss {progress.loss:.4g}",
            progress.samples_per_s and f"{progress.samples_per_s:.0f} samples/s",
            progress.gpu_use,
            progress.eta_s and f"ETA {clock(progress.eta_s)}",
        )
    if kind == "eval":
        return join(
            f"evaluated at step {progress.step}",
            progress.acc is not None and f"accuracy {progress.acc:.4f}",
            progress.cer is not None and f"CER {progress.cer:.4f}",
        )
    if kind == "job":
        return join(
            f"job: {event.get('train')} training and {event.get('val')} validation samples",
            f"{event.get('steps')} steps",
            f"{event.get('epochs')} epochs",
            f"batch {event.get('batch_size')}",
        )
    if kind == "resume":
        return f"resuming from step {event.get('step')} (epoch {event.get('epoch')})"
    if kind == "checkpoint":
        return f"checkpoint at step {event.get('step')}"
    if kind == "done":
        return join(
            f"done at step {event.get('step')}",
            progress.acc is not None and f"accuracy {progress.acc:.4f}",
            progress.cer is not None and f"CER {progress.cer:.4f}",
        )
    if kind == "interrupted":
        return f"stopped at step {event.get('step')}, checkpoint published" if event.get("step") else "stopped"
    return join(str(kind), *(f"{key} {value}" for key, value in event.items() if key != "event"))


def join(*parts: str | float | None) -> str:
    """The parts that are there, with a dot between them."""
    return " · ".join(str(part) for part in parts if part)


def clock(seconds: float) -> str:
    """`1:05`, `2:03:09`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def size_text(count: int) -> str:
    """`12 kB`, `3.4 MB`, `1.2 GB`: powers of 1000, as Docker counts."""
    if count < 1000:
        return f"{count} B"
    size, unit = count / 1e3, "kB"
    for larger in ("MB", "GB"):
        if size >= 999.5:
            size, unit = size / 1000, larger
    return f"{size:.0f} {unit}" if size >= 10 else f"{size:.1f} {unit}"
