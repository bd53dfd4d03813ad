"""XML from outside, page by page: no document type, no entities, no file but the one given, bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from data_preparation.wording import counted

MAX_BYTES = 1_000_000_000  # of one file: a scanned book of ABBYY's has some 200 MB
MAX_PAGE_BYTES = 64_000_000
MAX_PAGE_ELEMENTS = 200_000  # some 200 MB of memory: ABBYY has one for each character, PAGE up to five
MAX_UNREAD = 2_000_000  # bytes; expat before 2.6 reads an unfinished tag or comment again with every piece
MAX_DEPTH = 100
_CHUNK = 1 << 16


def note_others(files: Sequence[Path], read: Sequence[Path]) -> tuple[str, ...]:
    """A note when some of the files were not read."""
    known = set(read)
    others = [path.name for path in files if path not in known]
    if not others:
        return ()
    return (f"{counted(len(others), 'XML file')} of another kind: left alone, first {others[0]}",)


def root_of(path: Path) -> tuple[str, str] | None:
    """Namespace and name of the outermost element, as the document type has it if there is one; None when not XML."""
    names: list[str] = []

    def start(name: str, *_: object) -> NoReturn:
        names.append(name)
        raise _Enough

    parser = _parser()
    parser.StartDoctypeDeclHandler = start
    parser.StartElementHandler = start
    try:
        with path.open("rb") as file:
            parser.Parse(file.read(_CHUNK), False)
    except (expat.ExpatError, LookupError, ValueError, _Enough):
        pass
    if not names:
        return None
    namespace, _, name = names[0].rpartition("}")
    return namespace, name


def pages_of(path: Path, name: str) -> Iterator[Element]:
    """Every element of that name in the order of their ends, with all that is in it.

    Namespaces are left out of all names. Only one element is in memory at a time. Raises RefusedXml when the file is
    no sound XML, declares a document type or is beyond the limits above; what came before has been given already.
    Raises OSError when the file cannot be read.
    """
    if path.stat().st_size > MAX_BYTES:
        raise RefusedXml(f"has {path.stat().st_size:,} bytes, over the limit of {MAX_BYTES:,}")
    collector = _Collector(name)
    parser = _parser()
    parser.StartElementHandler = collector.start
    parser.EndElementHandler = collector.end
    parser.CharacterDataHandler = collector.text
    since_last = 0  # bytes read since a page was complete
    parsed = 0  # bytes
    with path.open("rb") as file:
        while True:
            chunk = file.read(_CHUNK)
            _parse(parser, chunk)
            parsed = max(parsed, parser.CurrentByteIndex)  # -1 when expat has held a piece back
            if file.tell() - parsed > MAX_UNREAD:
                raise RefusedXml(f"has a tag or comment of more than {MAX_UNREAD // 2:,} bytes")  # 2.6 holds back twice
            pages = collector.take()
            since_last = 0 if pages else since_last + len(chunk)
            if since_last > MAX_PAGE_BYTES:
                raise RefusedXml(f"has a page of more than {MAX_PAGE_BYTES:,} bytes")
            yield from pages
            if not chunk:
                return


class RefusedXml(ValueError):
    """Why a file is not read, in words that continue "the file …"."""


class _Enough(Exception):
    """The root has been seen."""


def _parser() -> expat.XMLParserType:
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_document_type
    return parser


def _parse(parser: expat.XMLParserType, chunk: bytes) -> None:
    """Hand a piece of the file to the parser; an empty one ends it."""
    try:
        parser.Parse(chunk, not chunk)
    except expat.ExpatError as error:
        words = expat.ErrorString(error.code)
        raise RefusedXml(f"is not sound XML (line {error.lineno}: {words})") from None
    except RefusedXml:
        raise
    except (LookupError, ValueError) as error:  # of Python's codecs
        raise RefusedXml(f"is in an encoding that is not read ({error}): save it as UTF-8") from None


def _refuse_document_type(*_: object) -> NoReturn:
    """Without a document type there are neither entities that grow nor any that open files and addresses."""
    raise RefusedXml("declares a document type, which is not read because it can make a small file huge: delete it")


@dataclass
class _Collector:
    """Builds the elements of one name, one after the other, from the parser's events."""

    name: str
    finished: list[Element] = field(default_factory=list)
    builder: TreeBuilder | None = None
    depth: int = 0
    inside: int = 0  # depth below the element that is being built
    elements: int = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise RefusedXml(f"is nested more than {MAX_DEPTH} elements deep")
        name = _local(name)
        if self.builder is None and name == self.name:
            self.builder = TreeBuilder()
            self.elements = 0
        if self.builder is not None:
            self.inside += 1
            self.elements += 1
            if self.elements > MAX_PAGE_ELEMENTS:
                raise RefusedXml(f"has a page with more than {MAX_PAGE_ELEMENTS:,} elements")
            self.builder.start(name, {_local(key): value for key, value in attributes.items()})

    def end(self, name: str) -> None:
        self.depth -= 1
        if self.builder is not None:
            self.inside -= 1
            self.builder.end(_local(name))
            if self.inside == 0:
                self.finished.append(self.builder.close())
                self.builder = None

    def text(self, text: str) -> None:
        if self.builder is not None:
            self.builder.data(text)

    def take(self) -> list[Element]:
        """The elements that are complete, each given once."""
        taken, self.finished = self.finished, []
        return taken


def _local(name: str) -> str:
    return name.rpartition("}")[2]
