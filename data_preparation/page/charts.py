"""Charts as inline SVG: sizes in per cent across, so that a narrow page squeezes the bars and never the words.

Each comes with its figures as a table, and tells its series apart by pattern, not by colour alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from data_preparation.page.markup import Content, Markup, element, join
from data_preparation.page.tables import Column, table

HEIGHT = 140  # pixels of the columns
TICKS = 36  # characters of the labels below a histogram, at most: what 300 pixels hold


@dataclass(frozen=True)
class Bin:
    """One column of a histogram: what it holds, and a count for each series."""

    label: str
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Limit:
    """An upright line in a histogram, so many columns from the left, and what it says."""

    at: float
    text: str


@dataclass(frozen=True)
class Bar:
    """One row of a bar chart: its name and the count."""

    label: Markup | str
    count: int


@dataclass(frozen=True)
class Rate:
    """One row of a chart of shares: its name, how many of the whole, and a figure beside it."""

    label: Markup | str
    part: int
    whole: int
    beside: str = ""


def histogram(
    caption: str, axis: str, series: Sequence[str], bins: Sequence[Bin], limits: Sequence[Limit] = ()
) -> Markup:
    """Stacked columns with a legend, and the figures below.

    axis: what the columns are told apart by, such as "code points". At most two series.
    """
    highest = max((sum(each.counts) for each in bins), default=0) or 1
    width = 100 / max(1, len(bins))
    drawn = [element("line", class_="axis", x1="0", x2="100%", y1=HEIGHT, y2=HEIGHT)]
    for number, each in enumerate(bins):
        drawn.append(_column(each, series, number * width, width, highest, axis))
    drawn += [_tick(bins, number, width) for number in _ticks(bins)]
    drawn += [_limit(limit, width) for limit in limits]
    peak = max(bins, key=lambda each: sum(each.counts), default=None)
    said = f"{caption}: {len(bins)} columns, most at {peak.label} {axis} ({sum(peak.counts):,})" if peak else caption
    said += "".join(f"; {limit.text}" for limit in limits)
    svg = element("svg", *drawn, class_="histogram", role="img", aria_label=said, height=HEIGHT + 44, width="100%")
    rows: list[list[Content]] = [[each.label, *each.counts] for each in bins if any(each.counts)]
    columns = [Column(axis, number=True), *(Column(name, number=True) for name in series)]
    return element(
        "figure",
        element("figcaption", caption),
        _legend(series) if len(series) > 1 else None,
        svg,
        element("p", axis, class_="axis-name"),
        element("details", element("summary", "The figures"), table(f"{caption}: the figures", columns, rows)),
    )


def bars(caption: str, heading: str, rows: Sequence[Bar]) -> Markup:
    """A bar for each row, in a table: name, count and share stand beside it."""
    total = sum(row.count for row in rows) or 1
    most = max((row.count for row in rows), default=0) or 1
    body = [
        element(
            "tr",
            element("th", row.label, scope="row"),
            element("td", _bar(row.count / most), class_="bar"),
            element("td", row.count, class_="number"),
            element("td", share(row.count, total), class_="number quiet"),
        )
        for row in rows
    ]
    head = element(
        "tr",
        element("th", heading, scope="col"),
        element("td", ""),
        element("th", "Count", scope="col", class_="number"),
        element("th", "Share", scope="col", class_="number"),
    )
    return element(
        "figure",
        element("figcaption", caption),
        element(
            "table", element("thead", head, class_="unseen"), element("tbody", *body), class_="bars", aria_label=caption
        ),
    )


def rates(caption: str, heading: str, what: str, rows: Sequence[Rate], beside: str = "") -> Markup:
    """A bar for the share in each row, which stands beside it, with the counts. what: of which it is the share."""
    body = [
        element(
            "tr",
            element("th", row.label, scope="row"),
            element("td", _bar(row.part / row.whole if row.whole else 0), class_="bar"),
            element("td", share(row.part, row.whole), class_="number"),
            element("td", f"{row.part:,} of {row.whole:,}", class_="number quiet"),
            element("td", row.beside, class_="number") if beside else None,
        )
        for row in rows
    ]
    head = element(
        "tr",
        element("th", heading, scope="col"),
        element("td", ""),
        element("th", what, scope="col", class_="number"),
        element("th", "Counts", scope="col", class_="number"),
        element("th", beside, scope="col", class_="number") if beside else None,
    )
    whole = element("table", element("thead", head), element("tbody", *body), class_="bars", aria_label=caption)
    scrolling = element("div", whole, class_="sideways", role="region", aria_label=caption, tabindex=0)
    return element("figure", element("figcaption", caption), scrolling)


def share(part: float, whole: float) -> str:
    """A share in per cent that never rounds something to nothing, nor almost all to all."""
    per_cent = 100 * part / whole if whole else 0.0
    if 0 < per_cent < 0.1:
        return "< 0.1 %"
    if 99.9 < per_cent < 100:
        return "> 99.9 %"
    return f"{per_cent:.1f} %".replace(".0 %", " %")


def _column(each: Bin, series: Sequence[str], x: float, width: float, highest: int, axis: str) -> Markup:
    counted = ", ".join(f"{name} {count:,}" for name, count in zip(series, each.counts, strict=True))
    pieces = [element("title", f"{each.label} {axis}: {counted}")]
    top = float(HEIGHT)
    for number, count in enumerate(each.counts):
        tall = max(1.0, count / highest * (HEIGHT - 24)) if count else 0.0
        top -= tall
        place = {"x": _per_cent(x + width * 0.08), "width": _per_cent(width * 0.84)}
        pieces.append(element("rect", class_=f"series-{number + 1}", y=_px(top), height=_px(tall), **place))
        if number:  # stripes tell the second series from the first
            pieces.append(element("rect", fill="url(#stripes)", y=_px(top), height=_px(tall), **place))
    return element("g", *pieces)


def _ticks(bins: Sequence[Bin]) -> range:
    longest = max((len(each.label) for each in bins), default=1)
    return range(0, len(bins), max(1, -(-len(bins) * (longest + 1) // TICKS)))


def _tick(bins: Sequence[Bin], number: int, width: float) -> Markup:
    return element("text", bins[number].label, class_="tick", x=_per_cent((number + 0.5) * width), y=HEIGHT + 18)


def _limit(limit: Limit, width: float) -> Markup:
    x = min(100.0, limit.at * width)
    right = x > 50  # the words stand on the side that has room
    return join(
        element("line", class_="limit", x1=_per_cent(x), x2=_per_cent(x), y1=4, y2=HEIGHT),
        element(
            "text",
            limit.text,
            class_="limit-name end" if right else "limit-name",
            x=_per_cent(x),
            dx=-6 if right else 6,
            y=14,
        ),
    )


def _bar(part: float) -> Markup:
    rect = element("rect", class_="series-1", width=_per_cent(max(0.5, 100 * part) if part else 0), height="100%", rx=2)
    return element("svg", rect, aria_hidden="true", width="100%", height=12)


def _legend(series: Sequence[str]) -> Markup:
    def swatch(number: int) -> Markup:
        stripes = element("rect", fill="url(#stripes)", width=14, height=14) if number else None
        whole = element("rect", class_=f"series-{number + 1}", width=14, height=14)
        return element("svg", whole, stripes, width=14, height=14, aria_hidden="true")

    return element("p", *(element("span", swatch(number), name) for number, name in enumerate(series)), class_="legend")


def _per_cent(value: float) -> str:
    return f"{value:.3f}%"


def _px(value: float) -> str:
    return f"{value:.1f}"
