"""JSON files of an artifact, which may be damaged or of anybody's making: each value is asked for with its type."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contract.errors import UserError

LARGEST = 64_000_000  # bytes of a file; run.json of ten thousand characters has two million
SHOWN = 100_000  # bytes of a text that is shown as it is
BIGGEST = 1e15  # of a number that means something here

REMEDY = "the file is damaged, or of another program: bring the model home again, or name another run"


@dataclass(frozen=True)
class Fields:
    """An object of a JSON file. What is missing, or null, is None or empty; what has another type is a UserError."""

    where: str = ""  # file, or file:line
    content: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""  # of this object in its file

    def number(self, key: str) -> float | None:
        """An int or a float; NaN and infinities are numbers too."""
        value = self.content.get(key)
        if value is None:
            return None
        if not is_number(value):
            raise self._no(key, "a number")
        return float(value)

    def count(self, key: str) -> int | None:
        """A whole number from 0 on."""
        value = self.content.get(key)
        if value is None:
            return None
        if not isinstance(value, int) or not is_number(value) or value < 0:
            raise self._no(key, "a whole number")
        return value

    def total(self, key: str) -> int:
        """A count that is 0 when nothing is said."""
        return self.count(key) or 0

    def text(self, key: str) -> str:
        value = self.content.get(key)
        if value is not None and not isinstance(value, str):
            raise self._no(key, "a text")
        return value or ""

    def inside(self, key: str) -> Fields:
        """The object below a key."""
        value = self.content.get(key)
        if value is not None and not isinstance(value, dict):
            raise self._no(key, "an object")
        return Fields(self.where, value or {}, self._dotted(key))

    def objects(self, key: str) -> list[Fields]:
        """The objects of a list."""
        values = self._list(key)
        if not all(isinstance(value, dict) for value in values):
            raise self._no(key, "a list of objects")
        return [Fields(self.where, value, f"{self._dotted(key)}.{n}") for n, value in enumerate(values)]

    def counts(self, key: str) -> list[int]:
        """The whole numbers of a list."""
        values = self._list(key)
        if not all(isinstance(value, int) and is_number(value) and value >= 0 for value in values):
            raise self._no(key, "a list of whole numbers")
        return values

    def items(self) -> Iterator[tuple[str, Fields]]:
        """Every key, whose values are objects."""
        return ((key, self.inside(key)) for key in self.content)

    def __bool__(self) -> bool:
        return bool(self.content)

    def _list(self, key: str) -> list[Any]:
        value = self.content.get(key)
        if value is not None and not isinstance(value, list):
            raise self._no(key, "a list")
        return value or []

    def _no(self, key: str, wanted: str) -> UserError:
        return UserError(f"{self.where}: {self._dotted(key)[:80]!r} is not {wanted}: {REMEDY}")

    def _dotted(self, key: str) -> str:
        return f"{self.name}.{key}" if self.name else key


def is_number(value: object) -> bool:
    """An int or float that is no larger than what is counted here; bool is none, NaN and infinity are."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, float) or abs(value) <= BIGGEST


def read_object(path: Path) -> Fields:
    """The object in a JSON file. Raises UserError, with the line where it is damaged."""
    return Fields(str(path), _parsed(_read(path), path))


def read_object_lines(path: Path) -> Iterator[Fields]:
    """The objects of a file with one on each line. Raises UserError."""
    for number, line in enumerate(_read(path).removesuffix("\n").split("\n"), start=1):
        yield Fields(f"{path}:{number}", _parsed(line, path, number))


def read_beginning(path: Path) -> str:
    """A text to be shown, or as much of it as a page has room for. Raises UserError."""
    data = _bytes(path, SHOWN + 1)
    text = data[:SHOWN].decode("utf-8", errors="replace")
    return f"{text}\n… and more" if len(data) > SHOWN else text


def _bytes(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(most)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): name another run") from None


def _read(path: Path) -> str:
    data = _bytes(path, LARGEST + 1)
    if len(data) > LARGEST:
        raise UserError(f"{path} has more than {LARGEST:,} bytes: {REMEDY}")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError(f"{path}:{line}: is no UTF-8 text: {REMEDY}") from None


def _parsed(text: str, path: Path, line: int = 0) -> dict[str, Any]:
    """line: where the text stands in its file; 0: it is the file."""
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"{path}:{line or error.lineno}: is no JSON ({error.msg}): {REMEDY}") from None
    except (ValueError, RecursionError):  # a number of thousands of digits, thousands of brackets
        raise UserError(f"{path}:{line or 1}: is no JSON that can be read: {REMEDY}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}:{line or 1}: is no JSON object: {REMEDY}")
    return content
