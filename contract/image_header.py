"""What an image file says of itself, before anything decodes it.

A PNG of 100 KB can claim 30,000 x 30,000 pixels and cost its decoder gigabytes, and decoders fill the
missing half of a cut JPEG with grey. Both are told here from the bytes alone.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

# A word crop has far less than 1 MP; 50 MP is 150 MB once decoded.
MAX_PIXELS = 50_000_000


@dataclass(frozen=True)
class ImageHeader:
    """Size in pixels as the file states it."""

    width: int
    height: int


def read_header(data: bytes) -> ImageHeader:
    """Size of a PNG, JPEG, BMP, WebP or TIFF; ValueError says in words what is wrong with it."""
    if not data:
        raise ValueError("is empty")
    for magic, read in _READERS:
        if data.startswith(magic):
            try:
                header = read(data)
            except (struct.error, IndexError):
                raise ValueError("is cut short") from None
            if header.width < 1 or header.height < 1:
                raise ValueError("has no pixels")
            if header.width * header.height > MAX_PIXELS:
                raise ValueError(f"claims {header.width} x {header.height} pixels, over the limit of {MAX_PIXELS:,}")
            return header
    raise ValueError("is not an image (PNG, JPEG, BMP, WebP or TIFF)")


def _png(data: bytes) -> ImageHeader:
    position = 8
    while True:  # chunks: length, type, data, CRC; the last is IEND
        length, kind = struct.unpack_from(">I4s", data, position)
        position += 12 + length
        if position > len(data):
            raise ValueError("is cut short")
        if kind == b"IEND":
            break
    width, height = struct.unpack_from(">II", data, 16)
    return ImageHeader(width, height)


def _jpeg(data: bytes) -> ImageHeader:
    position = 2
    size = None
    while True:
        if data[position] != 0xFF:
            raise ValueError("is a damaged JPEG")
        marker = data[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
            continue
        if marker == 0xDA:  # start of scan: the end marker must come after it, a thumbnail before it has its own
            break
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # a start of frame
            height, width = struct.unpack_from(">HH", data, position + 5)
            size = ImageHeader(width, height)
        position += 2 + struct.unpack_from(">H", data, position + 2)[0]
    # Cameras append bytes after the end marker, so it is searched, not expected at the end.
    if data.rfind(b"\xff\xd9") < position:
        raise ValueError("is cut short")
    if size is None:
        raise ValueError("is a damaged JPEG")
    return size


def _bmp(data: bytes) -> ImageHeader:
    width, height = struct.unpack_from("<ii", data, 18)
    if len(data) < struct.unpack_from("<I", data, 2)[0]:
        raise ValueError("is cut short")
    return ImageHeader(width, abs(height))  # negative: stored top-down


def _webp(data: bytes) -> ImageHeader:
    if data[8:12] != b"WEBP":
        raise ValueError("is not an image (PNG, JPEG, BMP, WebP or TIFF)")
    if len(data) < struct.unpack_from("<I", data, 4)[0] + 8:
        raise ValueError("is cut short")
    kind = data[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return ImageHeader(width & 0x3FFF, height & 0x3FFF)
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return ImageHeader((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    return ImageHeader(int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1)


def _tiff(data: bytes) -> ImageHeader:
    order = "<" if data[:2] == b"II" else ">"
    directory = struct.unpack_from(order + "I", data, 4)[0]
    size = {256: 0, 257: 0}  # tags ImageWidth, ImageLength
    for entry in range(struct.unpack_from(order + "H", data, directory)[0]):
        tag, kind = struct.unpack_from(order + "HH", data, directory + 2 + 12 * entry)
        if tag in size:
            code = "H" if kind == 3 else "I"
            size[tag] = struct.unpack_from(order + code, data, directory + 10 + 12 * entry)[0]
    return ImageHeader(size[256], size[257])


_READERS = (
    (b"\x89PNG\r\n\x1a\n", _png),
    (b"\xff\xd8", _jpeg),
    (b"BM", _bmp),
    (b"RIFF", _webp),
    (b"II*\x00", _tiff),
    (b"MM\x00*", _tiff),
)
