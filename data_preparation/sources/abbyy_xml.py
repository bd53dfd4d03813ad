"""ABBYY FineReader XML, versions 6 to 12: document, page, block, text, par, line, formatting, charParams.

A region is a line or, with `level` word, what lies between the blanks of a line, boxed by its characters.
https://docs.abbyy.com/fine-reader/engine/specifications/export-formats/xml-schema-description
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import groupby
from pathlib import Path
from xml.etree.ElementTree import Element

from contract.dataset import Problem
from contract.errors import UserError
from contract.quoting import quoted
from data_preparation.regions import PageSource, Polygon, Region
from data_preparation.sources.annotation import Reading, files_below, upright_box
from data_preparation.sources.entries import BadSample
from data_preparation.sources.pages import relative_folder
from data_preparation.sources.safe_xml import RefusedXml, note_others, pages_of, root_of
from data_preparation.sources.same_name import SameName
from data_preparation.sources.turned_text import from_the_text
from data_preparation.wording import counted, verb

NAME = "abbyy-xml"

_SPLIT_WORD = "¬"

# Quarter turns clockwise after which the text of a block can be read.
_TURNS = {"RotatedClockwise": 3, "RotatedUpsidedown": 2, "RotatedCounterclockwise": 1}


def recognises(labels: Path) -> bool:
    """Whether the file, or an XML file in the folder or below it, is one of ABBYY's."""
    return any(map(_is_abbyy, files_below(labels, ".xml")))


def read(images: Path, labels: Path, how: Reading) -> PageSource:
    """Read an ABBYY file, or all that lie below a folder. Raises UserError when there is none.

    The files name no image: it is the one of the same name (`scan.xml` or `scan.abbyy.xml` and `scan.jpg`), and for
    the pages of a longer document the one with the page's number at its end (`scan-1.jpg`, `scan_0001.jpg`).
    """
    every = files_below(labels, ".xml")
    files = [path for path in every if _is_abbyy(path)]
    if not files:
        raise UserError(f"{labels} holds no ABBYY XML: name its file or folder with --input-labels")
    root = labels if labels.is_dir() else labels.parent
    named = SameName(images)
    regions: list[Region] = []
    problems: list[Problem] = []
    for path in files:
        where = path.relative_to(root).as_posix()
        stem = path.name.removesuffix(".xml").removesuffix(".abbyy").removesuffix("_abbyy")
        try:
            for number, page in enumerate(pages_of(path, "page"), start=1):
                find = cache(partial(named.find, stem, relative_folder(path.relative_to(root)), number))
                found, bad = _read_page(page, find, f"{where}:{number}", how.level)
                regions += found
                problems += bad
        except RefusedXml as error:
            problems.append(Problem("format", where, f"the file {error}", "export it again or leave it out"))
    if not regions and not problems:
        raise UserError(f"{labels} holds no recognised text: export it after the recognition")
    reason = f"{counted(len(files), 'ABBYY file')}, first {files[0].name}; each {how.level} is a region"
    notes = (*note_others(every, files), *_note_hyphens(regions))
    return PageSource(NAME, reason, tuple(regions), tuple(problems), notes)


def _note_hyphens(regions: list[Region]) -> tuple[str, ...]:
    split = [region.where for region in regions if region.text.endswith(_SPLIT_WORD)]
    if not split:
        return ()
    words = f"{counted(len(split), 'text')} {verb(len(split), 'ends', 'end')} in {_SPLIT_WORD} (U+00AC)"
    return (f"{words}, ABBYY's sign for a hyphen that splits a word: left as written, first at {split[0]}",)


def _is_abbyy(path: Path) -> bool:
    root = root_of(path)
    return root is not None and root[1] == "document" and "abbyy.com" in root[0].casefold()


def _read_page(page: Element, find: Callable[[], Path], where: str, level: str) -> tuple[list[Region], list[Problem]]:
    """The regions of one page; `find` gives its image or raises BadSample."""
    regions = []
    problems = []
    for number, (line, turns) in enumerate(_lines(page, 0), start=1):
        for ident, text, edges in _parts(line, f"{number:04}", level):
            place = f"{where}#{ident}"
            try:
                _refuse_turned(page)
                outline = from_the_text(_box(edges), turns)
                regions.append(Region(place, find(), outline, text, ident, _size(page)))
            except BadSample as bad:
                problems.append(bad.problem(place))
    return regions, problems


def _lines(element: Element, turns: int) -> Iterator[tuple[Element, int]]:
    """Every line that is print, and by how many quarter turns clockwise it is to be turned to be read."""
    for child in element:
        if child.tag == "line":
            yield child, turns
        elif child.get("blockType") != "Barcode":
            yield from _lines(child, _TURNS.get(child.get("orientation", ""), turns))


def _refuse_turned(page: Element) -> None:
    """Coordinates belong to the page as it was opened; that is the file only when it was not turned."""
    rotation = page.get("rotation", "Normal")
    if rotation != "Normal" and page.get("originalCoords") not in ("1", "true"):
        message = f"the coordinates are of the page after it was turned ({quoted(rotation)})"
        raise BadSample("page", message, "export with the coordinates of the original image")


def _size(page: Element) -> tuple[int, int] | None:
    try:
        return int(page.get("width", "")), int(page.get("height", ""))
    except ValueError:
        return None


def _parts(line: Element, ident: str, level: str) -> Iterator[tuple[str, str, list[Element]]]:
    """Name, text and the elements whose boxes are around it: of the line, or of each of its words."""
    characters = [(_text(each), each) for formatting in line.findall("formatting") for each in _characters(formatting)]
    if level == "line":
        yield ident, "".join(text for text, _ in characters).strip(), [line]
        return
    words = [list(group) for blank, group in groupby(characters, lambda each: each[0].isspace()) if not blank]
    for number, word in enumerate(words, start=1):
        yield f"{ident}-{number:02}", "".join(text for text, _ in word), [element for _, element in word]


def _characters(formatting: Element) -> list[Element]:
    """Its charParams, not those inside the variants of a word; itself when it was exported without them."""
    return formatting.findall("charParams") or [formatting]


def _text(element: Element) -> str:
    """The text of a character without its variants; a tab between columns is a space."""
    text = (element.text or "") + "".join(child.tail or "" for child in element)
    if "\n" in text:  # indented by whoever wrote the file
        text = text.strip() or " "
    return text.replace("\t", " ")


def _box(elements: list[Element]) -> Polygon:
    """The box around the boxes of the elements. Raises BadSample when one has none."""
    try:
        edges = [[float(element.attrib[edge]) for edge in "ltrb"] for element in elements]
    except (KeyError, ValueError):
        raise BadSample("format", "it has no box (l, t, r, b)", "export it with coordinates") from None
    left, top, right, bottom = zip(*edges, strict=True)
    return upright_box(((min(left), min(top)), (max(right), max(bottom))))
