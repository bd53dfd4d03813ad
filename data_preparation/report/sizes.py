"""Section: how large the images are, and how they fit the input of the recipe."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from data_preparation.page.blocks import fact, facts
from data_preparation.page.charts import Bin, Limit, histogram, share
from data_preparation.page.document import Section
from data_preparation.page.markup import Content, Markup, element, join
from data_preparation.report.survey import SPLITS, Shot, Survey


@dataclass(frozen=True)
class Mark:
    """A value to point out among the columns of a chart."""

    value: float
    text: str


# Where one column ends and the next begins; beyond the last there is one more.
ASPECTS = (0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 10, 12, 15, 20, 30)
ENDINGS = ("png", "jpg", "jpeg", "bmp", "webp", "tif", "tiff")
HEIGHTS = (8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 128, 192, 256)


def sizes(survey: Survey) -> Section:
    """Heights, and width to height against the recipe's input."""
    shots = survey.shots
    if not shots:
        return Section("images", "Images", element("p", "No image of this dataset could be read."))
    limits = survey.verdict.limits
    height = Mark(limits.height, f"the input's {limits.height} px") if limits else None
    size = Mark(limits.width / limits.height, f"the input's {limits.width} × {limits.height}") if limits else None
    return Section(
        "images",
        "Images",
        join(
            element("p", _fit([shot.aspect for shot in shots], survey)),
            facts(_figures(shots)),
            _chart("Images by height", "pixels", HEIGHTS, _by_split(shots, lambda shot: shot.picture.height), height),
            _chart(
                "Images by width ÷ height",
                "times as wide as high",
                ASPECTS,
                _by_split(shots, lambda shot: shot.aspect),
                size,
            ),
        ),
    )


def _fit(aspects: list[float], survey: Survey) -> str:
    limits = survey.verdict.limits
    if not limits:
        return "No recipe was named, so the sizes are not compared with an input: --config RECIPE does that."
    ratio = limits.width / limits.height
    squeezed = sum(aspect > ratio for aspect in aspects)
    if not squeezed:
        return f"Every image keeps its shape in the input of {limits.width} × {limits.height} pixels."
    return (
        f"{squeezed:,} of {len(aspects):,} images ({share(squeezed, len(aspects))}) are wider than the input of"
        f" {limits.width} × {limits.height} pixels: they are squeezed, and their letters become narrow."
    )


def _figures(shots: list[Shot]) -> list[tuple[str, Content]]:
    widths = [shot.picture.width for shot in shots]
    heights = [shot.picture.height for shot in shots]
    sizes = [shot.picture.size for shot in shots]
    endings = Counter(shot.sample.image.rpartition(".")[2].lower() for shot in shots)
    kinds = [ending for ending, _ in endings.most_common() if ending in ENDINGS]
    return [
        ("Height, median", fact(f"{median(heights):,.0f} px", f"{min(heights):,} to {max(heights):,}")),
        ("Width, median", fact(f"{median(widths):,.0f} px", f"{min(widths):,} to {max(widths):,}")),
        ("File, median", fact(_bytes(median(sizes)), f"{_bytes(sum(sizes))} in all")),
        ("Kinds of files", ", ".join(kinds) or "of no known ending"),
    ]


def _bytes(size: float) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 1e6 else f"{size / 1e3:,.1f} kB"


def _by_split(shots: list[Shot], measure: Callable[[Shot], float]) -> list[list[float]]:
    return [[measure(shot) for shot in shots if shot.split == split] for split in SPLITS]


def _chart(caption: str, axis: str, ends: Sequence[float], values: list[list[float]], mark: Mark | None) -> Markup:
    """A column from each end to the next, without the empty ones at both sides."""
    counts = [Counter(bisect_right(ends, value) for value in each) for each in values]
    marked = [bisect_right(ends, mark.value)] if mark else []
    used = [*marked, *(number for each in counts for number in each)]
    first, last = min(used), max(used)
    edges = [0, *ends, math.inf]
    bins = [
        Bin(_range(edges[number], edges[number + 1]), tuple(each[number] for each in counts))
        for number in range(first, last + 1)
    ]
    limits = [Limit(_position(edges, mark.value) - first, mark.text)] if mark else []
    return histogram(caption, axis, SPLITS, bins, limits)


def _range(low: float, high: float) -> str:
    return f"{low:g}+" if high == math.inf else f"{low:g}–{high:g}"


def _position(edges: Sequence[float], value: float) -> float:
    """Where a value lies, in columns from the first edge."""
    number = bisect_right(edges, value) - 1
    low, high = edges[number], edges[number + 1]
    return number + ((value - low) / (high - low) if high < math.inf else 0.5)
