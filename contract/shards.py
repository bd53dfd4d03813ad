"""Packed images: a few large files in place of many small ones, and where in them each image lies.

```
dataset/shards/
  shards.json   {"format": 1, "images": …, "index_sha256": "…", "shards": [{"file": "00000.bin", "bytes": …, …}, …]}
  index.tsv     path<TAB>shard<TAB>offset<TAB>length<TAB>sha256       UTF-8, LF, sorted by shard and offset
  00000.bin …   image files one after the other, their bytes as they were
```
Every byte of a shard belongs to exactly one line of the index: no gap, no overlap. So what the index says of the images
covers the shards whole, and a small shard cannot pretend to hold a million images.
"""

from __future__ import annotations

import hashlib
import json
import re
from array import array
from dataclasses import asdict, dataclass, field
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

from contract.dataset import MAX_BYTES, path_problem
from contract.errors import UserError

SHARDS = "shards"
SUMMARY = "shards.json"
INDEX = "index.tsv"
FORMAT = 1
SHARD_BYTES = 128_000_000  # large enough for S3 and SageMaker to be fast, small enough to be sent again

REMEDY = f"copy {SHARDS}/ once more from where it is whole, or pack the images again"

_SHA256 = re.compile(r"[0-9a-f]{64}")
# What path_problem and plain_path let pass without a further look: nearly all paths, and there may be a million.
_PLAIN = re.compile(r"[^/.\\:\0][^/\\:\0]*(/[^/.\\:\0][^/\\:\0]*)*")


@dataclass(frozen=True)
class Shard:
    """One file of packed images."""

    file: str
    bytes: int
    sha256: str
    images: int


@dataclass
class Index:
    """Where each image lies, by its row: the position of its line. Some 250 bytes an image: there may be a million."""

    rows: dict[str, int] = field(default_factory=dict)  # path as in the index → row
    shards: array[int] = field(default_factory=lambda: array("I"))
    offsets: array[int] = field(default_factory=lambda: array("Q"))
    lengths: array[int] = field(default_factory=lambda: array("I"))
    digests: bytearray = field(default_factory=bytearray)  # 32 bytes of SHA-256 a row

    def __len__(self) -> int:
        return len(self.lengths)

    def sha256(self, row: int) -> str:
        return self.digests[32 * row : 32 * row + 32].hex()

    def first_beyond(self, shard: int, end: int) -> str:
        """The first image that does not lie whole in the first `end` bytes of a shard."""
        for image, row in self.rows.items():
            if self.shards[row] == shard and self.offsets[row] + self.lengths[row] > end:
                return image
        raise KeyError(shard)


def is_packed(folder: Path) -> bool:
    """Do the images of this dataset folder come from shards? Raises UserError when only the summary is missing."""
    if (folder / SHARDS / SUMMARY).is_file():
        return True
    if (folder / SHARDS / INDEX).is_file():
        raise UserError(f"{folder / SHARDS / SUMMARY} is missing beside {INDEX}: {REMEDY}")
    return False


def shard_name(number: int) -> str:
    return f"{number:05}.bin"


def plain_path(image: str) -> str:
    """The path of a label line as an index has it: `images\\1.png` and `./images/1.png` are images/1.png."""
    return image if _PLAIN.fullmatch(image) else PurePosixPath(image.replace("\\", "/")).as_posix()


def index_line(image: str, shard: int, offset: int, length: int, sha256: str) -> bytes:
    """The line of an image with its newline. `image` as plain_path makes it."""
    return f"{image}\t{shard}\t{offset}\t{length}\t{sha256}\n".encode()


def summary_text(shards: tuple[Shard, ...], index_sha256: str) -> str:
    """The content of shards.json; the same shards make the same text."""
    images = sum(shard.images for shard in shards)
    rows = [asdict(shard) for shard in shards]
    summary = {"format": FORMAT, "images": images, "index_sha256": index_sha256, "shards": rows}
    return json.dumps(summary, indent=1) + "\n"


def read_summary(folder: Path) -> tuple[tuple[Shard, ...], str]:
    """The shards of a packed dataset and the sha256 of its index, as shards.json has them. Raises UserError."""
    path = folder / SHARDS / SUMMARY
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
        if summary["format"] != FORMAT:
            raise UserError(f"{path} has format {summary['format']!r}, this version reads {FORMAT}: {REMEDY}")
        shards = tuple(_shard(number, **row) for number, row in enumerate(summary["shards"]))
        if not shards:
            raise ValueError("there is no shard")
        if summary["images"] != sum(shard.images for shard in shards):
            raise ValueError("the numbers of images do not add up")
        return shards, str(summary["index_sha256"])
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): {REMEDY}") from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        reason = " ".join(str(error).replace(":", ",").split())
        raise UserError(f"{path} is not what pack writes ({type(error).__name__}, {reason}): {REMEDY}") from None


def read_index(folder: Path) -> tuple[tuple[Shard, ...], Index]:
    """The shards of a packed dataset and where each image lies. Raises UserError for an index that is not theirs.

    No shard is opened: check_files looks at them.
    """
    shards, sha256 = read_summary(folder)
    path = folder / SHARDS / INDEX
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): {REMEDY}") from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise UserError(f"{path} has been altered or cut, its sha256 is not the one in {SUMMARY}: {REMEDY}")
    return shards, _parse_index(path, data, shards)


def check_files(folder: Path, shards: tuple[Shard, ...], index: Index) -> None:
    """Raise UserError for the first shard that is missing, not as long as it was, or a link out of the dataset."""
    root = folder.resolve()
    for number, shard in enumerate(shards):
        path = folder / SHARDS / shard.file
        try:
            real = path.resolve(strict=True)
            size = real.stat().st_size
        except OSError as error:
            what = "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
            first = index.first_beyond(number, 0)
            raise UserError(f"{path} {what}, with it {shard.images:,} images from {first!r} on: {REMEDY}") from None
        if not real.is_relative_to(root):
            raise UserError(f"{path} is a link that leaves the dataset folder: put the file itself there")
        if size < shard.bytes:
            first = index.first_beyond(number, size)
            raise UserError(f"{path} is cut short ({size:,} of {shard.bytes:,} bytes), from {first!r} on: {REMEDY}")
        if size > shard.bytes:
            raise UserError(f"{path} has {size:,} bytes, more than the {shard.bytes:,} of {SUMMARY}: {REMEDY}")


def _shard(number: int, **row: Any) -> Shard:
    shard = Shard(**row)
    if shard.file != shard_name(number):
        raise ValueError(f"{shard.file!r} stands where {shard_name(number)} belongs")
    if type(shard.bytes) is not int or type(shard.images) is not int or not 1 <= shard.images <= shard.bytes:
        raise ValueError(f"{shard.file} has impossible numbers")
    if not _SHA256.fullmatch(shard.sha256):
        raise ValueError(f"{shard.file} has no sha256")
    return shard


def _parse_index(path: Path, data: bytes, shards: tuple[Shard, ...]) -> Index:
    index = Index()
    shard = end = images = 0  # the shard that is being filled, how far, and with how many
    line = 0
    try:
        for line, text in enumerate(BytesIO(data), start=1):
            image, number, offset, length, digest = _parse_line(text.decode())
            if number == shard + 1 < len(shards) and (end, images) == (shards[shard].bytes, shards[shard].images):
                shard, end, images = number, 0, 0
            if number != shard or offset != end:
                raise ValueError(f"{image!r} is not where it belongs, at byte {end:,} of {shard_name(shard)}")
            if index.rows.setdefault(image, line - 1) != line - 1:
                raise ValueError(f"{image!r} has a line already")
            index.shards.append(number)
            index.offsets.append(offset)
            index.lengths.append(length)
            index.digests += digest
            end, images = end + length, images + 1
        if (shard, end, images) != (len(shards) - 1, shards[shard].bytes, shards[shard].images):
            raise ValueError(f"the line does not end what {SUMMARY} says is in {shard_name(shard)}")
    except ValueError as error:
        raise UserError(f"{path}:{line}: {str(error).replace(': ', ', ')}: {REMEDY}") from None
    return index


def _parse_line(text: str) -> tuple[str, int, int, int, bytes]:
    """Path, shard, offset, length and the bytes of the sha256."""
    columns = text.removesuffix("\n").split("\t")
    if len(columns) != 5:
        raise ValueError(f"the line has {len(columns)} columns, not 5")
    image, digest = columns[0], bytes.fromhex(columns[4])
    number, offset, length = map(int, columns[1:4])
    if not _PLAIN.fullmatch(image):
        if what := path_problem(image):
            raise ValueError(f"{image!r} {what}")
        if plain_path(image) != image:
            raise ValueError(f"{image!r} is not a plain path")
    if not 1 <= length <= MAX_BYTES:
        raise ValueError(f"{image!r} has {length:,} bytes, not 1 to {MAX_BYTES:,}")
    if len(digest) != 32:
        raise ValueError(f"{image!r} has no sha256")
    return image, number, offset, length, digest
