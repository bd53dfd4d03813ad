"""From a dataset with loose images to a packed one, and back: the same images, labels and content hash.

Images lie in the shards in the order of the labels (train.txt, then val.txt), each path once, so the same dataset makes
the same bytes. Two paths with equal bytes are stored twice: every byte of a shard belongs to exactly one path
(contract/shards.py says what that is good for), and equal crops are rare enough to cost nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from contract.check import check_dataset
from contract.dataset import Sample
from contract.errors import UserError
from contract.image_check import Over
from contract.image_header import Bytes
from contract.images import Images, PackedImages, open_images
from contract.picture import Decode, Look, Picture
from contract.report import Report, Split
from contract.shards import (
    INDEX,
    SHARD_BYTES,
    SHARDS,
    SUMMARY,
    Shard,
    index_line,
    is_packed,
    plain_path,
    shard_name,
    summary_text,
)
from data_preparation.dataset_files import check_texts, copy_texts
from data_preparation.progress import Advance

BUFFER = 1 << 20  # written at once


@dataclass(frozen=True)
class Packed:
    """A dataset that has been packed."""

    report: Report
    shards: tuple[Shard, ...]

    @property
    def bytes(self) -> int:
        return sum(shard.bytes for shard in self.shards)


class ShardWriter:
    """Writes `shards/` of a dataset folder, image by image; shards.json, which makes it a packed dataset, comes last.

    Errors of writing are OSErrors. Use it in `with`: that closes its files.
    """

    def __init__(self, folder: Path, shard_bytes: int = SHARD_BYTES) -> None:
        self._folder = folder / SHARDS
        self._folder.mkdir()
        self._shard_bytes = shard_bytes
        self._index = _HashedFile(self._folder / INDEX)
        self._shard: _HashedFile | None = None
        self._in_shard = 0  # images
        self._shards: list[Shard] = []
        self._added: set[str] = set()

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for file in (self._index, self._shard):
            if file:
                file.close()

    def add_sample(self, split: Split, sample: Sample, picture: Picture) -> None:
        """The `found` of contract.check.check_dataset, with the data kept."""
        self.add(sample.image, picture.data, picture.sha256)

    def add(self, image: str, data: Bytes, sha256: str) -> None:
        """Pack an image, by its path in the labels; a path that is there already is passed over."""
        image = plain_path(image)
        if image in self._added:
            return
        self._added.add(image)
        if self._shard and self._shard.bytes + len(data) > self._shard_bytes:
            self._end_shard(self._shard)
        if self._shard is None:
            self._shard, self._in_shard = _HashedFile(self._folder / shard_name(len(self._shards))), 0
        self._index.write(index_line(image, len(self._shards), self._shard.bytes, len(data), sha256))
        self._shard.write(data)
        self._in_shard += 1

    def finish(self) -> tuple[Shard, ...]:
        """End the last shard, write the index and the summary."""
        if self._shard:
            self._end_shard(self._shard)
        summary = summary_text(tuple(self._shards), self._index.end())
        (self._folder / SUMMARY).write_bytes(summary.encode())
        return tuple(self._shards)

    def _end_shard(self, file: _HashedFile) -> None:
        self._shards.append(Shard(shard_name(len(self._shards)), file.bytes, file.end(), self._in_shard))
        self._shard = None


def pack_dataset(
    dataset: Path,
    into: Path,
    advance: Advance | None = None,
    *,
    decode: Decode | None = None,
    shard_bytes: int = SHARD_BYTES,
    over: Over = map,
    images: Callable[[Path], Images] = open_images,
) -> Packed:
    """Check a dataset and pack it into the existing, empty folder `into`, reading each image once.

    decode: does the image really decode? None: its header says that it is whole, as for an upload.
    over: where images are looked at, such as data_preparation.looking.over(2) for two processes.
    images: opens those of the dataset, such as data_preparation.reencoding.AsJpeg.
    Raises UserError for a dataset that is not sound (all images are looked at) and for labels that change meanwhile,
    OSError for what cannot be written.
    """
    texts = copy_texts(dataset, into)
    with ShardWriter(into, shard_bytes) as writer:
        report = check_dataset(
            dataset,
            None,
            decode or (lambda data: Look()),
            progress=advance,
            found=writer.add_sample,
            over=over,
            keep_data=True,
            images=images,
        )
        report.refuse()
        check_texts(dataset, texts)
        return Packed(report, writer.finish())


def unpack_dataset(dataset: Path, into: Path, advance: Advance | None = None) -> int:
    """Write the images of a packed dataset as files of their own, verified, and copy its texts; how many images.

    Raises UserError for a dataset that is not packed or whose shards are damaged, OSError for what cannot be written.
    """
    if not dataset.is_dir():
        raise UserError(f"{dataset} does not exist: name the folder of a packed dataset")
    if not is_packed(dataset):
        raise UserError(f"{dataset} is not packed: it has no {SHARDS}/{SUMMARY}, its images are files already")
    images = PackedImages(dataset)
    copy_texts(dataset, into)
    paths = images.paths()
    folders: set[Path] = set()
    for done, image in enumerate(paths, start=1):
        try:
            data, _ = images.read_verified(image)
        except ValueError as error:
            raise UserError(f"{dataset}: the image {image!r} {error}: {images.remedy}") from None
        file = into / image
        if file.parent not in folders:
            file.parent.mkdir(parents=True, exist_ok=True)
            folders.add(file.parent)
        try:
            with file.open("xb") as out:
                out.write(data)
        except FileExistsError:
            raise UserError(f"{dataset}: {image!r} is another image's name on this disk: unpack it elsewhere") from None
        if advance:
            advance(done, len(paths))
    return len(paths)


class _HashedFile:
    """A new file, its size and the sha256 of what has been written."""

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("xb", buffering=BUFFER)
        self._digest = hashlib.sha256()
        self.bytes = 0

    def write(self, data: Bytes) -> None:
        self._file.write(data)
        self._digest.update(data)
        self.bytes += len(data)

    def end(self) -> str:
        self.close()
        return self._digest.hexdigest()

    def close(self) -> None:
        self._file.close()
