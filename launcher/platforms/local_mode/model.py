"""What the SDK has packed of a job, taken out of its archives: the model, and why the job failed."""

from __future__ import annotations

import os
import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from contract.paths import FAILURE_LIMIT

LAST = "run.json"  # says that the model is complete


def take_model(output: Path, model: Path) -> None:
    """Put a complete model in the place of what `model` holds. Without one, nothing changes. Raises OSError."""
    archive = output / "model.tar.gz"
    if not archive.exists():
        return
    staging = model / ".tmp-artifact"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir()
    try:
        unpack(archive, staging)
        if (staging / LAST).is_file():
            for old in model.iterdir():
                if old != staging:
                    shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
            for new in sorted(staging.iterdir(), key=lambda path: path.name == LAST):
                new.rename(model / new.name)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


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
        with tarfile.open(archive) as tar:
            for entry in tar:
                _take(tar, entry, folder)
    except (tarfile.TarError, EOFError, zlib.error) as error:
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
