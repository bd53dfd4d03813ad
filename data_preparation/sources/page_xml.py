"""PAGE XML, as Transkribus, eScriptorium, LAREX, Aletheia and OCR-D write it: all versions from 2009 to 2019.

A region is a TextLine or, with `level` word, a Word. https://github.com/PRImA-Research-Lab/PAGE-XML
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from xml.etree.ElementTree import Element

from contract.dataset import Problem
from contract.errors import UserError
from data_preparation.regions import PageSource, Polygon, Region
from data_preparation.sources.annotation import Reading, files_below
from data_preparation.sources.entries import BadSample
from data_preparation.sources.pages import find_page, relative_folder
from data_preparation.sources.safe_xml import RefusedXml, note_others, pages_of, root_of
from data_preparation.sources.turned_text import from_the_text, quarter_turns
from data_preparation.wording import counted

NAME = "page-xml"
LEVELS = {"line": "TextLine", "word": "Word"}

_PLAIN = re.compile(r"\w[\w.-]{0,79}")  # an id that can name a file


def recognises(labels: Path) -> bool:
    """Whether the file, or an XML file in the folder or below it, is PAGE XML."""
    return any(map(_is_page, files_below(labels, ".xml")))


def read(images: Path, labels: Path, how: Reading) -> PageSource:
    """Read a PAGE file, or all that lie below a folder. Raises UserError when there is none."""
    every = files_below(labels, ".xml")
    files = [path for path in every if _is_page(path)]
    if not files:
        raise UserError(f"{labels} holds no PAGE XML: name its file or folder with --input-labels")
    root = labels if labels.is_dir() else labels.parent
    regions: list[Region] = []
    problems: list[Problem] = []
    for path in files:
        where = path.relative_to(root).as_posix()
        try:
            for page in pages_of(path, "Page"):
                found, bad = _read_page(images, page, where, relative_folder(path.relative_to(root)), how.level)
                regions += found
                problems += bad
        except RefusedXml as error:
            problems.append(Problem("format", where, f"the file {error}", "save it again or leave it out"))
    if not regions and not problems:
        other = "line" if how.level == "word" else "word"
        raise UserError(f"{labels} holds no {LEVELS[how.level]}: try --level {other}, or annotate the pages further")
    reason = f"{counted(len(files), 'PAGE file')}, first {files[0].name}; each {LEVELS[how.level]} is a region"
    return PageSource(NAME, reason, tuple(regions), tuple(problems), note_others(every, files))


def _is_page(path: Path) -> bool:
    root = root_of(path)
    return root is not None and root[1] == "PcGts"


def _read_page(images: Path, page: Element, where: str, beside: str, level: str) -> tuple[list[Region], list[Problem]]:
    regions = []
    problems = []
    size = _size(page)
    find = cache(partial(find_page, images, page.get("imageFilename", ""), beside))
    known: set[str] = set()
    for number, (element, turns) in enumerate(_texts(page, LEVELS[level], 0), start=1):
        ident = _ident(element, f"{level}-{number:04}", known)
        place = f"{where}#{ident}"
        try:
            outline = from_the_text(_outline(element), turns)
            regions.append(Region(place, find(), outline, _text(element), ident, size))
        except BadSample as bad:
            problems.append(bad.problem(place))
    return regions, problems


def _ident(element: Element, otherwise: str, known: set[str]) -> str:
    """The element's id, or another name when it has none of its own that can name a file."""
    ident = element.get("id", "")
    if not _PLAIN.fullmatch(ident) or ident in known:
        ident = otherwise
    known.add(ident)
    return ident


def _texts(element: Element, name: str, turns: int) -> Iterator[tuple[Element, int]]:
    """Every element of that name, and by how many quarter turns clockwise its text is to be turned to be read."""
    for child in element:
        if child.tag == name:
            yield child, turns
        else:
            yield from _texts(child, name, _turns(child) if child.tag == "TextRegion" else turns)


def _turns(region: Element) -> int:
    """`orientation` is of the region, `readingOrientation` of the text in it; the smaller skews are no turns."""
    angles = (region.get("orientation"), region.get("readingOrientation"))
    return quarter_turns(sum(_number(angle) or 0 for angle in angles))


def _size(page: Element) -> tuple[int, int] | None:
    width, height = _number(page.get("imageWidth")), _number(page.get("imageHeight"))
    return (int(width), int(height)) if width and height else None


def _outline(element: Element) -> Polygon:
    """The points of Coords: an attribute since 2013, elements before. Raises BadSample when there are none."""
    coords = element.find("Coords")
    if coords is None:
        raise BadSample("format", "it has no Coords", "draw its outline or leave it out")
    listed = coords.get("points")
    if listed is None:
        pairs = [(point.get("x", ""), point.get("y", "")) for point in coords.findall("Point")]
    else:
        pairs = [(x, y) for x, _, y in (point.partition(",") for point in listed.split())]
    points = []
    for x, y in ((_number(x), _number(y)) for x, y in pairs):
        if x is None or y is None:
            raise BadSample("format", "its Coords are not points x,y x,y …", "correct them")
        points.append((x, y))
    return tuple(points)


def _text(element: Element) -> str:
    """The text of the TextEquiv with the lowest index; without indices, of the one with the highest confidence."""
    variants = element.findall("TextEquiv")
    if not variants:
        raise BadSample("no text", "it has no text (TextEquiv)", "transcribe it or leave it out")
    unicode = min(variants, key=_rank).find("Unicode")
    return "" if unicode is None else unicode.text or ""


def _rank(variant: Element) -> tuple[float, float]:
    index, confidence = _number(variant.get("index")), _number(variant.get("conf"))
    return (float("inf") if index is None else index, -(confidence or 0))


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None
