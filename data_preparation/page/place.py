"""Where a page is put: nothing but a page is ever replaced, and never by half of one."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from contract.errors import UserError

BEGINNING = b"<!DOCTYPE html>"  # of a page


class PageNotWritten(UserError):
    """A page that the disk refuses."""


def check_place(path: Path) -> None:
    """Only a page is replaced: a slip of the hand must not cost anybody their labels. Raises UserError."""
    try:
        if path.is_dir():
            raise UserError(f"--output {path} is a folder: name a file in it, such as {path / 'report.html'}")
        if path.is_file():
            with path.open("rb") as file:
                if not file.read(len(BEGINNING)).startswith(BEGINNING):
                    raise UserError(f"--output {path} exists and is no page: name another file")
        elif path.exists() or path.is_symlink():  # as root, a page would take the place of /dev/null
            raise UserError(f"--output {path} is no file: name another")
    except OSError as error:
        raise UserError(f"--output {path} cannot be read ({error.strerror}): name another file") from None


def write_page(path: Path, page: str, *, makes_folder: bool = False) -> None:
    """In one rename: whoever reloads the page never sees half of it. Raises PageNotWritten."""
    unfinished = path.with_name(f".{path.name}.part")
    try:
        if makes_folder:
            path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_bytes(page.encode("utf-8", "replace"))  # a folder's name may be no text
        unfinished.replace(path)
    except OSError as error:
        raise PageNotWritten(f"{path} cannot be written ({error.strerror}): name another file with --output") from None
    finally:
        with suppress(OSError):  # it is gone, or never was on a disk that takes none
            unfinished.unlink()
