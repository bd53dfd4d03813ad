"""What an upload consists of: each object that will lie in S3, and how its content is made when its turn comes.

Loose, every image is an object. Packed, the images of a shard go one after the other from memory, so that nothing of it
is ever on the disk; the same dataset always makes the same shards.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from io import BytesIO
from itertools import chain
from pathlib import Path

from contract.errors import UserError
from contract.image_header import Bytes
from contract.images import open_images
from contract.shards import INDEX, SHARD_BYTES, SHARDS, SUMMARY, Shard, index_line, plain_path, shard_name, summary_text
from data_preparation.dataset_files import DatasetFile, LocalDataset

INDEX_PATH = f"{SHARDS}/{INDEX}"
SUMMARY_PATH = f"{SHARDS}/{SUMMARY}"


@dataclass(frozen=True)
class Content:
    """The bytes of one object, verified to be those that were checked. Joined only for those who ask for `data`."""

    parts: tuple[Bytes, ...]  # one after the other
    sha256: str

    @cached_property
    def size(self) -> int:
        return sum(map(len, self.parts))

    @property
    def data(self) -> bytes:
        return b"".join(self.parts)

    @cached_property
    def md5(self) -> str:
        """What S3 shows of it in listings, unless it is encrypted with a KMS key."""
        return hashlib.md5(self.data, usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Piece:
    """One object of an upload. `content` raises UserError when the folder is no longer what was checked."""

    path: str  # below the folder in S3
    bytes: int
    files: int  # of the dataset, that it carries
    content: Callable[[], Content]


@dataclass(frozen=True)
class Shards:
    """The images of a dataset, packed."""

    shards: tuple[Piece, ...]
    index: Piece  # where each image lies; known before any shard is made

    def summary(self, sha256: Mapping[str, str]) -> Piece:
        """shards.json, which makes a folder a packed dataset, given the SHA-256 of each shard by its path."""
        rows = tuple(
            Shard(piece.path.rpartition("/")[2], piece.bytes, sha256[piece.path], piece.files) for piece in self.shards
        )
        text = summary_text(rows, self.index.content().sha256)
        return made_piece(SUMMARY_PATH, text.encode())


def text_pieces(dataset: LocalDataset) -> list[Piece]:
    """The label files, the dictionary and what else is text."""

    read = _Reader(dataset.folder, lambda path: (dataset.folder / path).read_bytes())
    return [Piece(file.path, file.bytes, 1, partial(_joined, [file], read)) for file in dataset.texts]


def loose_pieces(dataset: LocalDataset) -> Iterator[Piece]:
    """Every image by itself, in the order of UTF-8 bytes, as S3 lists keys."""
    read = _Reader(dataset.folder, open_images(dataset.folder).read, dataset.kept)
    for file in dataset.images:
        yield Piece(file.path, file.bytes, 1, partial(_joined, [file], read))


def pack(dataset: LocalDataset) -> Shards:
    """The shards that data_preparation/packing.py would write, of images that are loose or packed already."""
    read = _Reader(dataset.folder, open_images(dataset.folder).read, dataset.kept)
    shards: list[Piece] = []
    index = BytesIO()
    for files in _cut(_in_label_order(dataset)):
        offset = 0
        for file in files:
            index.write(index_line(file.path, len(shards), offset, file.bytes, file.sha256))
            offset += file.bytes
        content = partial(_joined, files, read)
        shards.append(Piece(f"{SHARDS}/{shard_name(len(shards))}", offset, len(files), content))
    return Shards(tuple(shards), made_piece(INDEX_PATH, index.getvalue()))


def made_piece(path: str, data: bytes) -> Piece:
    """Something that is no file of the folder."""
    content = Content((data,), hashlib.sha256(data).hexdigest())
    return Piece(path, len(data), 0, lambda: content)


def _in_label_order(dataset: LocalDataset) -> Iterator[DatasetFile]:
    samples = chain(dataset.report.samples("train"), dataset.report.samples("val"))
    return map(dataset.images.__getitem__, dict.fromkeys(plain_path(sample.image) for sample in samples))


def _cut(files: Iterable[DatasetFile]) -> Iterator[list[DatasetFile]]:
    """The files of each shard."""
    shard: list[DatasetFile] = []
    size = 0
    for file in files:
        if shard and size + file.bytes > SHARD_BYTES:
            yield shard
            shard, size = [], 0
        shard.append(file)
        size += file.bytes
    yield shard


@dataclass(frozen=True)
class _Reader:
    """Reads files of a dataset as they were when they were checked. Raises UserError for one that is another now."""

    folder: Path
    read: Callable[[str], bytes]
    kept: Mapping[str, Bytes] = field(default_factory=dict)

    def __call__(self, file: DatasetFile) -> Bytes:
        data = self.kept.get(file.path)
        if data is not None:
            return data
        try:
            data = self.read(file.path)
        except ValueError as error:
            said = f"{self.folder}: the image {file.path!r} {error}"
            raise UserError(f"{said}: it was sound when the dataset was checked; put it back and start again") from None
        except OSError as error:
            said = f"{self.folder / file.path} cannot be read ({error.strerror})"
            raise UserError(f"{said}: check the disk and the permissions") from None
        if hashlib.sha256(data).hexdigest() != file.sha256:
            said = f"{self.folder / file.path} changed while the dataset was uploaded"
            raise UserError(f"{said}: start again when nothing writes there")
        return data


def _joined(files: list[DatasetFile], read: Callable[[DatasetFile], Bytes]) -> Content:
    """The content of files one after the other."""
    if len(files) == 1:
        return Content((read(files[0]),), files[0].sha256)
    digest = hashlib.sha256()
    parts = []
    for file in files:
        parts.append(read(file))
        digest.update(parts[-1])
    return Content(tuple(parts), digest.hexdigest())
