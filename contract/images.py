"""The images of a dataset, by the paths of its labels: files of their own (loose) or in shards (packed).

A packed dataset and the loose one that it was made from give the same bytes for the same paths.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from contract.dataset import MAX_BYTES, image_file
from contract.errors import BadImage
from contract.image_header import Bytes
from contract.shards import INDEX, REMEDY, SHARDS, check_files, is_packed, plain_path, read_index


class Images(Protocol):
    """Both kinds. Safe to use after fork, and to send to a spawned process.

    Every method raises BadImage, with words that continue "the image 'x' …", when it cannot be read.
    """

    remedy: str  # what to do about an image that is missing or damaged

    def read(self, image: str) -> bytes:
        """The bytes of an image file."""

    def view(self, image: str) -> Bytes:
        """The same without a copy where there need be none: for a decoder that takes a buffer."""

    def read_verified(self, image: str) -> tuple[bytes, str]:
        """The bytes and their sha256, which is also compared with what the dataset says of it, if it does."""

    def unnamed(self, images: Iterable[str]) -> list[str]:
        """A sentence about packed images that are none of these, if there are any."""


def open_images(folder: Path) -> Images:
    """The images of a dataset folder. Raises UserError when it is packed and its shards are not what was packed.

    The shards' sizes and the whole index are checked, their bytes only by read_verified.
    """
    return PackedImages(folder) if is_packed(folder) else LooseImages(folder)


class LooseImages:
    """Image files below the dataset folder. Links may not lead out of it."""

    remedy = "replace the image or delete the line"

    def __init__(self, folder: Path) -> None:
        self._root = folder.resolve()
        self._folders: dict[str, str] = {}  # folder of label paths → where it really is, inside the root

    def read(self, image: str) -> bytes:
        try:
            if not _NO_FOLLOW:
                return self._read_anywhere(image)
            parent, _, name = image.replace("\\", "/").rpartition("/")
            where = self._folders.get(parent)
            if where is None:
                where = self._folders[parent] = str(self._inside(self._root / parent))
            try:
                return _read_file(os.open(f"{where}/{name}", _NO_FOLLOW))
            except OSError:  # a link, or an error that the longer way says in words
                return self._read_anywhere(image)
        except FileNotFoundError:
            raise BadImage("missing image", "does not exist") from None
        except IsADirectoryError:
            raise BadImage("unreadable image", "is a folder") from None
        except OSError as error:
            raise BadImage("unreadable image", f"cannot be read ({error.strerror})") from None

    view = read

    def read_verified(self, image: str) -> tuple[bytes, str]:
        data = self.read(image)
        return data, hashlib.sha256(data).hexdigest()

    def unnamed(self, images: Iterable[str]) -> list[str]:
        return []

    def _read_anywhere(self, image: str) -> bytes:
        real = self._inside(image_file(self._root, image))
        if real.is_dir():  # Windows would say: permission denied
            raise IsADirectoryError
        return _read_file(os.open(real, _READ))

    def _inside(self, path: Path) -> Path:
        try:
            real = path.resolve(strict=True)
        except RuntimeError:  # Python before 3.13
            raise BadImage("unreadable image", "is a link to itself") from None
        if not real.is_relative_to(self._root):
            raise BadImage("link", "is a link that leaves the dataset folder")
        return real


class PackedImages:
    """Images in shards, which are mapped into memory when the first of their images is read."""

    remedy = REMEDY

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._shards, self._index = read_index(folder)
        check_files(folder, self._shards, self._index)
        self._views: list[memoryview | None] = [None] * len(self._shards)

    def __reduce__(self) -> tuple[type[PackedImages], tuple[Path]]:
        return PackedImages, (self._folder,)  # a map cannot be sent, and the index is on the disk

    def read(self, image: str) -> bytes:
        return bytes(self.view(image))

    def view(self, image: str) -> memoryview:
        row = self._index.rows.get(image)
        if row is None:
            row = self._row(image)
        shard = self._index.shards[row]
        start = self._index.offsets[row]
        return (self._views[shard] or self._mapped(shard))[start : start + self._index.lengths[row]]

    def read_verified(self, image: str) -> tuple[bytes, str]:
        data = self.read(image)
        digest = hashlib.sha256(data).hexdigest()
        row = self._row(image)
        if digest != self._index.sha256(row):
            file, offset = self._shards[self._index.shards[row]].file, self._index.offsets[row]
            altered = f"is damaged: {len(data):,} bytes from {offset:,} on in {SHARDS}/{file} have been altered"
            raise BadImage("damaged image", altered)
        return data, digest

    def paths(self) -> list[str]:
        """All images, in the order of the shards."""
        return list(self._index.rows)

    def unnamed(self, images: Iterable[str]) -> list[str]:
        asked = {plain_path(image) for image in images}
        rest = [image for image in self._index.rows if image not in asked]
        if not rest:
            return []
        shard = self._shards[self._index.shards[self._row(rest[0])]].file
        return [
            f"packed images that no label names: {len(rest):,}, the first is {rest[0]!r} in {SHARDS}/{shard};"
            " pack again to leave them out"
        ]

    def _row(self, image: str) -> int:
        row = self._index.rows.get(image)
        if row is None:
            row = self._index.rows.get(plain_path(image))
        if row is None:
            raise BadImage("missing image", f"is in no shard: {SHARDS}/{INDEX} does not list it")
        return row

    def _mapped(self, shard: int) -> memoryview:
        path = self._folder / SHARDS / self._shards[shard].file
        try:
            with path.open("rb") as file:
                view = memoryview(mmap.mmap(file.fileno(), self._shards[shard].bytes, access=mmap.ACCESS_READ))
        except (OSError, ValueError) as error:  # ValueError: the file has become shorter than what is to be mapped
            raise BadImage("unreadable image", f"cannot be read from {SHARDS}/{path.name} ({error})") from None
        self._views[shard] = view
        return view


# Without waiting for the other end of a pipe that lies there.
_READ = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
# With this a link is an error instead of a way out. Windows has none: it takes the longer way each time.
_NO_FOLLOW = _READ | os.O_NOFOLLOW if hasattr(os, "O_NOFOLLOW") else 0


def _read_file(descriptor: int) -> bytes:
    try:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            if stat.S_ISDIR(state.st_mode):
                raise IsADirectoryError
            raise BadImage("unreadable image", "is not a file")
        if state.st_size > MAX_BYTES:
            raise BadImage("huge image", f"has {state.st_size:,} bytes, over the limit of {MAX_BYTES:,}")
        data = os.read(descriptor, state.st_size)
        while len(data) < state.st_size and (more := os.read(descriptor, state.st_size - len(data))):
            data += more
        return data
    finally:
        os.close(descriptor)
