"""Brings a dataset to S3, once per content: s3://BUCKET/PREFIX/datasets/<name>/<content hash>/. Never deletes.

The manifest is written last, so that its presence says: complete. Whatever ends an upload before that, the same call
goes on: it lists what is there and sends what is missing or differs. S3 checks the SHA-256 of every object it takes.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from contract.dataset import DICTIONARY, TRAIN_LABELS
from contract.errors import UserError
from data_preparation.aws import open_client
from data_preparation.dataset_files import CHUNK, DatasetFile, LocalDataset
from data_preparation.in_parallel import in_parallel
from data_preparation.s3_folder import Listed, S3Folder, s3_folder
from data_preparation.upload_manifest import NAME, SUMMARY_BYTES, Summary, parse_summary, summarise, write_manifest

WORKERS = 32  # a PUT of a small file waits 20 to 60 ms for S3
ATTEMPTS = 8  # some 35 seconds: S3 asks to slow down while it spreads a new prefix over more machines

LISTED_AT_MOST = 50_000  # files; a request lists a thousand, and beyond this the manifest's word counts

Advance = Callable[[int, int], None]  # files that are there, files in all


@dataclass(frozen=True)
class DatasetUpload:
    """Where the dataset is now, and what it took."""

    uri: str  # ends with /
    content_sha256: str
    files: int
    bytes: int
    skipped: int  # files that were there already
    seconds: float


@dataclass(frozen=True)
class RemoteDataset:
    """A dataset folder in S3. `summary` is None when no upload of ours was completed there."""

    uri: str
    files: int
    bytes: int
    summary: Summary | None


def dataset_uri(dataset: LocalDataset, prefix: str) -> str:
    """Where a dataset goes below `s3://BUCKET/PREFIX`."""
    return f"{prefix.rstrip('/')}/datasets/{dataset.name}/{dataset.content_sha256}/"


def upload_dataset(
    dataset: LocalDataset,
    prefix: str,
    session: Any,
    region: str,
    *,
    kms_key: str = "",
    advance: Advance | None = None,
) -> DatasetUpload:
    """Send what is not there yet; a look at each text and one at a thousand images when everything is. UserError.

    kms_key: id, ARN or alias of the key to encrypt with; empty: as the bucket does.
    """
    began = time.monotonic()
    summary = summarise(dataset, kms_key)
    client = open_client(session, "s3", region, connections=WORKERS, attempts=ATTEMPTS)
    for uri in _addresses(dataset, prefix):
        upload = _Upload(dataset, summary, s3_folder(client, uri, region, kms_key), advance)
        if upload.brought():
            seconds = time.monotonic() - began
            return DatasetUpload(uri, dataset.content_sha256, dataset.files, dataset.bytes, upload.skipped, seconds)
    raise UserError(f"{uri} holds labels that are not its own: remove this folder, or upload below another prefix")


def describe_dataset_uri(uri: str, session: Any, region: str) -> RemoteDataset:
    """What a dataset folder in S3 holds: from its manifest, or counted when it has none. Raises UserError."""
    folder = s3_folder(open_client(session, "s3", region), uri, region)
    with folder.explained(f"looking at {folder.uri}"):
        folder.check_region()
        summary = _summary_in(folder)
        if summary:
            return RemoteDataset(folder.uri, summary.files, summary.bytes, summary)
        files = size = 0
        needed = {TRAIN_LABELS, DICTIONARY}
        for each in folder.listed():
            files, size = files + 1, size + each.bytes
            needed.discard(each.path)
    if not files:
        raise UserError(f"{folder.uri} holds nothing: check the address, or upload a dataset folder there")
    if needed:
        raise UserError(f"{folder.uri} holds no {' and no '.join(sorted(needed))}: name the folder of a dataset")
    return RemoteDataset(folder.uri, files, size, None)


def _addresses(dataset: LocalDataset, prefix: str) -> Iterator[str]:
    """The dataset's own address and, where that is taken, a second one.

    The content hash covers images and labels. The same content with another dictionary or order of lines is another
    dataset to train on, and must not end up on top of the first.
    """
    address = dataset_uri(dataset, prefix)
    yield address
    texts = "".join(f"{file.path} {file.sha256}\n" for file in dataset.texts)
    yield f"{address[:-1]}-{hashlib.sha256(texts.encode()).hexdigest()[:12]}/"


class _Upload:
    """One dataset on its way to one address."""

    def __init__(self, dataset: LocalDataset, summary: Summary, folder: S3Folder, advance: Advance | None) -> None:
        self._dataset = dataset
        self._summary = summary
        self._folder = folder
        self._advance = advance
        self._done = 0  # files that are there
        self.skipped = 0

    def brought(self) -> bool:
        """The whole dataset is there. False: the address holds another one, and stays as it is."""
        with self._explained():
            there = _summary_in(self._folder)
            if there and not self._is_ours(there):
                return False
            if there and self._is_whole():
                self.skipped = self._dataset.files
                return True
            self._folder.check_region()
            for text in self._dataset.texts:
                if not self._bring_text(text):
                    return False
            images = _beside(self._dataset.images, self._folder.listed())
            for sent in in_parallel(lambda pair: self._bring_image(*pair), images, WORKERS):
                self._count(sent)
            return self._finish()

    def _is_whole(self) -> bool:
        """What the manifest speaks of still lies there: lifecycle rules and people delete, too."""
        for file in self._dataset.texts:
            with _opened(self._dataset.folder, file) as (_, md5):
                if not self._folder.holds_still(file, md5):
                    return False
        if self._dataset.files > LISTED_AT_MOST:
            return True
        count = size = 0
        for each in self._folder.listed():
            if each.path != NAME:
                count, size = count + 1, size + each.bytes
        return (count, size) == (self._dataset.files, self._dataset.bytes)

    def _bring_text(self, file: DatasetFile) -> bool:
        """Send a text file where none is; False when there is another. They go first and so claim the address."""
        with _opened(self._dataset.folder, file) as (body, md5):
            sent = self._folder.put(file.path, body, file.sha256, only_new=True)
            if not sent and not self._folder.holds(file, md5):
                return False
        self._count(sent)
        return True

    def _bring_image(self, file: DatasetFile, listed: Listed | None) -> bool:
        """Send an image unless it is there; whether it was sent."""
        from botocore.exceptions import ClientError

        with _opened(self._dataset.folder, file) as (body, md5):
            try:
                if listed and self._folder.holds(file, md5, listed):
                    return False
            except ClientError:
                pass  # S3 does not say what it is (kms:Decrypt may be missing): sending it says what is wrong
            return self._folder.put(file.path, body, file.sha256)

    def _finish(self) -> bool:
        """Write the manifest. False when someone else has just completed another dataset here."""
        with tempfile.TemporaryFile() as manifest:
            write_manifest(self._summary, self._dataset, manifest)
            sha256, _ = _hashes(manifest)
            if self._folder.put(NAME, manifest, sha256, only_new=True):
                return True
        there = _summary_in(self._folder)  # of someone else, or of our own request whose answer was lost
        return there is not None and self._is_ours(there)

    def _is_ours(self, there: Summary) -> bool:
        if there.texts != self._summary.texts:
            return False
        if self._summary.kms_key not in ("", there.kms_key):
            key = f"the key {there.kms_key}" if there.kms_key else "the bucket's own key"
            raise UserError(
                f"{self._folder.uri} is complete and encrypted with {key}: leave --kms-key out, or upload below another"
                " prefix"
            )
        return True

    def _count(self, sent: bool) -> None:
        self._done += 1
        self.skipped += not sent
        if self._advance:
            self._advance(self._done, self._dataset.files)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except (BotoCoreError, ClientError) as error:
            there = (
                f"; at least {self._done:,} of {self._dataset.files:,} files are there, and the same command goes on"
            )
            doing = f"uploading {self._dataset.folder} to {self._folder.uri}"
            raise UserError(f"{doing}: {self._folder.reason(error)}{there if self._done else ''}") from error


def _summary_in(folder: S3Folder) -> Summary | None:
    """What the manifest of a complete upload says; None where there is none."""
    start = folder.beginning(NAME, SUMMARY_BYTES)
    try:
        return None if start is None else parse_summary(start)
    except ValueError as error:
        raise UserError(f"{folder.uri}{NAME} is no manifest of an upload ({error}): take another prefix") from None


def _beside(images: Iterable[DatasetFile], listed: Iterator[Listed]) -> Iterator[tuple[DatasetFile, Listed | None]]:
    """Each image with what S3 has of its name. Both come in the same order, so neither is held in memory."""
    there = next(listed, None)
    for image in images:
        while there and there.path.encode() < image.path.encode():
            there = next(listed, None)
        yield image, there if there and there.path == image.path else None


@contextmanager
def _opened(folder: Path, file: DatasetFile) -> Iterator[tuple[bytes | BinaryIO, str]]:
    """The content of a file, which is still the one that was hashed, and its MD5. Raises UserError."""
    path = folder / file.path
    try:
        with path.open("rb") as stream:
            # botocore asks S3 first whether to send a stream (100-continue), which doubles the wait for a small file.
            body = stream.read(CHUNK + 1) if file.bytes <= CHUNK else stream
            sha256, md5 = _hashes(BytesIO(body) if isinstance(body, bytes) else body)
            if sha256 != file.sha256:
                raise UserError(f"{path} changed while the dataset was uploaded: start again when nothing writes there")
            yield body, md5
    except FileNotFoundError:
        raise UserError(f"{path} went away while the dataset was uploaded: put it back and start again") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): check the disk and the permissions") from None


def _hashes(stream: BinaryIO) -> tuple[str, str]:
    """SHA-256 and MD5, which S3 shows in listings, of a whole file."""
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    stream.seek(0)
    while chunk := stream.read(CHUNK):
        sha256.update(chunk)
        md5.update(chunk)
    return sha256.hexdigest(), md5.hexdigest()
