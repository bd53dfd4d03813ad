"""Curves as inline SVG: points over steps, with a text alternative and the figures as a table.

Drawn in a box that is stretched to the width of the page, while lines keep their thickness and words their size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from data_preparation.page.markup import Content, Markup, element
from data_preparation.page.tables import Column, table

WIDE, HIGH = 1000, 180  # units of the box; across it is stretched, its height is in pixels
COLUMNS = 250  # of a line that are drawn, each by its ends, lowest and highest point
DOTS = 40  # points up to which each gets a dot
ROWS = 100  # of the table
DECADE = (1.0, 2.0, 5.0)

Point = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """One line: its name, and its points from left to right. A value that is no number leaves a gap."""

    name: str
    points: Sequence[Point]


@dataclass(frozen=True)
class Mark:
    """Upright lines at some places, and what they say."""

    text: str
    at: Sequence[float]


@dataclass(frozen=True)
class Scale:
    """From values to places from the bottom (0) to the top (1)."""

    low: float
    high: float
    is_log: bool

    def place(self, value: float) -> float | None:
        """None: it has no place."""
        if not math.isfinite(value) or (self.is_log and value <= 0):
            return None
        if self.is_log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        """Round values that lie on it."""
        return _decades(self.low, self.high) if self.is_log else _steps(self.low, self.high)


def curves(
    caption: str,
    axis: str,
    lines: Sequence[Line],
    mark: Mark | None = None,
    *,
    form: Callable[[float], str],
    top: float = 0,
    is_log: bool = False,
) -> Markup:
    """At most two lines over one axis, the second one dashed.

    axis: what the points are ordered by, such as "step". form: a value in words. top: a value that has a place.
    """
    last = max((x for line in lines for x, _ in line.points), default=0) or 1
    across = Scale(0, last, is_log=False)
    upright = _scale([top, *(y for line in lines for _, y in line.points)], is_log=is_log)
    marks = list(mark.at) if mark else []
    said = "; ".join([f"{caption}", *(_said(line, axis, form) for line in lines if line.points)])
    said += f"; {mark.text} at {axis} {', '.join(f'{x:,.0f}' for x in marks)}" if mark and marks else ""
    drawing = element(
        "svg",
        *(_drawn(line, number, across, upright) for number, line in enumerate(lines, start=1)),
        viewBox=f"0 0 {WIDE} {HIGH}",
        preserveAspectRatio="none",
        width="100%",
        height=HIGH,
    )
    svg = element(
        "svg",
        *(_level(value, upright, form) for value in upright.ticks()),
        *(_tick(value, across) for value in across.ticks()),
        *(_mark(x, across, mark.text, axis) for x in marks if mark),
        drawing,
        class_="curves",
        role="img",
        aria_label=said,
        width="100%",
        height=HIGH + 24,
    )
    return element(
        "figure",
        element("figcaption", caption),
        _legend(lines, mark if marks else None),
        svg,
        element("p", axis, class_="axis-name"),
        _figures(caption, axis, lines, form),
    )


def _scale(values: Sequence[float], *, is_log: bool) -> Scale:
    known = [value for value in values if math.isfinite(value) and (value > 0 or not is_log)]
    if is_log:
        low, high = min(known, default=1.0), max(known, default=10.0)
        return Scale(low / 1.1, high * 1.1, is_log=True)
    low, high = min(0.0, *known, 0.0), max(known, default=1.0)
    return Scale(low, high if high > low else low + 1, is_log=False)


def _drawn(line: Line, number: int, across: Scale, upright: Scale) -> Markup:
    places = [(across.place(x), upright.place(y)) for x, y in line.points]
    pieces: list[list[Point]] = [[]]
    for x, y in places:
        if x is None or y is None:
            pieces.append([])
        else:
            pieces[-1].append((x * WIDE, (1 - y) * HIGH))
    path = "".join(_path(_thinned(piece)) for piece in pieces if piece)
    dots = "".join(f"M{x:.1f},{y:.1f}h0" for piece in pieces for x, y in piece) if len(places) <= DOTS else ""
    return element(
        "g",
        element("path", class_=f"line-{number}", d=path or None),
        element("path", class_=f"line-{number} dots", d=dots) if dots else None,
    )


def _path(points: Sequence[Point]) -> str:
    (x, y), *others = points
    return f"M{x:.1f},{y:.1f}" + ("".join(f"L{x:.1f},{y:.1f}" for x, y in others) or "h0")


def _thinned(points: Sequence[Point]) -> list[Point]:
    """Enough of many points to look the same: of each column the first, the lowest, the highest and the last."""
    if len(points) <= 4 * COLUMNS:
        return list(points)
    columns: dict[int, list[Point]] = {}
    for point in points:
        columns.setdefault(int(point[0] / WIDE * COLUMNS), []).append(point)
    kept: list[Point] = []
    for column in columns.values():
        lowest, highest = min(column, key=lambda each: each[1]), max(column, key=lambda each: each[1])
        kept += sorted({column[0], lowest, highest, column[-1]})
    return kept


def _level(value: float, upright: Scale, form: Callable[[float], str]) -> Markup | None:
    place = upright.place(value)
    if place is None:
        return None
    y = (1 - place) * HIGH
    line = element("line", class_="level", x1="0", x2="100%", y1=f"{y:.1f}", y2=f"{y:.1f}")
    return element("g", line, element("text", form(value), class_="level-name", x=-8, y=f"{y + 4:.1f}"))


def _tick(value: float, across: Scale) -> Markup:
    x = f"{100 * (across.place(value) or 0):.3f}%"
    return element("text", f"{value:,.0f}", class_="tick", x=x, y=HIGH + 18)


def _mark(at: float, across: Scale, text: str, axis: str) -> Markup:
    x = f"{100 * min(1.0, across.place(at) or 0):.3f}%"
    title = element("title", f"{text} at {axis} {at:,.0f}")
    return element("line", title, class_="mark-line", x1=x, x2=x, y1=0, y2=HIGH)


def _legend(lines: Sequence[Line], mark: Mark | None) -> Markup:
    def entry(class_: str, name: str) -> Markup:
        sample = element("svg", element("path", class_=class_, d="M1,7h26"), width=28, height=14, aria_hidden="true")
        return element("span", sample, name)

    entries = [entry(f"line-{number}", line.name) for number, line in enumerate(lines, start=1)]
    return element("p", *entries, entry("mark-line", mark.text) if mark else None, class_="legend")


def _said(line: Line, axis: str, form: Callable[[float], str]) -> str:
    known = [(x, y) for x, y in line.points if math.isfinite(y)]
    if not known:
        return f"{line.name}: no number"
    (first, began), (last, ended) = known[0], known[-1]
    low, high = min(y for _, y in known), max(y for _, y in known)
    course = f"{line.name} {form(began)} at {axis} {first:,.0f}, {form(ended)} at {axis} {last:,.0f}"
    return f"{course}, lowest {form(low)}, highest {form(high)}"


def _figures(caption: str, axis: str, lines: Sequence[Line], form: Callable[[float], str]) -> Markup:
    """Evenly chosen rows, the first and the last among them."""
    known = [dict(line.points) for line in lines]
    places = sorted({x for each in known for x in each})
    every = max(1, -(-len(places) // ROWS))
    shown = [*places[::every], *(places[-1:] if (len(places) - 1) % every else [])]
    rows: list[list[Content]] = [[f"{x:,.0f}", *(form(each[x]) if x in each else "–" for each in known)] for x in shown]
    columns = [Column(axis, number=True), *(Column(line.name, number=True) for line in lines)]
    part = f", {len(shown):,} of {len(places):,}" if every > 1 else ""
    summary = element("summary", f"The figures{part}")
    return element("details", summary, table(f"{caption}: the figures", columns, rows))


def _steps(low: float, high: float) -> list[float]:
    """About four round values from low to high."""
    rough = (high - low) / 4
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next((unit * factor for factor in (1, 2, 2.5, 5, 10) if unit * factor >= rough), unit * 10)
    first = math.ceil(low / step)
    return [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]


def _decades(low: float, high: float) -> list[float]:
    """Powers of ten; their double and fivefold too where there are few."""
    found = list(_between(low, high, DECADE))
    return found if len(found) <= 5 else list(_between(low, high, DECADE[:1]))


def _between(low: float, high: float, factors: Sequence[float]) -> Iterator[float]:
    for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1):
        yield from (factor * 10.0**power for factor in factors if low <= factor * 10.0**power <= high)
