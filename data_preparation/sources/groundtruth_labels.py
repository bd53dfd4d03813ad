"""What one line of a SageMaker Ground Truth manifest says of its image: boxes with texts, or one text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from contract.quoting import quoted
from data_preparation.regions import Polygon
from data_preparation.sources.annotation import as_polygon, from_top_left, parse_json, upright_box
from data_preparation.sources.columns import TEXT_NAMES
from data_preparation.sources.entries import BadSample

_METADATA = "-metadata"
_BOXES = ("groundtruth/object-detection", "groundtruth/custom")
_TEXTS = ("groundtruth/image-classification", "groundtruth/custom")
_OWN_TEXT = tuple(name for name in TEXT_NAMES if name != "label")  # of a box, `label` is the class
_OF_INPUT = "inputImageProperties"
_ATTRIBUTES = ("attributes", "label-attributes", "label-category-attributes")


@dataclass(frozen=True)
class Drawing:
    """The boxes of a page as they stand in the manifest, the names of their classes, and the size of the page."""

    boxes: tuple[Any, ...]
    classes: Mapping[str, Any]
    size: tuple[int, int] | None


def label_of(line: Mapping[str, Any]) -> Drawing | str | None:
    """What the workers made of the image, of the last job that has boxes or else a text; None when of neither.

    Raises BadSample when several workers answered and not alike.
    """
    labels = []
    for key, value in line.items():
        metadata = line.get(key + _METADATA)
        if isinstance(metadata, dict):
            label = _read(value, metadata)
            if label is not None:
                labels.append((isinstance(label, Drawing), str(metadata.get("creation-date", "")), label))
    return max(labels, key=lambda each: each[:2])[2] if labels else None


def read_box(box: Any, classes: Mapping[str, Any]) -> tuple[Polygon, str, bool]:
    """Outline, text, and whether the text is the name of the class. Raises BadSample when one of them is missing."""
    if not isinstance(box, dict):
        raise BadSample("format", "the box is no object", "correct the manifest")
    outline = _outline(box)
    for holder in (box, *(box.get(name) for name in _ATTRIBUTES)):
        text = _named_text(holder, _OWN_TEXT)
        if text is not None:
            return outline, text, False
    name = box["label"] if "label" in box else classes.get(str(box.get("class_id")))
    if not isinstance(name, str):
        message = f"the box has no text, and the class {quoted(str(box.get('class_id')))} no name in the class-map"
        raise BadSample("no text", message, "add its text")
    return outline, name, True


def _read(value: Any, metadata: Mapping[str, Any]) -> Drawing | str | None:
    kind = metadata.get("type")
    answer = _answer(value)
    if kind in _BOXES:
        for holder in (answer, *(answer.values() if isinstance(answer, dict) else ())):
            drawing = _drawing(holder, metadata)
            if drawing:
                return drawing
    if kind in _TEXTS:
        name = metadata.get("class-name")
        return name if isinstance(name, str) else _text(answer)
    return None


def _answer(value: Any) -> Any:
    """The one answer in what a template without consolidation hands on: `annotationsFromAllWorkers`, JSON in texts."""
    if not isinstance(value, dict) or not isinstance(value.get("annotationsFromAllWorkers"), list):
        return value
    answers: list[Any] = []
    for worker in value["annotationsFromAllWorkers"]:
        content = worker.get("annotationData", {}).get("content") if isinstance(worker, dict) else None
        answer = _parsed(content)
        if answer not in answers:
            answers.append(answer)
    if len(answers) > 1:
        raise BadSample("workers", f"{len(answers)} workers answered differently", "consolidate their answers")
    return answers[0] if answers else None


def _parsed(content: Any) -> Any:
    try:
        return parse_json(content) if isinstance(content, str) else content
    except ValueError:
        return content


def _drawing(holder: Any, metadata: Mapping[str, Any]) -> Drawing | None:
    """The boxes of a bounding box job, of crowd-bounding-box or of crowd-polygon."""
    if not isinstance(holder, dict):
        return None
    for name, size in (("annotations", "image_size"), ("boundingBoxes", _OF_INPUT), ("polygons", _OF_INPUT)):
        if isinstance(holder.get(name), list):
            classes = metadata.get("class-map")
            return Drawing(tuple(holder[name]), classes if isinstance(classes, dict) else {}, _size(holder.get(size)))
    return None


def _size(size: Any) -> tuple[int, int] | None:
    first = size[0] if isinstance(size, list) and size else size
    if not isinstance(first, dict):
        return None
    width, height = first.get("width"), first.get("height")
    return (width, height) if isinstance(width, int) and isinstance(height, int) else None


def _outline(box: Mapping[str, Any]) -> Polygon:
    """Its corners. Raises BadSample when it has neither left, top, width and height nor vertices."""
    try:
        if "vertices" in box:
            return from_top_left(as_polygon([(point["x"], point["y"]) for point in box["vertices"]]))
        left, top, width, height = (box[edge] for edge in ("left", "top", "width", "height"))
        return upright_box(as_polygon([(left, top), (left + width, top + height)]))
    except (KeyError, TypeError):
        raise BadSample("format", "the box has no place (left, top, width, height)", "correct the manifest") from None


def _text(answer: Any) -> str | None:
    """The text of an answer that is one, or an object with a text of a usual name, or with one text in all."""
    if isinstance(answer, str):
        return answer
    named = _named_text(answer, TEXT_NAMES)
    texts = [value for value in answer.values() if isinstance(value, str)] if isinstance(answer, dict) else []
    return named if named is not None else texts[0] if len(texts) == 1 else None


def _named_text(holder: Any, names: Iterable[str]) -> str | None:
    texts = (holder.get(name) for name in names) if isinstance(holder, dict) else ()
    return next((text for text in texts if isinstance(text, str)), None)
