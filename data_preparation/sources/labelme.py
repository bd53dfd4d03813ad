"""LabelMe's JSON files, also as X-AnyLabeling writes them: one file a page, one shape a region.

`imagePath` names the page from the file's own folder, `imageWidth` and `imageHeight` say how large it was; `imageData`,
the page itself, is ignored. A shape has `shape_type`, `points` and `label`, which is the text, unless the shapes have
few labels and more texts in `description`. Both tools show pages upright (LabelMe since 2019).
https://github.com/wkentaro/labelme, https://github.com/CVHub520/X-AnyLabeling
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from contract.dataset import Problem
from contract.errors import UserError
from data_preparation.regions import PageSource, Polygon, Region
from data_preparation.sources.annotation import (
    Accepted,
    Reading,
    as_polygon,
    check_legible,
    files_below,
    from_top_left,
    head,
    illegible,
    read_json,
    upright_box,
)
from data_preparation.sources.entries import BadSample
from data_preparation.sources.finding import ImagesByStem
from data_preparation.sources.pages import find_page, relative_folder
from data_preparation.wording import counted

NAME = "labelme"

_LOOKED_AT = 20  # files, to recognise the format by


def recognises(labels: Path) -> bool:
    """Whether the file, or one of the first JSON files of the folder, begins with what LabelMe writes."""
    return any('"shapes"' in head(path) for path in files_below(labels, ".json")[:_LOOKED_AT])


def read(images: Path, labels: Path, how: Reading) -> PageSource:
    """Read one JSON file, or all below a folder. Raises UserError when none of them has shapes."""
    root = labels.parent if labels.is_file() else labels
    files = files_below(labels, ".json")
    by_stem = ImagesByStem()
    regions: list[Region] = []
    descriptions: list[str] = []
    problems: list[Problem] = []
    accepted = Accepted()
    others = 0
    for path in files:
        name = path.relative_to(root).as_posix()
        try:
            annotation = read_json(path, how, accepted)
        except BadSample as bad:
            problems.append(bad.problem(name))
            continue
        if not isinstance(annotation, dict) or not isinstance(annotation.get("shapes"), list):
            others += 1
            continue
        page = _find_page(images, annotation.get("imagePath"), path.relative_to(root), by_stem)
        size = _page_size(annotation)
        for number, shape in enumerate(annotation["shapes"], start=1):
            where = f"{name}#{number}"
            if isinstance(page, BadSample):
                problems.append(page.problem(where))
                continue
            try:
                polygon, label, description = _read_shape(shape)
            except BadSample as bad:
                problems.append(bad.problem(where))
            else:
                regions.append(Region(where, page, polygon, label, f"{number:04}", size))
                descriptions.append(description)
    if others == len(files):
        raise UserError(f"{labels} holds no JSON file with shapes, as LabelMe writes them: name another --format")
    notes = accepted.notes("JSON file")
    if others:
        notes.append(f"{counted(others, 'JSON file')} without shapes: left alone")
    if _are_texts(descriptions, [region.text for region in regions]):
        regions = [replace(region, text=text) for region, text in zip(regions, descriptions, strict=True)]
        notes.append("the texts are the descriptions of the shapes, which share few labels")
    legible, bad_texts = check_legible(regions)
    reason = f"{counted(len(files) - others, 'JSON file')} with shapes"
    return PageSource(NAME, reason, legible, (*problems, *bad_texts), tuple(notes))


def _find_page(images: Path, name: object, relative: Path, by_stem: ImagesByStem) -> Path | BadSample:
    """The page by its name, or else by that of the JSON file; or why there is none."""
    try:
        return find_page(images, name if isinstance(name, str) else "", relative_folder(relative))
    except BadSample as bad:
        same_name = by_stem.find(images / relative.parent, relative.stem)
        if same_name is None or not same_name.resolve().is_relative_to(images.resolve()):
            return bad
        return same_name


def _page_size(annotation: dict[str, Any]) -> tuple[int, int] | None:
    width, height = annotation.get("imageWidth"), annotation.get("imageHeight")
    return (width, height) if isinstance(width, int) and isinstance(height, int) and width * height > 0 else None


def _read_shape(shape: Any) -> tuple[Polygon, str, str]:
    """The region of a shape, its label and its description. Raises BadSample for what is no region of text."""
    if not isinstance(shape, dict) or not isinstance(shape.get("label"), str):
        raise BadSample("format", "the shape has no label", "correct the annotation")
    if shape.get("difficult") is True:
        raise illegible()
    polygon = as_polygon(shape.get("points"))
    kind = shape.get("shape_type") or "polygon"
    if kind == "rectangle" and len(polygon) in (2, 4):
        polygon = upright_box(polygon)
    elif kind == "polygon":
        polygon = from_top_left(polygon)
    elif kind != "rotation":
        raise BadSample("shape", f"a {kind} is no region of text", "draw a polygon or a rectangle")
    description = shape.get("description")
    return polygon, shape["label"], description if isinstance(description, str) else ""


def _are_texts(descriptions: Sequence[str], labels: Sequence[str]) -> bool:
    """Whether most shapes have a description, and the descriptions tell more shapes apart than the labels do."""
    described = sum(bool(text.strip()) for text in descriptions)
    return 2 * described > len(descriptions) and len(set(descriptions)) > len(set(labels))
