"""Amazon Textract's JSON: what DetectDocumentText, AnalyzeDocument and their asynchronous forms answer.

A region is a block of the type LINE or, with `level` word, WORD. Its polygon starts at the top left of its text, in
shares of the page; all other blocks and all confidences are ignored. A file may hold one answer or a list of them, as
an asynchronous job gives them (NextToken). https://docs.aws.amazon.com/textract/latest/dg/API_Block.html
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from contract.dataset import Problem
from contract.errors import UserError
from data_preparation.regions import PageSource, Polygon, Region
from data_preparation.sources.annotation import (
    Accepted,
    Reading,
    as_polygon,
    files_below,
    head,
    read_json,
    upright_box,
)
from data_preparation.sources.columns import is_image_name
from data_preparation.sources.entries import BadSample
from data_preparation.sources.pages import page_size, relative_folder
from data_preparation.sources.same_name import SameName
from data_preparation.wording import counted

NAME = "textract"

_MOST_PAGES = 10_000  # Textract takes 3,000
_LOOKED_AT = 20  # files, to recognise the format by


def recognises(labels: Path) -> bool:
    """Whether the file, or one of the first JSON files of the folder, begins as an answer of Textract does."""
    return any('"Blocks"' in head(path) for path in files_below(labels, ".json")[:_LOOKED_AT])


def read(images: Path, labels: Path, how: Reading) -> PageSource:
    """Read one file, or all JSON files below a folder that have blocks. Raises UserError when there is none.

    The answers name no image: it is the one of the same name (`scan.json` or `scan.png.json`, and `scan.png`), and for
    the pages of a longer document the one with the page's number at its end (`scan-1.png`, as pdftoppm names them).
    """
    root = labels.parent if labels.is_file() else labels
    named = SameName(images)
    regions: list[Region] = []
    problems: list[Problem] = []
    accepted = Accepted()
    unfinished: list[str] = []
    files = 0
    for path in files_below(labels, ".json"):
        where = path.relative_to(root).as_posix()
        stem = Path(path.stem).stem if is_image_name(path.stem) else path.stem
        try:
            answers = _answers(read_json(path, how, accepted))
        except BadSample as bad:
            problems.append(bad.problem(where))
            continue
        if answers:
            files += 1
            find = cache(partial(named.find, stem, relative_folder(path.relative_to(root))))
            found, bad_blocks = _read_blocks(answers, how.level.upper(), where, find)
            regions += found
            problems += bad_blocks
            if answers[-1].get("NextToken"):
                unfinished.append(f"{where} ends with a NextToken: what comes after it was not fetched")
    if not files and not problems:
        raise UserError(f"{labels} holds no answer of Amazon Textract: name its file or folder with --input-labels")
    if not regions and not problems:
        raise UserError(f"{labels} holds no {how.level.upper()}: Textract has found no text")
    reason = f"{counted(files, 'file')} of answers of Amazon Textract; each {how.level.upper()} is a region"
    return PageSource(NAME, reason, tuple(regions), tuple(problems), (*accepted.notes("JSON file"), *unfinished))


def _answers(value: Any) -> list[dict[str, Any]]:
    """The answers in a file, none when it holds something else. Raises BadSample for a job that gave no blocks."""
    answers = value if isinstance(value, list) else [value]
    if not all(isinstance(answer, dict) for answer in answers):
        return []
    if any("JobStatus" in answer and "Blocks" not in answer for answer in answers):
        raise BadSample("format", "the answer has no Blocks: its job has failed or goes on", "fetch it when it is done")
    return answers if all(isinstance(answer.get("Blocks"), list) for answer in answers) else []


def _read_blocks(
    answers: Sequence[dict[str, Any]], kind: str, where: str, find: Callable[[int], Path]
) -> tuple[list[Region], list[Problem]]:
    """The regions of a document; `find` gives the image of a page by its number or raises BadSample."""
    regions = []
    problems = []
    numbers: Counter[int] = Counter()
    size_of = cache(page_size)
    for block in (block for answer in answers for block in answer["Blocks"]):
        if not isinstance(block, dict) or block.get("BlockType") != kind:
            continue
        page = block.get("Page", 1)  # of a document of one page it may not be said
        if not isinstance(page, int) or not 0 < page <= _MOST_PAGES:
            problems.append(Problem("format", where, "a block is on no page of a document", "ask Textract again"))
            continue
        numbers[page] += 1
        ident = f"{numbers[page]:04}"
        place = f"{where}:{page}#{ident}"
        try:
            image = find(page)
            regions.append(Region(place, image, _polygon(block, size_of(image)), _text(block), ident))
        except BadSample as bad:
            problems.append(bad.problem(place))
    return regions, problems


def _text(block: dict[str, Any]) -> str:
    text = block.get("Text")
    if not isinstance(text, str):
        raise BadSample("no text", "the block has no Text", "leave it out")
    return text


def _polygon(block: dict[str, Any], size: tuple[int, int]) -> Polygon:
    """The corners in pixels of a page of that size. Raises BadSample when the block has no place."""
    width, height = size
    try:
        geometry = block["Geometry"]
        if geometry.get("Polygon"):
            return as_polygon([(point["X"] * width, point["Y"] * height) for point in geometry["Polygon"]])
        box = geometry["BoundingBox"]
        left, top = box["Left"] * width, box["Top"] * height
        return upright_box(as_polygon([(left, top), (left + box["Width"] * width, top + box["Height"] * height)]))
    except (AttributeError, KeyError, TypeError):
        raise BadSample("format", "the block has no sound Geometry", "ask Textract again") from None
