"""Writes annotations of pages in the formats of others, each from its public specification."""

from __future__ import annotations

import json
from collections.abc import Iterable
from html import escape
from typing import Any

Points = list[list[float]]
Texts = Iterable[tuple[str, Points]]  # the text of a region, and its outline

PAGE = "http://schema.primaresearch.org/PAGE/gts/pagecontent"
PAGE_VERSIONS = ("2009-03-16", "2010-03-19", "2013-07-15", "2016-07-15", "2017-07-15", "2018-07-15", "2019-07-15")
ABBYY = "http://www.abbyy.com/FineReader_xml/FineReader{}-schema-v1.xml"


def page_xml(image: str, texts: Texts, version: str = "2019-07-15", size: tuple[int, int] = (320, 240)) -> str:
    """A PAGE file with one region of lines; the versions before 2013 write their points as elements."""
    lines = "".join(text_line(f"l{number}", text, points, version) for number, (text, points) in enumerate(texts, 1))
    return page_of(
        image, f'<TextRegion id="r1">{coords([[0, 0], [9, 0], [9, 9]], version)}{lines}</TextRegion>', version, size
    )


def page_of(image: str, content: str, version: str = "2019-07-15", size: tuple[int, int] = (320, 240)) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<PcGts xmlns="{PAGE}/{version}"><Metadata><Creator/></Metadata>\n'
        f'<Page imageFilename="{escape(image)}" imageWidth="{size[0]}" imageHeight="{size[1]}">{content}</Page></PcGts>'
    )


def text_line(ident: str, text: str, points: Points, version: str = "2019-07-15", name: str = "TextLine") -> str:
    equiv = f"<TextEquiv><Unicode>{escape(text)}</Unicode></TextEquiv>"
    return f'<{name} id="{ident}">{coords(points, version)}{equiv}</{name}>'


def coords(points: Points, version: str = "2019-07-15") -> str:
    if version < "2013":
        return "<Coords>" + "".join(f'<Point x="{x:g}" y="{y:g}"/>' for x, y in points) + "</Coords>"
    return f'<Coords points="{" ".join(f"{x:g},{y:g}" for x, y in points)}"/>'


def abbyy_xml(*pages: str, version: str = "10") -> str:
    """An ABBYY document, with the byte order mark that FineReader writes."""
    start = f'<document xmlns="{ABBYY.format(version)}" version="1.0">'
    return f'\ufeff<?xml version="1.0" encoding="UTF-8"?>\n{start}{"".join(pages)}</document>'


def abbyy_page(texts: Texts, more: str = "", orientation: str = "Normal", block: str = "Text") -> str:
    """A page of 320 x 240 pixels with one block of one line for each text; a character is as wide as any other."""
    lines = "".join(f"<par>{abbyy_line(text, points)}</par>" for text, points in texts)
    text = f'<block blockType="{block}"><region/><text orientation="{orientation}">{lines}</text></block>'
    return f'<page width="320" height="240" resolution="300" {more}>{text}</page>'


def abbyy_line(text: str, points: Points) -> str:
    left, top, right, bottom = edges(points)
    wide = (right - left) / len(text)
    characters = "".join(
        f'<charParams l="{left + wide * place:g}" t="{top:g}" r="{left + wide * (place + 1):g}" b="{bottom:g}"'
        f' charConfidence="99">{escape(each)}</charParams>\n'
        for place, each in enumerate(text)
    )
    box = f'l="{left:g}" t="{top:g}" r="{right:g}" b="{bottom:g}"'
    return (
        f'<line baseline="{bottom:g}" {box}><formatting lang="EnglishUnitedStates">\n{characters}</formatting></line>'
    )


def edges(points: Points) -> tuple[float, float, float, float]:
    """Left, top, right and bottom."""
    xs, ys = zip(*points, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def textract_blocks(
    kind: str, texts: Texts, page: int | None = 1, size: tuple[int, int] = (320, 240)
) -> list[dict[str, Any]]:
    """Blocks of LINE or WORD as DetectDocumentText answers them; a page that is None is not said."""
    blocks: list[dict[str, Any]] = [] if page is None else [{"BlockType": "PAGE", "Page": page, "Id": f"page-{page}"}]
    for number, (text, points) in enumerate(texts, start=1):
        left, top, right, bottom = edges(points)
        box = {"Left": left / size[0], "Top": top / size[1]}
        box |= {"Width": (right - left) / size[0], "Height": (bottom - top) / size[1]}
        polygon = [{"X": x / size[0], "Y": y / size[1]} for x, y in points]
        block = {"BlockType": kind, "Id": f"{kind}-{number}", "Text": text, "Confidence": 99.1, "TextType": "PRINTED"}
        blocks.append(block | {"Geometry": {"BoundingBox": box, "Polygon": polygon}} | ({"Page": page} if page else {}))
    return blocks


def textract(*blocks: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"DocumentMetadata": {"Pages": 1}, "Blocks": list(blocks), "DetectDocumentTextModelVersion": "1.0", **more}


def boxes_line(image: str, texts: Texts, classes: dict[str, str], **metadata: Any) -> dict[str, Any]:
    """A line of a Ground Truth manifest of a bounding box job; the text of a box is the name of its class."""
    ids = {name: int(number) for number, name in classes.items()}
    annotations = []
    for text, points in texts:
        left, top, right, bottom = edges(points)
        box = {"class_id": ids[text], "left": left, "top": top, "width": right - left, "height": bottom - top}
        annotations.append(box)
    size = [{"width": 320, "height": 240, "depth": 3}]
    about = {"type": "groundtruth/object-detection", "class-map": classes, "human-annotated": "yes", **metadata}
    return {"source-ref": image, "boxes": {"image_size": size, "annotations": annotations}, "boxes-metadata": about}


def custom_line(image: str, *answers: dict[str, Any]) -> dict[str, Any]:
    """A line of a job with a template of one's own, as the consolidation that passes all answers on writes it."""
    workers = [
        {"workerId": f"w{n}", "annotationData": {"content": json.dumps(answer)}} for n, answer in enumerate(answers)
    ]
    about = {"type": "groundtruth/custom", "job-name": "x", "human-annotated": "yes"}
    return {"source-ref": image, "job": {"annotationsFromAllWorkers": workers}, "job-metadata": about}
