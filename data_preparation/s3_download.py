"""Brings a dataset home from S3, each file verified against the manifest of its upload.

Files come into a hidden folder beside the output, which is renamed when all are there and sound. What has come and is
verified stays there when something ends it, and the same call goes on.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from contract.errors import UserError
from data_preparation.aws import open_client
from data_preparation.dataset_files import CHUNK, DatasetFile, read_dataset
from data_preparation.in_parallel import in_parallel
from data_preparation.meter import Meter
from data_preparation.new_folder import check_new
from data_preparation.remote_dataset import find_dataset
from data_preparation.s3_folder import S3Folder, s3_folder
from data_preparation.upload_manifest import NAME, Summary, parse_manifest
from data_preparation.wording import counted, verb

WORKERS = 16
ATTEMPTS = 8
SHOWN = 3  # damaged files that a message names

Show = Callable[[Meter], None]


@dataclass(frozen=True)
class DatasetDownload:
    """A dataset that has come home; of a dry run, one that would."""

    uri: str
    folder: str
    content_sha256: str
    files: int
    bytes: int
    skipped: int  # files that an earlier call had brought
    seconds: float


def download_dataset(
    address: str,
    into: Path,
    session: Any,
    region: str,
    *,
    dry_run: bool = False,
    show: Show = lambda meter: None,
) -> DatasetDownload:
    """Fetch the complete dataset at or below an address into a new folder. Raises UserError."""
    began = time.monotonic()
    client = open_client(session, "s3", region, connections=WORKERS, attempts=ATTEMPTS)
    folder = find_dataset(s3_folder(client, address, region))
    summary, files, digest = _manifest(folder)
    check_new(into)
    staging = into.parent / f".{into.name}.partial-{digest[:12]}"
    download = _Download(folder, files, staging, show)
    if not dry_run:
        with _written(into, staging):
            staging.mkdir(parents=True, exist_ok=True)
            download.check_space()
            download.fetch()
            _check_content(staging, folder, summary.content_sha256)
            if into.is_dir():
                into.rmdir()  # empty: only POSIX renames over it
            staging.replace(into)
    return DatasetDownload(
        folder.uri,
        str(into),
        summary.content_sha256,
        summary.files,
        summary.bytes,
        download.skipped,
        time.monotonic() - began,
    )


class _Download:
    """The files of a dataset on their way into a folder."""

    def __init__(self, folder: S3Folder, files: list[DatasetFile], staging: Path, show: Show) -> None:
        self._folder = folder
        self._files = files
        self._staging = staging
        self._meter = Meter(len(files), sum(file.bytes for file in files), show)
        self._here = {file.path for file in files if _size(staging / file.path) == file.bytes}
        self.skipped = len(self._here)  # until they are read, by their size

    def check_space(self) -> None:
        """Raise UserError when the disk is too small for what is to come."""
        needed = sum(file.bytes for file in self._files if file.path not in self._here)
        free = shutil.disk_usage(self._staging).free
        if needed > free:
            raise UserError(
                f"{self._staging.parent} has {free / 1e6:,.3g} MB left, and {needed / 1e6:,.3g} MB are to come: make"
                " room, or name a folder on another disk with --output-dir"
            )

    def fetch(self) -> None:
        """Bring what is not here. Raises UserError that names what is no longer as it was uploaded."""
        self.skipped = 0
        damaged = []
        with self._folder.explained(f"downloading {self._folder.uri}"):
            for file, was_here, sound in in_parallel(self._bring, self._files, WORKERS):
                self.skipped += was_here
                if not sound:
                    damaged.append(file.path)
        if damaged:
            damaged.sort()
            names = ", ".join(damaged[:SHOWN]) + (", …" if len(damaged) > SHOWN else "")
            raise UserError(
                f"{self._folder.uri}: {counted(len(damaged), 'file')} {verb(len(damaged), 'is', 'are')} gone or altered"
                f" since the upload ({names}): delete {NAME} and what is named there, and upload the dataset again"
            )

    def _bring(self, file: DatasetFile) -> tuple[DatasetFile, bool, bool]:
        """The file, whether it was here already, whether it is now what was uploaded."""
        path = self._staging / file.path
        if file.path in self._here and _sha256(path) == file.sha256:
            self._meter.finished(1, file.bytes, found=True)
            return file, True, True
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.partial")
        for _ in range(2):  # what was damaged on its way is whole the second time
            with partial.open("wb") as out:
                there = self._folder.fetch(file.path, out, self._meter.moved)
                size = out.tell()
            if there and size == file.bytes and _sha256(partial) == file.sha256:
                partial.replace(path)
                self._meter.finished(1)
                return file, False, True
            self._meter.moved(-size)
            if not there:
                break
        partial.unlink()
        return file, False, False


def _manifest(folder: S3Folder) -> tuple[Summary, list[DatasetFile], str]:
    """What was uploaded, and the SHA-256 of its manifest. Raises UserError."""
    data = BytesIO()
    with folder.explained(f"downloading {folder.uri}{NAME}"):
        folder.fetch(NAME, data, lambda size: None)
    try:
        return *parse_manifest(data.getvalue()), hashlib.sha256(data.getvalue()).hexdigest()
    except ValueError as error:
        remedy = "delete it and upload the dataset again"
        raise UserError(f"{folder.uri}{NAME} is not what an upload wrote ({error}): {remedy}") from None


def _check_content(staging: Path, folder: S3Folder, content_sha256: str) -> None:
    """Raise UserError unless the whole is the dataset that was uploaded: manifests can be altered, too."""
    try:
        found = read_dataset(staging).content_sha256
    except UserError as error:
        said = f"what it lists is no sound dataset ({error})"
    else:
        if found == content_sha256:
            return
        said = "what it lists has another content hash than it says"
    raise UserError(f"{folder.uri}{NAME} has been altered, {said}: delete it and upload the dataset again")


@contextmanager
def _written(into: Path, staging: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        kept = f"what has come is kept in {staging}, and the same command goes on"
        raise UserError(f"{into} cannot be written ({error.strerror}): check space and permissions; {kept}") from error


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else -1


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
