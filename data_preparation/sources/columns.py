"""Which column or key holds the image and which the text, by the names that people give them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from contract.errors import UserError
from contract.quoting import quoted

# In order of preference. `file_name` and `text` are those of Hugging Face's folders, `filename` and `words` EasyOCR's.
IMAGE_NAMES = (
    "image", "file_name", "filename", "image_path", "path", "file", "img", "img_path", "image_name", "name",
    "รูป", "รูปภาพ", "ภาพ", "ชื่อภาพ", "ไฟล์", "ชื่อไฟล์", "ไฟล์ภาพ",
)  # fmt: skip
TEXT_NAMES = (
    "text", "label", "transcription", "words", "word", "transcript", "ground_truth", "gt", "annotation",
    "ข้อความ", "คำ", "คำอ่าน", "ป้ายกำกับ",
)  # fmt: skip

_SHOWN = 8  # names in a message

_IMAGE_ENDING = re.compile(r"\.(png|jpe?g|bmp|tiff?|webp)[\"']?$", re.IGNORECASE)


def is_image_name(text: str) -> bool:
    """True when the text ends as the name of an image does."""
    return bool(_IMAGE_ENDING.search(text.strip()))


def named_columns(names: Sequence[str]) -> tuple[int, int] | None:
    """Where the image and the text are, going by the names; None when one of them is missing."""
    plain = [re.sub(r"[\s-]+", "_", name.strip().casefold()) for name in names]
    image, text = (
        next((plain.index(name) for name in known if name in plain), None) for known in (IMAGE_NAMES, TEXT_NAMES)
    )
    return None if image is None or text is None else (image, text)


def chosen_columns(columns: str, names: Sequence[str] | None, count: int) -> tuple[int, int]:
    """The columns that `--columns IMAGE,TEXT` names, by their names in the header or by numbers from 1.

    Raises UserError when there is no such column.
    """
    wanted = split_names(columns)
    if len(wanted) != 2 or not all(wanted) or wanted[0] == wanted[1]:
        raise UserError(
            f"--columns {columns} names no two columns: write the one of the image, a comma, that of the text"
        )
    return _place(wanted[0], names, count), _place(wanted[1], names, count)


def split_names(columns: str) -> list[str]:
    """The parts of `--columns IMAGE,TEXT`."""
    return [part.strip() for part in columns.split(",")]


def listed(names: Sequence[str]) -> str:
    """The first names in quotes, as they go into a message."""
    return ", ".join(map(quoted, names[:_SHOWN])) + (", …" if len(names) > _SHOWN else "")


def _place(wanted: str, names: Sequence[str] | None, count: int) -> int:
    if names and wanted in names:
        return names.index(wanted)
    if wanted.isascii() and wanted.isdigit() and 1 <= int(wanted) <= count:
        return int(wanted) - 1
    known = f"the columns are {listed(names)}" if names else f"there are {count} columns and no header"
    raise UserError(f"--columns: there is no column {quoted(wanted)}: {known}; a number counts from 1")
