"""Folders and S3 prefixes, the way SageMaker moves files between them."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any
from urllib.parse import urlparse

State = tuple[int, int, int]  # inode, time of change, size


class DataMissing(Exception):
    """What SageMaker says when there is nothing under a prefix."""


@dataclass(frozen=True)
class Prefix:
    """s3://bucket/prefix: everything whose key begins so, siblings of a folder too when there is no slash."""

    bucket: str
    prefix: str

    @classmethod
    def of(cls, uri: str) -> Prefix:
        parts = urlparse(uri)
        return cls(parts.netloc, parts.path.lstrip("/"))

    def keys(self, s3: Any) -> Iterator[str]:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix):
            yield from (entry["Key"] for entry in page.get("Contents", ()))

    def download(self, s3: Any, folder: Path) -> int:
        """Everything under the prefix into a folder. Returns how many files."""
        cut = self.prefix.rfind("/") + 1
        count = 0
        for key in self.keys(s3):
            if key.endswith("/"):
                continue  # what the console makes for an empty folder
            target = folder / key[cut:]
            target.parent.mkdir(parents=True, exist_ok=True)
            s3.download_file(self.bucket, key, str(target))
            count += 1
        return count


def upload_packed(s3: Any, folder: Path, uri: str) -> None:
    """The content of a folder as a .tar.gz."""
    where = Prefix.of(uri)
    with TemporaryFile() as file:
        with tarfile.open(fileobj=file, mode="w:gz") as tar:
            for path in sorted(folder.rglob("*")):
                tar.add(path, path.relative_to(folder).as_posix(), recursive=False)
        file.seek(0)
        s3.upload_fileobj(file, where.bucket, where.prefix)


class Mirror:
    """A folder copied to S3 while it changes: file by file, in no order that means anything, deletions too."""

    def __init__(self, s3: Any, folder: Path, uri: str) -> None:
        self._s3 = s3
        self._folder = folder
        self._where = Prefix.of(uri)
        self._copied = self._state()  # what was downloaded is there already

    def copy(self) -> None:
        """Bring S3 up to what is in the folder now. What changes meanwhile is seen the next time."""
        found = self._state()
        for name in sorted(found):
            if found[name] != self._copied.get(name):
                self._upload(name, found[name])
        for name in sorted(set(self._copied) - set(found)):
            self._s3.delete_object(Bucket=self._where.bucket, Key=self._where.prefix + name)
            del self._copied[name]

    def _upload(self, name: str, state: State) -> None:
        try:
            data = (self._folder / name).read_bytes()
        except OSError:
            return  # gone since it was seen
        self._s3.put_object(Bucket=self._where.bucket, Key=self._where.prefix + name, Body=data)
        self._copied[name] = state

    def _state(self) -> dict[str, State]:
        files: dict[str, State] = {}
        for path in self._folder.rglob("*"):
            try:
                status = path.stat()
            except OSError:
                continue
            if path.is_file():
                files[path.relative_to(self._folder).as_posix()] = (
                    status.st_ino,
                    status.st_mtime_ns,
                    status.st_size,
                )
        return files
