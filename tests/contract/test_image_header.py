"""Sizes and damage are told from the bytes, before anything decodes."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from PIL import Image

from contract.image_header import read_header


def encoded(kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((37, 21), 50).convert("RGB").save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "TIFF", "WEBP"])
def test_size_of_each_format(kind: str):
    header = read_header(encoded(kind))
    assert (header.width, header.height) == (37, 21)


def turned() -> bytes:
    exif = Image.Exif()
    exif[274] = 6
    return exif.tobytes()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "TIFF", "WEBP"])
def test_a_view_says_the_same_as_bytes(kind: str):
    options = {} if kind == "BMP" else {"exif": turned()}
    for data in (encoded(kind, **options), encoded(kind, **options, progressive=True) + b"appended"):
        header = read_header(data)
        assert read_header(memoryview(data)) == header
        assert header.orientation == (6 if kind in ("PNG", "JPEG", "WEBP") else 1)
        assert header.progressive == (kind == "JPEG" and data.endswith(b"appended"))
    for kept in range(len(data)):
        assert told(memoryview(data[:kept])) == told(data[:kept])


def told(data: bytes | memoryview) -> object:
    try:
        return read_header(data)
    except ValueError as error:
        return str(error)


def test_lossless_webp():
    assert read_header(encoded("WEBP", lossless=True)).width == 37


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "WEBP"])
def test_a_cut_file_is_told(kind: str):
    data = encoded(kind)
    with pytest.raises(ValueError, match=r"cut short|damaged"):
        read_header(data[: len(data) * 2 // 3])


def test_a_bomb_is_refused_without_decoding():
    header = struct.pack(">IIBBBBB", 30_000, 30_000, 1, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * (3751 * 30_000), 9)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    assert len(bomb) < 150_000
    with pytest.raises(ValueError, match="30000 x 30000"):
        read_header(bomb)


@pytest.mark.parametrize(("data", "reason"), [(b"", "empty"), (b"hello", "not an image"), (b"\xff\xd8", "cut short")])
def test_what_is_no_image(data: bytes, reason: str):
    with pytest.raises(ValueError, match=reason):
        read_header(data)
