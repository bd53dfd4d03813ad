"""What the SDK has packed of a job, taken out of its archives: the model, and why the job failed."""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from contract.paths import FAILURE_LIMIT

LAST = "run.json"  # says that the model is complete


def take_model(output: Path, model: Path, needed: tuple[str, ...] = (LAST,)) -> bool:
    """Put a complete model in the place of what `model` holds. Raises OSError.

    False: the archive is not there or lacks something that is needed, and nothing has changed.
    """
    archive = output / "model.tar.gz"
    if not archive.exists():
        return False
    staging = model / ".tmp-artifact"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir()
    try:
        unpack(archive, staging)
        is_complete = all((staging / name).exists() for name in needed)
        if is_complete:
            for old in model.iterdir():
                if old != staging:
                    shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
            for new in sorted(staging.iterdir(), key=lambda path: path.name == LAST):
                new.rename(model / new.name)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return is_complete


def take_failure(output: Path, failure: Path) -> None:
    """The container's output/failure, if it wrote one."""
    try:
        with tarfile.open(output / "output.tar.gz") as tar:
            file = tar.extractfile(failure.name)
            if file:
                failure.write_bytes(file.read(4 * FAILURE_LIMIT))  # the limit counts characters
    except (OSError, KeyError, tarfile.TarError, EOFError, zlib.error):
        pass  # it failed without a word, or before it was packed: the caller knows what else there is to say


def unpack(archive: Path, folder: Path) -> None:
    """Plain files and folders, all of them below `folder`; whatever else an archive may hold is refused (OSError)."""
    try:
        with gzip.open(archive) as stream:
            with tarfile.open(str(archive), "r:", stream) as tar:
                for entry in tar:
                    _take(tar, entry, folder)
            while stream.read(1 << 20):
                pass  # the checksum comes after the last byte
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise OSError(None, f"the archive is damaged ({error})", str(archive)) from None


def _take(tar: tarfile.TarFile, entry: tarfile.TarInfo, folder: Path) -> None:
    path = PurePosixPath(entry.name)
    if path.is_absolute() or ".." in path.parts or not (entry.isreg() or entry.isdir()):
        raise OSError(None, f"{entry.name} has no place in a model", str(tar.name))
    target = folder / path
    if entry.isdir():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    source = tar.extractfile(entry)
    assert source
    with target.open("xb") as writing:
        shutil.copyfileobj(source, writing, 1 << 20)
        writing.flush()
        os.fsync(writing.fileno())
