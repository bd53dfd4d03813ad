"""The curve of a run as a PNG: loss above, accuracy and CER below, a dashed line where it was resumed.

Drawn with Pillow, which the data tools need anyway; a plotting library would weigh more than all of the launcher.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from launcher.cloud.curve import Curve

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

Point = tuple[float, float]

SIZE = (1200, 800)  # pixels
FINER = 3  # drawn so many times larger, then scaled down: smooth lines
LEFT, RIGHT, TOP, BETWEEN, BOTTOM = 84, 32, 78, 60, 56
INK, FAINT, GRID, RESUMED = "#1f2933", "#616e7c", "#e4e7eb", "#9aa5b1"
LOSS, ACCURACY, CER = "#2563eb", "#15803d", "#c2410c"
TEXT, TITLE = 15, 20  # pixels


@dataclass(frozen=True)
class Series:
    """One line of a panel."""

    name: str
    colour: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Panel:
    """A system of axes on the page, in pixels, and the values that its borders mean."""

    box: tuple[float, float, float, float]  # left, top, right, bottom
    x: tuple[float, float]
    y: tuple[float, float]

    def place(self, point: Point) -> Point:
        left, top, right, bottom = self.box
        across = (point[0] - self.x[0]) / (self.x[1] - self.x[0])
        up = (point[1] - self.y[0]) / (self.y[1] - self.y[0])
        return left + across * (right - left), bottom - up * (bottom - top)


def draw_curve(curve: Curve, run: str) -> bytes:
    """The picture as PNG."""
    from PIL import Image, ImageDraw

    page = Image.new("RGB", (SIZE[0] * FINER, SIZE[1] * FINER), "white")
    pen = Pen(ImageDraw.Draw(page))
    loss = Series("loss", LOSS, points_of(curve, "loss"))
    scores = [Series("accuracy", ACCURACY, points_of(curve, "acc")), Series("CER", CER, points_of(curve, "cer"))]
    end = max(curve.rows[-1]["step"], 1)
    middle = (TOP + SIZE[1] - BOTTOM) / 2
    upper = (LEFT, TOP, SIZE[0] - RIGHT, middle - BETWEEN / 2)
    lower = (LEFT, middle + BETWEEN / 2, SIZE[0] - RIGHT, SIZE[1] - BOTTOM)
    pen.text((LEFT, 20), run, INK, TITLE)
    pen.text((SIZE[0] - RIGHT, 24), describe_best(curve), FAINT, TEXT, anchor="ra")
    pen.panel(Panel(upper, (0, end), span(loss.points)), [loss], curve.resumed)
    highest = span(scores[1].points)[1] if _above_one(scores) else 1.0
    pen.panel(Panel(lower, (0, end), (0.0, highest)), scores, curve.resumed)
    pen.text(((LEFT + SIZE[0] - RIGHT) / 2, SIZE[1] - 26), "step", FAINT, TEXT, anchor="ma")
    out = io.BytesIO()
    page.resize(SIZE, Image.Resampling.LANCZOS).save(out, "PNG", optimize=True)
    return out.getvalue()


def points_of(curve: Curve, name: str) -> tuple[Point, ...]:
    """What was measured, as long as it is a number."""
    rows = [(row["step"], row.get(name)) for row in curve.rows]
    return tuple((float(step), float(value)) for step, value in rows if value is not None and math.isfinite(value))


def describe_best(curve: Curve) -> str:
    """The best score, for the corner of the picture."""
    best = curve.best
    if best is None:
        return ""
    cer = f" · CER {best['cer']:.4f}" if best.get("cer") is not None else ""
    return f"best: accuracy {best['acc']:.4f}{cer} at step {best['step']}"


def span(points: Sequence[Point]) -> tuple[float, float]:
    """From 0 to a round number above all but the first steps' outliers."""
    values = sorted(value for _, value in points)
    if not values:
        return 0.0, 1.0
    top = min(values[-1], 3 * values[int(0.95 * (len(values) - 1))])
    return min(0.0, values[0]), ticks(0.0, top or 1.0)[-1]


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers from `low` to at least `high`."""
    rough = (high - low) / about
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= rough * 0.999)
    count = math.ceil((high - low) / step - 1e-9)
    return [low + number * step for number in range(count + 1)]


def _above_one(scores: Sequence[Series]) -> bool:
    """A CER may be: more edits than characters."""
    return any(value > 1 for series in scores for _, value in series.points)


class Pen:
    """Draws in pixels of the finished picture."""

    def __init__(self, draw: ImageDraw) -> None:
        self._draw = draw

    def panel(self, panel: Panel, lines: Sequence[Series], resumed: Sequence[int]) -> None:
        left, top, right, bottom = panel.box
        for value in ticks(*panel.y):
            if value <= panel.y[1] * 1.0001:
                _, height = panel.place((0, value))
                self.line([(left, height), (right, height)], GRID, 1)
                self.text((left - 10, height), f"{value:g}", FAINT, TEXT, anchor="rm")
        for value in ticks(*panel.x, about=8):
            if value <= panel.x[1]:
                across, _ = panel.place((value, 0))
                self.line([(across, bottom), (across, bottom + 5)], FAINT, 1)
                self.text((across, bottom + 9), f"{value:,.10g}", FAINT, TEXT, anchor="ma")
        for step in resumed:
            across, _ = panel.place((step, 0))
            self.dashes(across, top, bottom)
        for line in lines:
            self.curve(panel, line)
        self.line([(left, bottom), (right, bottom)], FAINT, 1)
        self._legend(panel, lines, bool(resumed))

    def curve(self, panel: Panel, line: Series) -> None:
        _, top, _, _ = panel.box
        placed = [(x, max(y, top)) for x, y in map(panel.place, line.points)]
        if len(placed) > 1:
            self.line(placed, line.colour, 2)
        if len(placed) <= 60:
            for point in placed:
                self.dot(point, line.colour)

    def dashes(self, across: float, top: float, bottom: float) -> None:
        for start in range(int(top), int(bottom), 10):
            self.line([(across, start), (across, min(start + 5, bottom))], RESUMED, 1)

    def dot(self, point: Point, colour: str) -> None:
        x, y = point[0] * FINER, point[1] * FINER
        reach = 3 * FINER
        self._draw.ellipse((x - reach, y - reach, x + reach, y + reach), fill=colour)

    def line(self, points: Sequence[Point], colour: str, width: float) -> None:
        scaled = [(x * FINER, y * FINER) for x, y in points]
        self._draw.line(scaled, fill=colour, width=int(width * FINER), joint="curve")

    def text(self, place: Point, text: str, colour: str, size: int, anchor: str = "la") -> None:
        from PIL import ImageFont

        font = ImageFont.load_default(size * FINER)
        self._draw.text((place[0] * FINER, place[1] * FINER), text, fill=colour, font=font, anchor=anchor)

    def _legend(self, panel: Panel, lines: Sequence[Series], has_resumed: bool) -> None:
        from PIL import ImageFont

        _, top, right, _ = panel.box
        font = ImageFont.load_default(TEXT)
        names = [(line.name, line.colour) for line in lines] + ([("resumed", RESUMED)] if has_resumed else [])
        across = right
        for name, colour in reversed(names):
            across -= font.getlength(name)
            self.text((across, top - 12), name, INK, TEXT, anchor="lm")
            across -= 26
            self.line([(across, top - 12), (across + 18, top - 12)], colour, 3)
            across -= 22
