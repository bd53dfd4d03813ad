"""What the readers of page annotations have in common."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contract.dataset import Problem
from contract.errors import UserError
from data_preparation.regions import Polygon, Region
from data_preparation.sources.entries import BadSample
from data_preparation.text_files import beginning, read_text_file
from data_preparation.wording import counted

ILLEGIBLE = ("###", "*")  # texts that mean "nobody can read this", to ICDAR and to PaddleOCR's text detection

MAX_JSON = 40_000_000  # bytes of a file, some 300 MB once parsed; LabelMe's may hold the page itself

_REASON = re.compile(r"(?::(?P<line>\d+):)? ?(?P<message>.*?): (?P<remedy>.*)", re.DOTALL)  # of a UserError

_HEAD = 65_536  # bytes of a file by which its format is told: a page's line of a Label.txt is rarely longer


@dataclass(frozen=True)
class Reading:
    """What somebody said about annotations: which texts of them, in which columns, in which encoding."""

    level: str  # one of LEVELS
    columns: str | None = None  # as --columns has them; None: found by their names
    encoding: str | None = None  # of texts that are not UTF-8


@dataclass
class Accepted:
    """What was accepted in many files, told once for all that have it."""

    counts: Counter[str] = field(default_factory=Counter)

    def add(self, file: Path, notes: Iterable[str]) -> None:
        self.counts.update(note.removeprefix(file.name) for note in notes)

    def notes(self, noun: str) -> list[str]:
        return [f"{counted(count, noun)}:{note}" for note, count in self.counts.items()]


def as_polygon(points: Any) -> Polygon:
    """A JSON list of [x, y] as points. Raises BadSample for anything else; what the numbers are is checked later."""
    try:
        return tuple((float(x), float(y)) for x, y in points)
    except (TypeError, ValueError, OverflowError):
        raise BadSample("format", "its points are not a list of [x, y]", "correct the annotation") from None


def upright_box(points: Polygon) -> Polygon:
    """The upright rectangle around the points, moved outwards to whole pixels, so that cutting it blurs nothing."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    if not all(map(math.isfinite, xs + ys)):
        return points  # refused where all regions are checked
    left, top, right, bottom = math.floor(min(xs)), math.floor(min(ys)), math.ceil(max(xs)), math.ceil(max(ys))
    return ((left, top), (right, top), (right, bottom), (left, bottom))


def from_top_left(polygon: Polygon) -> Polygon:
    """A quadrilateral drawn from any corner, either way round, as text that runs to the right: clockwise from the
    corner whose next side points to the right the most. Other polygons stay as they are.
    """
    if len(polygon) != 4 or not all(math.isfinite(number) for point in polygon for number in point):
        return polygon
    area = sum(polygon[i - 1][0] * polygon[i][1] - polygon[i][0] * polygon[i - 1][1] for i in range(4))
    if area < 0:
        polygon = polygon[::-1]
    starts = [polygon[i:] + polygon[:i] for i in range(4)]
    return max(starts, key=lambda points: _rightwards(points[0], points[1]))


def _rightwards(a: tuple[float, float], b: tuple[float, float]) -> float:
    """The cosine of the angle between the way from a to b and the way to the right."""
    return (b[0] - a[0]) / (math.hypot(b[0] - a[0], b[1] - a[1]) or 1.0)


def check_legible(regions: Iterable[Region]) -> tuple[tuple[Region, ...], tuple[Problem, ...]]:
    """The regions that somebody can read, and a problem for each that is marked as illegible."""
    legible = []
    problems = []
    for region in regions:
        if region.text.strip() in ILLEGIBLE:
            problems.append(illegible().problem(region.where))
        else:
            legible.append(region)
    return tuple(legible), tuple(problems)


def illegible() -> BadSample:
    """For a region whose annotation says that nobody can read it."""
    return BadSample("illegible", "the region is marked as illegible", "nothing to do: it is left out")


def read_annotation(path: Path, how: Reading, accepted: Accepted) -> str:
    """The text of one of many files. Raises BadSample when it cannot be read as one."""
    try:
        file = read_text_file(path, how.encoding)
    except UserError as error:
        reason = _REASON.fullmatch(str(error).removeprefix(str(path)))
        if reason is None:
            raise
        place = f" (line {reason['line']})" if reason["line"] else ""
        raise BadSample("file", reason["message"] + place, reason["remedy"]) from None
    accepted.add(path, file.notes)
    return file.text


def files_below(labels: Path, ending: str) -> list[Path]:
    """The file itself, or every file with this ending in the folder and below it."""
    return [labels] if labels.is_file() else sorted(path for path in labels.rglob("*" + ending) if path.is_file())


def refuse_unread(problems: Iterable[Problem], files: int) -> None:
    """Raise UserError when most files are no text: then it is their encoding, and what was read may be misread."""
    unread = [problem for problem in problems if problem.kind == "file"]
    if 2 * len(unread) > files:
        of = f"{len(unread):,} of {counted(files, 'file')} cannot be read" if files > 1 else "the file cannot be read"
        raise UserError(f"{of}: {unread[0]}")


def read_json(path: Path, how: Reading, accepted: Accepted) -> Any:
    """The value of one of many JSON files. Raises BadSample when it is none, or too large to be an annotation."""
    size = path.stat().st_size
    if size > MAX_JSON:
        raise BadSample("file", f"the file has {size:,} bytes, over the limit of {MAX_JSON:,}", "split or remove it")
    text = read_annotation(path, how, accepted)
    try:
        return parse_json(text)
    except ValueError as error:
        place = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise BadSample("file", f"the file is not JSON{place}", "correct or remove it") from None


def parse_json(text: str) -> Any:
    """As json.loads, with a ValueError for JSON that is nested too deeply as well."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def head(path: Path) -> str:
    """The beginning of a file as far as it is a text; empty when it cannot be read."""
    try:
        with path.open("rb") as file:
            return beginning(file.read(_HEAD))
    except OSError:
        return ""


def first_line(path: Path) -> str:
    """The first line of a file that is not blank, or its beginning."""
    return next((line for line in head(path).splitlines() if line.strip()), "")
