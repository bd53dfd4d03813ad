"""Text files of the ICDAR 2015 competition (task 4.1), also of SROIE and MLT: one file a page, one region a line.

`gt_img_12.txt` belongs to `img_12.jpg`; a file may as well be named as its image is. A line is
`x1,y1,x2,y2,x3,y3,x4,y4,text`: the corners clockwise from the text's own top left one, then the text, in which commas
stand unquoted. `###` is text that nobody can read. MLT has the name of a script before the text.
https://rrc.cvc.uab.es/?ch=4&com=tasks, https://rrc.cvc.uab.es/?ch=15&com=tasks
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from contract.dataset import Problem
from contract.errors import UserError
from data_preparation.regions import PageSource, Region
from data_preparation.sources.annotation import (
    Accepted,
    Reading,
    check_legible,
    files_below,
    first_line,
    read_annotation,
    refuse_unread,
)
from data_preparation.sources.entries import BadSample, refuse_link
from data_preparation.sources.finding import ImagesByStem
from data_preparation.wording import counted, folder_name

NAME = "icdar"
PREFIX = "gt_"

_NUMBER = r"\s*([-+]?\d+(?:\.\d*)?)\s*"
_LINE = re.compile(",".join([_NUMBER] * 8) + ",(.*)")
_OF_SCRIPT = re.compile("(?:Arabic|Latin|Chinese|Japanese|Korean|Bangla|Hindi|Symbols|Mixed|None),(.*)")
_LOOKED_AT = 20  # files, to recognise the format by


def recognises(labels: Path) -> bool:
    """Whether the file, or one of the first text files of the folder, begins with eight numbers and a text."""
    return any(_LINE.fullmatch(first_line(path)) for path in files_below(labels, ".txt")[:_LOOKED_AT])


def read(images: Path, labels: Path, how: Reading) -> PageSource:
    """Read one text file, or all below a folder. A page lies at the same place below `images`, or in it itself.

    Raises UserError when no line of them is of this format.
    """
    root = labels.parent if labels.is_file() else labels
    files = files_below(labels, ".txt")
    by_stem = ImagesByStem()
    regions: list[Region] = []
    problems: list[Problem] = []
    accepted = Accepted()
    for path in files:
        name = path.relative_to(root).as_posix()
        try:
            text = read_annotation(path, how, accepted)
        except BadSample as bad:
            problems.append(bad.problem(name))
        else:
            page = _find_page(images, path.relative_to(root), by_stem)
            found, bad_lines = _read_lines(text, name, page)
            regions += found
            problems += bad_lines
    refuse_unread(problems, len(files))
    if not regions and all(problem.kind == "format" for problem in problems):
        raise UserError(f"{labels} holds no line such as 10,20,90,20,90,40,10,40,text: name another --format")
    notes = accepted.notes("text file")
    scripts = [_OF_SCRIPT.fullmatch(region.text) for region in regions]
    if regions and all(scripts):
        regions = [replace(region, text=of[1]) for region, of in zip(regions, scripts, strict=True) if of]
        notes.append("every text begins with the name of a script, as in ICDAR MLT: the name is left out")
    legible, illegible = check_legible(regions)
    reason = f"{counted(len(files), 'text file')} of eight numbers and a text"
    return PageSource(NAME, reason, legible, (*problems, *illegible), tuple(notes))


def _find_page(images: Path, relative: Path, by_stem: ImagesByStem) -> Path | BadSample:
    """The page of a text file, or why there is none."""
    stems = [relative.stem, relative.stem.removeprefix(PREFIX)]
    for folder in (images / relative.parent, images):
        for stem in dict.fromkeys(stems):
            page = by_stem.find(folder, stem)
            if page:
                try:
                    refuse_link(page, images)
                except BadSample as bad:
                    return bad
                return page
    return BadSample("page", f"there is no page {stems[-1]}.jpg (.png, …) in {folder_name(images)}", "add it")


def _read_lines(text: str, name: str, page: Path | BadSample) -> tuple[list[Region], list[Problem]]:
    regions = []
    problems = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{name}:{number}"
        parts = _LINE.fullmatch(line)
        if not parts:
            problems.append(Problem("format", where, "the line is not eight numbers and a text", "correct the line"))
        elif isinstance(page, BadSample):
            problems.append(page.problem(where))
        else:
            numbers = [float(part) for part in parts.groups()[:8]]
            polygon = tuple(zip(numbers[::2], numbers[1::2], strict=True))
            regions.append(Region(where, page, polygon, parts[9], f"{number:04}"))
    return regions, problems
