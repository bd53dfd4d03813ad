"""Text files as people have them: of any encoding and line end, read as the text that they hold.

A byte order mark says what a file is. Without one it is UTF-8, or what somebody says that it is: nothing is guessed.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import Path

from contract.dataset import read_bytes
from contract.errors import UserError
from contract.quoting import quoted

MARK = "\ufeff"  # the byte order mark as a character
_LF = "\n"

_MARKED = (  # in this order: UTF-32's begins as that of UTF-16
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NO_TEXTS = ((b"PK\3\4", "a workbook of Excel or a ZIP archive"), (b"\xd0\xcf\x11\xe0", "a workbook of Excel"))
_OF_THAI_WINDOWS = "cp874"
_LINE_ENDS = {"CR LF": "\r\n", "CR": "\r", "LF": "\n"}
_THAI = re.compile("[ก-ฮ]")
_CONTROL = re.compile(rb"[\0-\x08\x0e-\x1f]")  # in no text of bytes; each Thai letter of UTF-16 has one
_OF_WINDOWS = re.compile("[\x80-\x9f]")  # what tis-620 and latin-1 make of the quotes and dashes of cp874 and cp1252
_NO_ACCIDENT = 8  # characters of UTF-8: fewer may be a word of another encoding, as cp874's แดง is
_SHOWN = 40  # characters of a line by which people see whether it is what they wrote


@dataclass(frozen=True)
class TextFile:
    """A text with LF line ends and without byte order marks, and how it was stored."""

    name: str
    text: str
    encoding: str  # as people write it: "UTF-8", "UTF-16", "cp874"
    marked: bool  # it begins with a byte order mark
    line_ends: str  # "LF", "CR LF" or "CR"
    marks_within: int  # further lines that begin with such a mark, as those of joined files
    asked: str | None  # the encoding that somebody named

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence for each oddity that was accepted."""
        notes = []
        asked = _shown(self.asked or self.encoding)
        if not asked.startswith(self.encoding) and not self.text.isascii():
            why = "as its byte order mark says" if self.marked else "which it is"
            notes.append(f"{self.name} is read as {self.encoding}, {why}, not as {asked}")
        elif self.encoding != "UTF-8":
            notes.append(f"{self.name} is read as {self.encoding}" + ", as its byte order mark says" * self.marked)
        elif self.marked:
            notes.append(f"{self.name} starts with a byte order mark: accepted, ignored")
        if self.marks_within:
            notes.append(f"{self.name} has byte order marks within, as joined files have: accepted, ignored")
        if self.line_ends != "LF":
            whose = "Windows" if self.line_ends == "CR LF" else "old Mac"
            notes.append(f"{self.name} has {whose} line ends ({self.line_ends.replace(' ', '')}): accepted, ignored")
        return tuple(notes)


def read_text_file(path: Path, encoding: str | None) -> TextFile:
    """encoding: of a file that is not UTF-8 and has no mark; one that is UTF-8 is read as that all the same.

    Raises UserError for a file that is none of these, with the line of the first byte that does not fit.
    """
    data = read_bytes(path)
    for signature, what in _NO_TEXTS:
        if data.startswith(signature):
            raise UserError(f"{path} is {what}, no text: save it in Excel as 'CSV UTF-8'")
    codec, marked = _codec(data, encoding)
    try:
        text = data.decode(codec)
    except UnicodeDecodeError as error:
        before = _with_lf(data[: error.start].decode(codec, "ignore"))  # UTF-16's ช has the byte of a line feed
        message = _refusal(data, codec, error.start, encoding)
        raise UserError(f"{path}:{before.count(_LF) + 1}: {message}") from None
    if codec == encoding and not codec.startswith("utf") and (control := _OF_WINDOWS.search(text)):
        line = text.count(_LF, 0, control.start()) + 1
        raise UserError(f"{path}:{line}: {_refusal(data, codec, control.start(), encoding)}")
    lf = _with_lf(text.removeprefix(MARK))
    within = lf.count(_LF + MARK)
    if within:
        lf = lf.replace(_LF + MARK, _LF)
    return TextFile(path.name, lf, _shown(codec), marked, _line_ends(text), within, encoding)


def beginning(data: bytes) -> str:
    """The first bytes of a file as far as they are a text whose encoding need not be asked for."""
    return data.decode(_codec(data, None)[0], errors="ignore")


def _codec(data: bytes, asked: str | None) -> tuple[str, bool]:
    """What decodes the file, and whether a mark says so."""
    for mark, codec in _MARKED:
        if data.startswith(mark):
            return codec, True
    if b"\0" in data[:2]:  # UTF-16 as far as it begins with ASCII
        return "utf-16-le" if data[1:2] == b"\0" else "utf-16-be", False
    return asked if asked and not _is_utf8(data, asked) else "utf-8", False


def _is_utf8(data: bytes, asked: str) -> bool:
    """Whether a file is UTF-8 although another encoding was named, and not so by chance."""
    text = _decoded(data, "utf-8")
    if text is None or _CONTROL.search(data):
        return False
    if sum(not character.isascii() for character in text) >= _NO_ACCIDENT or _decoded(data, asked) is None:
        return True
    try:
        text.encode(asked)  # what it says as UTF-8 can be written in that encoding, in which it says something odd
    except UnicodeError:
        return False
    return True


def _refusal(data: bytes, codec: str, start: int, asked: str | None) -> str:
    if codec == asked:
        such = f", such as {_OF_THAI_WINDOWS}" if codec != _OF_THAI_WINDOWS else ""
        return f"the file is not {_shown(codec)} either: name another --encoding{such}"
    if codec != "utf-8":
        return f"the file is {_shown(codec)} and damaged from there on: save it again, as UTF-8"
    thai = _decoded(data, _OF_THAI_WINDOWS) or ""
    line = thai[thai.rfind(_LF, 0, start) + 1 :].partition(_LF)[0].strip()
    if not _THAI.search(line):
        return f"the file is not UTF-8: say what it is, as in --encoding {_OF_THAI_WINDOWS}"
    shown = line[next(place for place, character in enumerate(line) if not character.isascii()) :][:_SHOWN]
    return f"the file is not UTF-8: add --encoding {_OF_THAI_WINDOWS} if this line reads {quoted(shown)}"


def _decoded(data: bytes, codec: str) -> str | None:
    try:
        return data.decode(codec)
    except UnicodeDecodeError:
        return None


def _line_ends(text: str) -> str:
    return "CR LF" if "\r\n" in text else "LF" if "\n" in text or "\r" not in text else "CR"


def _with_lf(text: str) -> str:
    return text.replace(_LINE_ENDS[_line_ends(text)], _LF)


def _shown(codec: str) -> str:
    """The name of a codec as people write it."""
    return codec.removesuffix("-sig").upper() if codec.startswith("utf") else codec
