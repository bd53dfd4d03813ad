"""The live view of a job: a bar on a terminal, curves in a notebook's cell, plain lines anywhere else."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from contract.events import parse_event
from contract.streams import people
from launcher.progress import Event, Progress, clock, describe_event
from launcher.terminal import bar_with_figures, in_notebook, print_above

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

TRAIN_LINE_EVERY_S = 10.0
TAIL = 20  # lines of the container that a terminal shows, if it has not yet, when the job did not go well
_IMPORTANT = ("error:", "warning:")
_SILENT = ("phase", "failed", "gpu")  # the bar, the summary and the lines of training say them


class PlainView:
    """Lines: the container's own as they are, events in words, training steps about every ten seconds."""

    def __init__(self, stream: TextIO) -> None:
        self.progress = Progress()
        self._stream = stream
        self._next_train_line = 0.0

    def recall(self, log: Path) -> None:
        """job.log, where the run has one from earlier starts. Lines and bars begin anew."""

    def begin_attempt(self) -> None:
        """The container starts, or starts again."""
        self.progress.begin_attempt()

    def line(self, text: str, at: float | None = None) -> Event | None:
        """Show one line of the container and return its event, if it is one.

        `at`: the time in seconds at which it was written, when that is not now.
        """
        now = time.monotonic() if at is None else at
        event = event_of(text)
        if event is None:
            self.progress.hear(now)
            self._show_other(text)
            return None
        self.progress.update(event, now)
        self._show_event(event, now)
        return event

    def say(self, text: str) -> None:
        """A line of the launcher itself."""
        self._print(text)

    def set_status(self, status: str) -> None:
        """What happens now that no event line tells."""
        self.progress.status = status

    def close(self, *, well: bool) -> None:
        """The job is over."""

    def _show_other(self, text: str) -> None:
        self._print(text)

    def _show_event(self, event: Event, now: float) -> None:
        if event.get("event") in _SILENT:
            return
        if event.get("event") == "train":
            if now < self._next_train_line:
                return
            self._next_train_line = now + TRAIN_LINE_EVERY_S
        self._print(describe_event(event, self.progress))

    def _print(self, text: str) -> None:
        print(text, file=self._stream, flush=True)


class LiveView(PlainView):
    """What is drawn anew with every event; as lines only those that matter, the rest is in job.log."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._tail: deque[str] = deque(maxlen=TAIL)

    def begin_attempt(self) -> None:
        super().begin_attempt()
        self._draw()

    def set_status(self, status: str) -> None:
        super().set_status(status)
        self._draw()

    def close(self, *, well: bool) -> None:
        if not well:
            for text in self._tail:
                self._print(text)

    def _show_other(self, text: str) -> None:
        if text.startswith(_IMPORTANT):
            self._print(text)
        else:
            self._tail.append(text)
        self._draw()

    def _show_event(self, event: Event, now: float) -> None:
        if event.get("event") not in ("train", "checkpoint", *_SILENT):
            self._print(describe_event(event, self.progress))
        self._draw()

    def _draw(self) -> None:
        """Show where the job stands."""
        raise NotImplementedError


class TerminalView(LiveView):
    """A bar that stays at the bottom, below the lines."""

    def __init__(self, stream: TextIO, bar: Bar) -> None:
        super().__init__(stream)
        self._bar = bar
        self._task = bar.add_task("starting", total=None, figures="")

    def _draw(self) -> None:
        state = self.progress
        self._bar.update(
            self._task, description=state.status, completed=state.step, total=state.steps, figures=figures(state)
        )

    def _print(self, text: str) -> None:
        print_above(self._bar, text)


def event_of(text: str) -> Event | None:
    """The event of a line. A line that SIGKILL has torn in the middle of a number is none."""
    event = parse_event(text)
    return event if event and isinstance(event.get("step", 0), int) else None


def figures(state: Progress) -> str:
    """The figures beside the bar."""
    parts = [
        f"step {state.step}/{state.steps}" if state.steps else "",
        f"epoch {state.epoch}/{state.epochs}" if state.epoch and state.epochs else "",
        f"loss {state.loss:.3g}" if state.loss is not None else "",
        f"acc {state.acc:.3f}" if state.acc is not None else "",
        f"CER {state.cer:.3f}" if state.cer is not None else "",
        f"{state.samples_per_s:.0f}/s" if state.samples_per_s else "",
        state.gpu_use,
        f"ETA {clock(state.eta_s)}" if state.eta_s else "",
    ]
    return "  ".join(part for part in parts if part)


@contextmanager
def follow(stream: TextIO | None = None) -> Iterator[PlainView]:
    """The view that suits the place: a terminal (stderr) gets the bar, a notebook the curves."""
    stream = stream or people()
    if in_notebook():
        from launcher.notebook_view import CellView

        yield CellView(stream)
        return
    with bar_with_figures(stream) as bar:
        yield TerminalView(stream, bar) if bar else PlainView(stream)
