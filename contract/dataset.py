"""The dataset format and its one owner: label lines, dictionary, manifest, content hash.

```
dataset/
  train.txt     images/0001.png<TAB>label        UTF-8, one sample a line
  val.txt       the same
  dict.txt      one code point a line, in class order; never the space
  dataset.json  optional: how the folder was made
  images/…      the crops, or in their place
  shards/…      the same crops packed: contract/shards.py
```
"""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from contract.errors import UserError
from contract.quoting import quoted

TRAIN_LABELS = "train.txt"
VAL_LABELS = "val.txt"
DICTIONARY = "dict.txt"
MANIFEST = "dataset.json"
IMAGES = "images"
MANIFEST_FORMAT = 1
MAX_BYTES = 100_000_000  # of one image file; a word crop has some thousand
MAX_TEXT_BYTES = 1_000_000_000  # of a label file: ten million lines
NOTES = 10  # about single lines of a dictionary


@dataclass(frozen=True, slots=True)
class Sample:
    """One label line: the image path relative to the dataset folder, and its text."""

    image: str
    label: str
    line: int


@dataclass(frozen=True)
class Problem:
    """Something that is wrong with a dataset. `where` is `file` or `file:line`."""

    kind: str
    where: str
    message: str
    remedy: str
    count: int = 1  # how often it occurs, where one problem tells of many lines

    def __str__(self) -> str:
        return f"{self.where}: {self.message}; {self.remedy}"


@dataclass(frozen=True)
class LabelFile:
    """A label file as read: its sound samples, what is wrong with the rest, and what was accepted."""

    path: Path
    samples: tuple[Sample, ...]
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Dictionary:
    """The characters of a dataset in class order (class 0 is CTC's blank, so the first one is class 1)."""

    characters: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        return hashlib.sha256("\n".join(self.characters).encode()).hexdigest()

    def text(self) -> str:
        """The content of a clean dict.txt."""
        return "".join(character + "\n" for character in self.characters)


def read_bytes(path: Path) -> bytes:
    """A text file as it is stored. Raises UserError when there is none of a sensible size."""
    try:
        state = path.stat()
        if stat.S_ISREG(state.st_mode) and state.st_size > MAX_TEXT_BYTES:
            raise UserError(f"{path} has {state.st_size:,} bytes: it must be a text file of at most {MAX_TEXT_BYTES:,}")
        if not stat.S_ISREG(state.st_mode) and not stat.S_ISDIR(state.st_mode):  # reading a pipe would never end
            raise UserError(f"{path} is not a file: put a text file in its place")
        return path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: {_REMEDY_MISSING.get(path.name, 'check the path')}") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): it must be a readable text file") from None


def read_text(path: Path) -> tuple[str, tuple[str, ...]]:
    """A UTF-8 file with LF line ends, and a note for each oddity that was accepted (BOM, CRLF)."""
    data = read_bytes(path)
    notes = []
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UserError(f"{path}:1: the file is UTF-16: save it as UTF-8")
    if b"\0" in data[:2]:  # UTF-16 without its mark, as far as it begins with ASCII
        raise UserError(f"{path}:1: the file is UTF-16 or no text: save it as UTF-8")
    if data.startswith(b"\xef\xbb\xbf"):
        data = data[3:]
        notes.append(f"{path.name} starts with a byte order mark: accepted, ignored")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError(f"{path}:{line}: the file is not UTF-8: save it as UTF-8") from None
    if "\r\n" in text:
        text = text.replace("\r\n", "\n")
        notes.append(f"{path.name} has Windows line ends (CRLF): accepted, ignored")
    return text, tuple(notes)


def read_labels(path: Path) -> LabelFile:
    """Parse a label file. A line that does not parse becomes a Problem, never an exception.

    Raises UserError when the file itself cannot be read as UTF-8 text.
    """
    return parse_labels(path, *read_text(path))


def parse_labels(path: Path, text: str, notes: tuple[str, ...]) -> LabelFile:
    """The same of a text with LF line ends that was read from there, with the notes about how."""
    samples: list[Sample] = []
    problems: list[Problem] = []
    lines = text.removesuffix("\n").split("\n") if text else []
    if len(lines) > 1 and not lines[-1].strip():
        notes = (*notes, f"{path.name} ends in a blank line: accepted, ignored")
    while len(lines) > 1 and not lines[-1].strip():
        lines.pop()
    name = path.name
    for number, line in enumerate(lines, start=1):
        parsed = _parse_line(line, f"{name}:{number}")
        if isinstance(parsed, Problem):
            problems.append(parsed)
        else:
            samples.append(Sample(*parsed, number))
    return LabelFile(path, tuple(samples), tuple(problems), notes)


def format_line(image: str, label: str) -> str:
    """One label line with its newline; ValueError for what the format cannot hold."""
    if any(mark in image + label for mark in "\t\n\r") or not label.strip():
        raise ValueError(f"{image!r}: a label is one line of text without tabs, not {label!r}")
    return f"{image}\t{label}\n"


def path_problem(image: str) -> str | None:
    """Why an image path of a label line is refused, or None. Label paths never leave the dataset folder."""
    if "://" in image:
        return "is an address, not a file of the dataset"
    if "\0" in image:
        return "holds a NUL character"
    path = image.replace("\\", "/")
    if path.startswith("/") or path[1:2] == ":":
        return "is an absolute path"
    if ".." in path and ".." in path.split("/"):
        return "leaves the dataset folder"
    return None


def read_dictionary(path: Path) -> Dictionary:
    """Read dict.txt. Lines that PaddleOCR could never predict are left out and noted.

    Only LF ends a line: U+3000 and other blanks are characters of real dictionaries.
    """
    text, notes = read_text(path)
    characters: dict[str, None] = {}
    dropped: list[str] = []
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    for number, line in enumerate(lines, start=1):
        where = f"{path.name}:{number}"
        if line == "":
            dropped.append(f"{where} is blank: left out")
        elif line == " ":
            dropped.append(f"{where} is the space: left out, use_space_char adds it")
        elif len(line) > 1:
            dropped.append(f"{where} {quoted(line)} has {len(line)} code points and can never be predicted: left out")
        elif line in characters:
            dropped.append(f"{where} repeats {line!r}: left out")
        else:
            characters[line] = None
    if not characters:
        raise UserError(f"{path} holds no characters: write one character a line")
    if len(dropped) > NOTES:
        dropped[NOTES:] = [f"{len(dropped) - NOTES:,} more lines of {path.name} are such: left out"]
    return Dictionary(tuple(characters), (*notes, *dropped))


def build_dictionary(labels: Iterable[str]) -> Dictionary:
    """The code points of the labels in code point order, without the space."""
    return Dictionary(tuple(sorted({character for label in labels for character in label} - {" "})))


def content_hash(entries: Iterable[tuple[str, str, str, str]]) -> str:
    """Hash of a dataset's content: (split, image path, label, image sha256) in any order."""
    return hash_in_order(sorted(entries))


def hash_in_order(entries: Iterable[tuple[str, str, str, str]]) -> str:
    """The same hash of entries that are sorted already, one after the other."""
    digest = hashlib.sha256()
    quote = json.encoder.encode_basestring  # what json.dumps makes of a string, without an encoder for each
    for entry in entries:
        digest.update(f"[{', '.join(map(quote, entry))}]\n".encode())
    return digest.hexdigest()


def image_file(folder: Path, image: str) -> Path:
    """Where the image of a label line lies; Windows separators are accepted."""
    return folder / image.replace("\\", "/")


def _parse_line(line: str, where: str) -> tuple[str, str] | Problem:
    image, tab, label = line.partition("\t")
    if not tab:
        what = "the line is blank" if not line.strip() else "the line has no tab"
        return Problem("no tab", where, what, "write image path, one tab, label")
    if "\r" in label:
        remedy = "remove it, or save the file with LF at the end of lines"
        return Problem("bad character", where, "the label holds a carriage return", remedy)
    if "\t" in label:
        return Problem(
            "tab in label", where, "the label holds a tab and PaddleOCR would cut it there", "replace the tab"
        )
    if not label.strip():
        return Problem(
            "blank label", where, f"the label of {quoted(image)} is blank", "write its text or delete the line"
        )
    if not image.strip():
        return Problem("no image", where, "the image path is blank", "write image path, one tab, label")
    reason = path_problem(image)
    if reason:
        return Problem("path", where, f"{quoted(image)} {reason}", "use a path inside the dataset folder")
    return image, label


_REMEDY_MISSING = {
    TRAIN_LABELS: "a dataset folder needs train.txt; convert_data.py makes one",
    VAL_LABELS: "a dataset folder needs val.txt; convert_data.py splits one off",
    DICTIONARY: "a dataset folder needs dict.txt; convert_data.py builds one from the labels",
}
