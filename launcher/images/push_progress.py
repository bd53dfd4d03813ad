"""How far a push is, folded from the engine's messages, and shown: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

from contract.streams import people
from launcher.progress import size_text
from launcher.terminal import bar_with_figures, print_above

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

Message = dict[str, Any]

LINE_EVERY_S = 10.0
_THERE = ("Layer already exists", "Mounted from")
_PUSHED = "Pushed"
_AGAIN = "Retrying"


@dataclass
class Layer:
    """One layer, as far as the engine has said. Bytes are before compression where the engine compresses itself."""

    status: str = ""
    sent: int = 0  # bytes
    size: int = 0  # bytes; 0: not said yet

    @property
    def is_done(self) -> bool:
        return self.status == _PUSHED or self.is_there

    @property
    def is_there(self) -> bool:
        """The registry had it before."""
        return self.status.startswith(_THERE)


@dataclass
class PushProgress:
    """What is known of a push so far."""

    layers: dict[str, Layer] = field(default_factory=dict)

    def update(self, message: Message) -> str:
        """Take in one message. Returns a line worth telling, or nothing."""
        name, status = message.get("id"), str(message.get("status", ""))
        if not name:
            return ""
        layer = self.layers.setdefault(str(name), Layer())
        before, layer.status = layer.status, status
        detail = message.get("progressDetail") or {}
        layer.sent = max(layer.sent, int(detail.get("current") or 0))
        layer.size = max(layer.size, int(detail.get("total") or 0))
        if status.startswith(_AGAIN):  # the engine counts the seconds down, message by message
            layer.sent = 0
            return "" if before.startswith(_AGAIN) else f"layer {name} failed: {status.lower()}"
        if layer.is_done and status != before:
            if layer.is_there:
                return f"layer {self.done}/{len(self.layers)} {name}: there already"
            return f"layer {self.done}/{len(self.layers)} {name}: pushed, {size_text(layer.sent)}"
        return ""

    @property
    def done(self) -> int:
        return sum(layer.is_done for layer in self.layers.values())

    @property
    def sent(self) -> int:
        return sum(layer.sent for layer in self.layers.values())

    @property
    def size(self) -> int:
        """Bytes of the layers that have begun."""
        return sum(max(layer.size, layer.sent) for layer in self.layers.values())


class PlainPushView:
    """A line per finished layer, and one about every ten seconds between them."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._began = time.monotonic()
        self._next_line = self._began + LINE_EVERY_S
        self.progress = PushProgress()

    def begin_try(self) -> None:
        """The push starts, or starts again: layers that have arrived will say so."""
        self._began = time.monotonic()
        self.progress = PushProgress()

    def show(self, message: Message) -> None:
        """One message of the engine."""
        line, now = self.progress.update(message), time.monotonic()
        if not line and now >= self._next_line:
            line = f"pushing: {figures(self.progress, now - self._began)}"
        if line:
            self.say(line)
            self._next_line = now + LINE_EVERY_S

    def say(self, text: str) -> None:
        """A line of the launcher itself."""
        print(text, file=self._stream, flush=True)


class TerminalPushView(PlainPushView):
    """A bar that stays at the bottom; above it only what went wrong."""

    def __init__(self, stream: TextIO, bar: Bar) -> None:
        super().__init__(stream)
        self._bar = bar
        self._task = bar.add_task("pushing", total=None, figures="")

    def show(self, message: Message) -> None:
        line = self.progress.update(message)
        if " failed: " in line:
            self.say(line)
        state = self.progress
        text = figures(state, time.monotonic() - self._began)
        done, total = (state.sent, state.size) if state.size else (state.done, len(state.layers))
        self._bar.update(self._task, completed=done, total=total or None, figures=text)

    def say(self, text: str) -> None:
        print_above(self._bar, text)


@contextmanager
def follow_push(stream: TextIO | None = None) -> Iterator[PlainPushView]:
    """The view that suits the stream (stderr): a terminal gets the bar."""
    stream = stream or people()
    with bar_with_figures(stream) as bar:
        yield TerminalPushView(stream, bar) if bar else PlainPushView(stream)


def figures(state: PushProgress, seconds: float) -> str:
    """`3/7 layers  512 MB of 1.9 GB  23 MB/s`."""
    parts = [f"{state.done}/{len(state.layers)} layers"]
    if state.sent:
        parts.append(f"{size_text(state.sent)} of {size_text(state.size)}")
        if seconds >= 1:
            parts.append(f"{size_text(round(state.sent / seconds))}/s")
    return "  ".join(parts)
