"""A folder that appears complete or not at all."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contract.errors import UserError


def check_new(folder: Path, flag: str = "--output-dir") -> None:
    """Raise UserError unless the folder can appear: not there yet, or empty and no place that cannot be renamed over.

    `flag`: what names it.
    """
    if folder.is_symlink() or (folder.is_dir() and (folder.samefile(Path.cwd()) or folder.is_mount())):
        what = "a link, a mount point or the folder that you are in"
        raise UserError(f"{folder} is {what}: name a new folder in it with {flag}")
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file: name a new folder with {flag}")
    if folder.is_dir() and any(folder.iterdir()):
        raise UserError(f"{folder} is not empty: name a new folder with {flag}, or empty it first")


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Give a hidden sibling to write in; rename it to `folder` at the end, or remove it when anything fails."""
    check_new(folder)
    staging = folder.parent / f".{folder.name}.tmp-{secrets.token_hex(4)}"
    try:
        staging.mkdir(parents=True)
        yield staging
        if folder.is_dir():
            folder.rmdir()  # empty: only POSIX renames over it
        staging.replace(folder)
    except OSError as error:
        shutil.rmtree(staging, ignore_errors=True)
        raise UserError(f"{folder} cannot be written ({error.strerror}): check space and permissions") from error
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
