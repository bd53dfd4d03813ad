"""The live view of a job in a notebook's cell: a bar, the figures, the curve. Pictures and text: no widgets."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from data_preparation.page.markup import element
from launcher.cloud.curve import Heard, join_curve
from launcher.follow import LiveView, figures
from launcher.progress import Event
from launcher.run_report.job_log import read_job_log

if TYPE_CHECKING:
    from IPython.display import DisplayHandle

WORDS_EVERY_S = 0.5
PICTURE_EVERY_S = 3.0
DRAWING_SHARE = 0.02  # of one core: a picture takes some 0.2 s, and the training may be on this machine
WIDTH = 800  # pixels of the picture in the page
NOW = "now"  # the name of this start among those of the curve
MONOSPACE = "font-family: monospace"


class CellView(LiveView):
    """Two displays at the top of the cell that change, and lines below them."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._heard: list[Heard] = []
        self._attempt = 0
        self._drawn = 0  # events in the picture
        self._words_at = self._picture_at = 0.0  # when the next is due
        self._words = self._show(None, self._in_words())
        self._picture = self._show(None, {"text/plain": ""})

    def recall(self, log: Path) -> None:
        """The curve goes on where an earlier start has left it."""
        if log.exists():
            self._heard = [*read_job_log(log).heard]

    def begin_attempt(self) -> None:
        super().begin_attempt()
        self._attempt += 1
        self._draw()

    def set_status(self, status: str) -> None:
        super().set_status(status)
        self._draw()

    def close(self, *, well: bool) -> None:
        super().close(well=well)
        self.progress.status = "done" if well else self.progress.status
        self._words_at = self._picture_at = 0.0
        self._draw()

    def hear(self, event: Event | None, at: datetime) -> None:
        """Keep what the curve is made of."""
        if event is not None:
            self._heard.append(Heard(event, NOW, str(self._attempt), at))

    def words(self) -> tuple[str, ...]:
        """What is said above the curve, line by line; an empty one is left out."""
        return self.progress.status, figures(self.progress)

    def _show_event(self, event: Event, now: float) -> None:
        self.hear(event, datetime.now(timezone.utc))
        super()._show_event(event, now)

    def _draw(self) -> None:
        now = time.monotonic()
        if now >= self._words_at:
            self._words_at = now + WORDS_EVERY_S
            self._show(self._words, self._in_words())
        if now >= self._picture_at and len(self._heard) > self._drawn:
            self._draw_curve()

    def _draw_curve(self) -> None:
        from launcher.cloud.plot import draw_curve

        began = time.thread_time()
        curve = join_curve(self._heard)
        if not curve.rows:
            return
        size = {"image/png": {"width": WIDTH}}
        self._show(self._picture, {"image/png": draw_curve(curve, ""), "text/plain": "the curve"}, size)
        self._drawn = len(self._heard)
        cost = time.thread_time() - began
        self._picture_at = time.monotonic() + max(PICTURE_EVERY_S, cost / DRAWING_SHARE)

    def _in_words(self) -> dict[str, str]:
        state, lines = self.progress, [line for line in self.words() if line]
        bar = element("progress", max=state.steps or 1, value=state.step, style="width: 20em; margin-right: 1em")
        page = element("div", bar, *lines[:1], *(element("div", line) for line in lines[1:]), style=MONOSPACE)
        return {"text/html": page, "text/plain": "  ".join(lines)}

    def _show(
        self, place: DisplayHandle | None, data: dict[str, Any], metadata: dict[str, Any] | None = None
    ) -> DisplayHandle:
        """Put something into its place; None makes one."""
        from IPython.display import display

        if place is None:
            return display(data, raw=True, display_id=True)
        place.update(data, raw=True, metadata=metadata or {})
        return place
