"""Which files of a folder are the dataset, with size and hash: the labels, the dictionary, the images labels name."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from contract.check import check_dataset
from contract.dataset import DICTIONARY, MANIFEST, TRAIN_LABELS, VAL_LABELS, Sample
from contract.errors import UserError
from contract.image_check import Progress
from contract.picture import Look, Picture
from contract.report import Report, Split
from contract.shards import INDEX, REMEDY, SHARDS, SUMMARY, is_packed, read_summary

TEXTS = (TRAIN_LABELS, VAL_LABELS, DICTIONARY, MANIFEST)
CHUNK = 1 << 20  # bytes read at once


@dataclass(frozen=True)
class DatasetFile:
    """One file; `path` is relative to the dataset, with / between folders."""

    path: str
    bytes: int
    sha256: str


class ImageFiles:
    """Files of images, loose or shards, in the order of UTF-8 bytes, as S3 lists keys.

    Some 120 bytes each: there may be a million.
    """

    def __init__(self) -> None:
        self._rows: list[bytes] = []  # path, NUL, 8 bytes of size, 32 of SHA-256: they sort by path

    def add(self, image: str, size: int, sha256: str) -> None:
        """Take in an image as a label names it."""
        path = PurePosixPath(image.replace("\\", "/")).as_posix()
        self._rows.append(path.encode() + b"\0" + size.to_bytes(8, "big") + bytes.fromhex(sha256))

    def sort(self) -> None:
        """Put them in order, each once."""
        self._rows.sort()
        self._rows = [row for row, before in zip(self._rows, [b"", *self._rows], strict=False) if row != before]

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[DatasetFile]:
        for row in self._rows:
            yield DatasetFile(row[:-41].decode(), int.from_bytes(row[-40:-32], "big"), row[-32:].hex())

    @property
    def bytes(self) -> int:
        return sum(int.from_bytes(row[-40:-32], "big") for row in self._rows)


@dataclass(frozen=True)
class LocalDataset:
    """A sound dataset as it was when it was read. `report` is what the check found."""

    folder: Path
    texts: tuple[DatasetFile, ...]
    images: ImageFiles
    report: Report

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

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._texts = read_texts(folder)
        self._images = ImageFiles()

    def add_image(self, split: Split, sample: Sample, picture: Picture) -> None:
        """The `found` of contract.check.check_dataset."""
        self._images.add(sample.image, picture.size, picture.sha256)

    def dataset(self, report: Report) -> LocalDataset:
        """The dataset, after the check. Raises UserError when it is not sound."""
        report.refuse()
        if is_packed(self._folder):
            return LocalDataset(self._folder, self._texts, packed_files(self._folder), report)
        self._images.sort()
        return LocalDataset(self._folder, self._texts, self._images, report)


def read_dataset(folder: Path, progress: Progress | None = None) -> LocalDataset:
    """Check and hash a dataset without decoding its images. Raises UserError."""
    files = DatasetFiles(folder)
    return files.dataset(check_dataset(folder, None, _not_decoded, progress=progress, found=files.add_image))


def _not_decoded(data: bytes) -> Look:
    """What decodes is validate's question; it needs OpenCV."""
    return Look()


def dataset_name(folder: Path) -> str:
    """The folder's name in characters that S3 calls safe in keys."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "-" for c in folder.resolve().name)
    return plain.strip("-.") or "dataset"


def packed_files(folder: Path) -> ImageFiles:
    """The shards of a packed dataset, their index and their summary, hashed. Raises UserError for a damaged shard."""
    shards, index_sha256 = read_summary(folder)
    said = {shard.file: shard.sha256 for shard in shards} | {INDEX: index_sha256}
    files = ImageFiles()
    for name in (*said, SUMMARY):
        file = _hashed(folder, f"{SHARDS}/{name}")
        if file.sha256 != said.get(name, file.sha256):
            raise UserError(f"{folder / file.path} has been altered, its sha256 is not the one in {SUMMARY}: {REMEDY}")
        files.add(file.path, file.bytes, file.sha256)
    files.sort()
    return files


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


def _hashed(folder: Path, name: str) -> DatasetFile:
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise UserError(f"{path} is a link that leaves the dataset folder: put the file itself there")
    digest, size = hashlib.sha256(), 0
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
                size += len(chunk)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): it must be a readable file") from None
    return DatasetFile(name, size, digest.hexdigest())
