"""model.tar.gz as SageMaker would upload it; the same files give the same bytes."""

from __future__ import annotations

import gzip
import tarfile
from pathlib import Path


def pack_model(model: Path, archive: Path) -> None:
    """Pack the content of `model`, written beside the archive and renamed. Raises OSError, nothing half-written."""
    partial = archive.with_name(f".{archive.name}.partial")  # one writer: the run is locked
    try:
        with (
            partial.open("wb") as raw,
            gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar,
        ):
            for path in sorted(model.rglob("*")):
                tar.add(path, path.relative_to(model).as_posix(), recursive=False, filter=_anonymous)
        partial.replace(archive)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Owner, time and permissions of this machine say nothing about the model."""
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o755 if entry.isdir() else 0o644
    return entry
