"""Which files of a folder are the dataset, with size and hash: the labels, the dictionary, the images labels name."""

from __future__ import annotations

import hashlib
import shutil
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from contract.check import check_dataset
from contract.dataset import DICTIONARY, MANIFEST, TRAIN_LABELS, VAL_LABELS, Sample
from contract.errors import UserError
from contract.image_check import Over, Progress
from contract.image_header import Bytes
from contract.picture import Look, Picture
from contract.report import Report, Split
from contract.shards import plain_path

TEXTS = (TRAIN_LABELS, VAL_LABELS, DICTIONARY, MANIFEST)
CHUNK = 1 << 20  # bytes read at once


@dataclass(frozen=True)
class DatasetFile:
    """One file; `path` is relative to the dataset, with / between folders."""

    path: str
    bytes: int
    sha256: str


class ImageFiles:
    """The images in the order of UTF-8 bytes, as S3 lists keys. Some 120 bytes each: there may be a million."""

    def __init__(self) -> None:
        self._rows: list[bytes] = []  # path, NUL, 8 bytes of size, 32 of SHA-256: they sort by path

    def add(self, path: str, size: int, sha256: str) -> None:
        """Take in an image, with its path as plain_path makes it."""
        self._rows.append(path.encode() + b"\0" + size.to_bytes(8, "big") + bytes.fromhex(sha256))

    def sort(self) -> None:
        """Put them in order, each once."""
        self._rows.sort()
        self._rows = [row for row, before in zip(self._rows, [b"", *self._rows], strict=False) if row != before]

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[DatasetFile]:
        return map(_file, self._rows)

    def __contains__(self, path: str) -> bool:
        return self._row(path) is not None

    def __getitem__(self, path: str) -> DatasetFile:
        row = self._row(path)
        if row is None:
            raise KeyError(path)
        return _file(row)

    def _row(self, path: str) -> bytes | None:
        start = path.encode() + b"\0"
        near = bisect_left(self._rows, start)
        return self._rows[near] if near < len(self._rows) and self._rows[near].startswith(start) else None

    @property
    def bytes(self) -> int:
        return sum(int.from_bytes(row[-40:-32], "big") for row in self._rows)


@dataclass(frozen=True)
class LocalDataset:
    """A sound dataset as it was when it was read, loose or packed. `report` is what the check found."""

    folder: Path
    texts: tuple[DatasetFile, ...]
    images: ImageFiles
    report: Report
    kept: Mapping[str, Bytes] = field(default_factory=dict, repr=False)  # some of the images, by path

    @property
    def name(self) -> str:
        return dataset_name(self.folder)

    @property
    def content_sha256(self) -> str:
        return self.report.content_sha256

    @property
    def files(self) -> int:
        return len(self.texts) + len(self.images)

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.texts) + self.images.bytes


class DatasetFiles:
    """Collects the files of a dataset while it is checked, so that its images are read once.

    Make it before the check: a label file that changes during it is noticed then.
    """

    def __init__(self, folder: Path, keep_bytes: int = 0) -> None:
        """keep_bytes: how much of the images to keep, so that it need not be read again; their check must keep data."""
        self._folder = folder
        self._texts = read_texts(folder)
        self._images = ImageFiles()
        self._kept: dict[str, Bytes] = {}
        self._keep_bytes = keep_bytes

    def add_image(self, split: Split, sample: Sample, picture: Picture) -> None:
        """The `found` of contract.check.check_dataset."""
        path = plain_path(sample.image)
        self._images.add(path, picture.size, picture.sha256)
        if len(picture.data) == picture.size <= self._keep_bytes:
            self._keep_bytes -= picture.size
            self._kept[path] = picture.data

    def dataset(self, report: Report) -> LocalDataset:
        """The dataset, after the check. Raises UserError when it is not sound."""
        report.refuse()
        self._images.sort()
        return LocalDataset(self._folder, self._texts, self._images, report, self._kept)


def read_dataset(folder: Path, progress: Progress | None = None, keep_bytes: int = 0, over: Over = map) -> LocalDataset:
    """Check and hash a dataset without decoding its images; keep some of them. Raises UserError.

    over: where images are looked at, such as data_preparation.beside.look_beside.
    """
    files = DatasetFiles(folder, keep_bytes)
    report = check_dataset(
        folder, None, _not_decoded, progress=progress, found=files.add_image, over=over, keep_data=keep_bytes > 0
    )
    return files.dataset(report)


_NOT_LOOKED = Look()


def _not_decoded(data: bytes) -> Look:
    """What decodes is validate's question; it needs OpenCV."""
    return _NOT_LOOKED


def dataset_name(folder: Path) -> str:
    """The folder's name in characters that S3 calls safe in keys."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "-" for c in folder.resolve().name)
    return plain.strip("-.") or "dataset"


def read_texts(folder: Path) -> tuple[DatasetFile, ...]:
    """Label files, dictionary and manifest, as far as they are there. Raises UserError for one that cannot be read."""
    return tuple(_hashed(folder, name) for name in TEXTS if (folder / name).exists())


def copy_texts(folder: Path, into: Path) -> tuple[DatasetFile, ...]:
    """Copy what read_texts tells, and return it. Raises UserError."""
    texts = read_texts(folder)
    for text in texts:
        shutil.copyfile(folder / text.path, into / text.path)
    check_texts(into, texts)
    return texts


def check_texts(folder: Path, texts: tuple[DatasetFile, ...]) -> None:
    """Raise UserError unless the texts of a folder are still these."""
    changed = {*read_texts(folder)} ^ {*texts}
    if changed:
        path = folder / min(text.path for text in changed)
        raise UserError(f"{path} changed while the dataset was read: leave the folder alone and start again")


def _file(row: bytes) -> DatasetFile:
    return DatasetFile(row[:-41].decode(), int.from_bytes(row[-40:-32], "big"), row[-32:].hex())


def _hashed(folder: Path, name: str) -> DatasetFile:
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise UserError(f"{path} is a link that leaves the dataset folder: put the file itself there")
    if not path.is_file():  # reading a pipe would never end
        raise UserError(f"{path} is not a file: put a text file in its place")
    digest, size = hashlib.sha256(), 0
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
                size += len(chunk)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): it must be a readable file") from None
    return DatasetFile(name, size, digest.hexdigest())
