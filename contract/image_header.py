"""What an image file says of itself, before anything decodes it.

A PNG of 100 KB can claim 30,000 x 30,000 pixels and cost its decoder gigabytes, and decoders fill the
missing half of a cut JPEG with grey. Both are told here from the bytes alone.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from contract.errors import BadImage

# A word crop has far less than 1 MP; 50 MP is 150 MB once decoded.
MAX_PIXELS = 50_000_000
MAX_PROGRESSIVE_PIXELS = 25_000_000  # the decoder keeps all coefficients as well: up to 11 bytes a pixel
MAX_SCANS = 100  # of a progressive JPEG, which has some ten; each is a pass over all pixels

Bytes = bytes | memoryview
JPEG_END = b"\xff\xd9"


class ImageHeader(NamedTuple):
    """What the file states. Size in pixels as stored."""

    width: int
    height: int
    animated: bool = False  # or several pages: decoders give the first
    orientation: int = 1  # of EXIF, 1 to 8; decoders turn the image by it
    progressive: bool = False


def read_header(data: Bytes) -> ImageHeader:
    """Size of a PNG, JPEG, BMP, WebP or TIFF, copying as little as can be. Raises BadImage."""
    if not data:
        raise BadImage("damaged image", "is empty")
    for magic, read in _READERS:
        if data[: len(magic)] == magic:
            try:
                header = read(data)
            except (struct.error, IndexError):
                raise _cut() from None
            if header.width < 1 or header.height < 1:
                raise BadImage("damaged image", "has no pixels")
            limit = MAX_PROGRESSIVE_PIXELS if header.progressive else MAX_PIXELS
            if header.width * header.height > limit:
                claim = f"claims {header.width} x {header.height} pixels, over the limit of {limit:,}"
                raise BadImage("huge image", claim)
            return header
    raise _not_an_image()


def _png(data: Bytes) -> ImageHeader:
    position = 8
    animated, orientation = False, 1
    while True:  # chunks: length, type, data, CRC; the last is IEND
        length, kind = struct.unpack_from(">I4s", data, position)
        if kind == b"acTL":
            animated = struct.unpack_from(">I", data, position + 8)[0] > 1
        elif kind == b"eXIf":
            orientation = _orientation(data[position + 8 : position + 8 + length])
        position += 12 + length
        if position > len(data):
            raise _cut()
        if kind == b"IEND":
            break
    width, height = struct.unpack_from(">II", data, 16)
    return ImageHeader(width, height, animated, orientation)


_FRAMES = frozenset({*range(0xFFC0, 0xFFD0)} - {0xFFC4, 0xFFC8, 0xFFCC})  # markers that begin one
_PROGRESSIVE = (0xFFC2, 0xFFC6, 0xFFCA, 0xFFCE)
_two_numbers = struct.Struct(">HH").unpack_from


def _jpeg(data: Bytes) -> ImageHeader:
    position = 2
    width = height = orientation = 0
    progressive = False
    # Until the start of scan: the end marker must come after it, a thumbnail before it has its own.
    while (segment := _two_numbers(data, position))[0] != 0xFFDA:
        marker, length = segment
        if marker < 0xFF00:
            raise BadImage("damaged image", "is a damaged JPEG")
        if marker == 0xFFFF:  # fill byte
            position += 1
            continue
        if marker in _FRAMES:
            height, width = _two_numbers(data, position + 5)
            progressive = marker in _PROGRESSIVE
        elif marker == 0xFFE1 and data[position + 4 : position + 10] == b"Exif\0\0":
            orientation = _orientation(data[position + 10 : position + 2 + length])
        position += 2 + length
    # Cameras append bytes after the end marker, so it is searched, not expected at the end.
    end = len(data) - 2 if data[-2:] == JPEG_END else bytes(data).rfind(JPEG_END)
    if end < position:
        raise _cut()
    if progressive and (scans := bytes(data).count(b"\xff\xda", position)) > MAX_SCANS:
        raise BadImage("huge image", f"has {scans:,} scans, over the limit of {MAX_SCANS}")
    return ImageHeader(width, height, False, orientation or 1, progressive)


def _bmp(data: Bytes) -> ImageHeader:
    width, height = struct.unpack_from("<ii", data, 18)
    if len(data) < struct.unpack_from("<I", data, 2)[0]:
        raise _cut()
    return ImageHeader(width, abs(height))  # negative: stored top-down


def _webp(data: Bytes) -> ImageHeader:
    if data[8:12] != b"WEBP":
        raise _not_an_image()
    if len(data) < struct.unpack_from("<I", data, 4)[0] + 8:
        raise _cut()
    kind = data[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return ImageHeader(width & 0x3FFF, height & 0x3FFF)
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return ImageHeader((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
    flags = data[20]
    exif = bytes(data).find(b"EXIF", 30) if flags & 0x08 else -1
    orientation = _orientation(data[exif + 8 :]) if exif > 0 else 1
    return ImageHeader(width, height, bool(flags & 0x02), orientation)


def _tiff(data: Bytes) -> ImageHeader:
    tags, following = _tags(data)
    return ImageHeader(tags.get(256, 0), tags.get(257, 0), animated=following != 0)  # ImageWidth, ImageLength


def _orientation(exif: Bytes) -> int:
    """The orientation that EXIF data state: a TIFF without an image. 1, upright, where they do not."""
    try:
        orientation = _tags(bytes(exif).removeprefix(b"Exif\0\0"))[0].get(274, 1)
    except struct.error:
        return 1
    return orientation if 1 <= orientation <= 8 else 1


def _tags(data: Bytes) -> tuple[dict[int, int], int]:
    """The first directory of a TIFF: tags with their first value, as far as it stands there; where the next begins."""
    order = "<" if data[:2] == b"II" else ">"
    directory = struct.unpack_from(order + "I", data, 4)[0]
    count = struct.unpack_from(order + "H", data, directory)[0]
    tags = {}
    for entry in range(count):
        tag, kind = struct.unpack_from(order + "HH", data, directory + 2 + 12 * entry)
        code = "H" if kind == 3 else "I"
        tags[tag] = struct.unpack_from(order + code, data, directory + 10 + 12 * entry)[0]
    return tags, struct.unpack_from(order + "I", data, directory + 2 + 12 * count)[0]


def _cut() -> BadImage:
    return BadImage("damaged image", "is cut short")


def _not_an_image() -> BadImage:
    return BadImage("not an image", "is not an image (PNG, JPEG, BMP, WebP or TIFF)")


_READERS = (
    (b"\x89PNG\r\n\x1a\n", _png),
    (b"\xff\xd8", _jpeg),
    (b"BM", _bmp),
    (b"RIFF", _webp),
    (b"II*\x00", _tiff),
    (b"MM\x00*", _tiff),
)
