"""Two hundred samples that people really have, or that somebody sends: each with what the validator must say of it.

Images are made here, never stored. Every crop has its own noise, so that only those meant to be equal are.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

Place = Callable[[Path], object]  # puts something where the image should be

LONG = 1_000_000  # code points of a line of 1 MB


@dataclass(frozen=True)
class Item:
    """One line of train.txt and what lies where it points. `line` replaces the whole line, where it is given."""

    name: str  # of the image, below images/
    kinds: frozenset[str]  # of all problems and warnings at its line; none: it is sound
    image: bytes | Place | None  # None: nothing is there
    label: str = "abc"
    line: str | None = None


def items() -> list[Item]:
    """The corpus. Names are unique."""
    return [
        *_cut(),
        *_png(),
        *_jpeg(),
        *_other_formats(),
        *_not_images(),
        *_sizes(),
        *_files(),
        *_lines(),
        *_labels(),
        *_same(),
    ]


def crop(seed: int, width: int = 96, height: int = 32) -> Image.Image:
    """Something with contrast, another for each seed."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


_FORMS = {"png": "PNG", "jpg": "JPEG", "bmp": "BMP", "webp": "WEBP", "tif": "TIFF"}


def _cut() -> Iterator[Item]:
    for number, (ending, form) in enumerate(_FORMS.items()):
        whole = encoded(crop(number), form)
        for share in (3, 50, 97):
            yield _item(f"cut-{share}.{ending}", "damaged image", whole[: len(whole) * share // 100])
        yield _item(f"one-byte.{ending}", "not an image", whole[:1])
        yield _item(f"zeros.{ending}", "not an image", bytes(1000))
        yield _item(f"empty.{ending}", "damaged image", b"")
        yield _item(f"noise-after-header.{ending}", "damaged image", whole[:12] + b"\xfe" * 8)
        yield _item(f"sound.{ending}", "", encoded(crop(number + 10), form))
        yield _item(f"appended.{ending}", "", encoded(crop(number + 20), form) + b"GeoTag" * 20)
        other = "JPEG" if form == "PNG" else "PNG"
        yield _item(f"wrong-ending.{ending}", "", encoded(crop(number + 30), other))


def _png() -> Iterator[Item]:
    whole = encoded(crop(40), "PNG")
    rgba, hidden = crop(41).convert("RGBA"), Image.new("RGBA", (96, 32), (0, 0, 0, 0))
    hidden.paste((0, 0, 0, 255), (10, 8, 60, 24))  # black on transparent, as drawing programs save it
    deep = np.random.default_rng(42).integers(0, 65536, (32, 96), np.uint16)
    rotated = Image.Exif()
    rotated[0x112] = 6
    pages = [crop(44), crop(45)]
    yield _item("png-crc-of-data.png", "damaged image", _flipped(whole, whole.index(b"IDAT") + 60))
    yield _item("png-crc-of-header.png", "damaged image", _flipped(whole, 30))
    yield _item("png-crc-itself.png", "damaged image", _flipped(whole, len(whole) - 14))
    yield _item("png-no-data.png", "damaged image", _chunks((b"IHDR", _ihdr(96, 32)), (b"IEND", b"")))
    yield _item("png-no-end.png", "damaged image", whole[:-12])
    yield _item(
        "png-bad-zlib.png", "damaged image", _chunks((b"IHDR", _ihdr(96, 32)), (b"IDAT", b"x" * 99), (b"IEND", b""))
    )
    yield _item(
        "png-few-rows.png",
        "damaged image",
        _chunks((b"IHDR", _ihdr(96, 32)), (b"IDAT", zlib.compress(bytes(291))), (b"IEND", b"")),
    )
    yield _item("png-chunk-length-4-gb.png", "damaged image", whole[:33] + b"\xff\xff\xff\xff" + whole[37:])
    yield _item("png-no-width.png", "damaged image", _chunks((b"IHDR", _ihdr(0, 32)), (b"IEND", b"")))
    yield _item(
        "png-bad-depth.png",
        "damaged image",
        _chunks((b"IHDR", _ihdr(96, 32, depth=7)), (b"IDAT", zlib.compress(bytes(9312))), (b"IEND", b"")),
    )
    yield _item("png-bomb.png", "huge image", bomb())
    yield _item("png-claims-2-31.png", "huge image", _chunks((b"IHDR", _ihdr(2**31 - 1, 2**31 - 1)), (b"IEND", b"")))
    yield _item("png-just-over.png", "huge image", _chunks((b"IHDR", _ihdr(10_000, 5_001)), (b"IEND", b"")))
    yield _item(
        "png-text-bomb.png", "", whole[:33] + _chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(50_000_000))) + whole[33:]
    )
    yield _item("png-bad-profile.png", "", encoded(crop(46), "PNG", icc_profile=b"none"))
    yield _item("png-16-bit.png", "", encoded(Image.fromarray(deep), "PNG"))
    yield _item("png-palette.png", "", encoded(crop(47).convert("P"), "PNG"))
    yield _item("png-1-bit.png", "", encoded(crop(48).convert("1"), "PNG"))
    yield _item("png-grey.png", "", encoded(crop(49).convert("L"), "PNG"))
    yield _item("png-grey-alpha.png", "", encoded(crop(50).convert("LA"), "PNG"))
    yield _item("png-alpha.png", "", encoded(rgba, "PNG"))
    yield _item("png-black-on-transparent.png", "near-blank", encoded(hidden, "PNG"))
    yield _item("png-interlaced.png", "", _interlaced(51))
    yield _item("png-animated.png", "animated", encoded(pages[0], "PNG", save_all=True, append_images=pages[1:]))
    yield _item("png-turned.png", "turned+upright text", encoded(crop(52), "PNG", exif=rotated))


def _jpeg() -> Iterator[Item]:
    whole = encoded(crop(60), "JPEG")
    middle = len(whole) // 2
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x112] = orientation
        kinds = "" if orientation == 1 else "turned" if orientation < 5 else "turned+upright text"
        yield _item(f"jpg-exif-{orientation}.jpg", kinds, encoded(crop(60 + orientation), "JPEG", exif=exif))
    noise = bytes(np.random.default_rng(1).integers(0, 255, 40, np.uint8))
    yield _item("jpg-noise-inside.jpg", "doubtful image", whole[:middle] + noise + whole[middle + 40 :])
    yield _item("jpg-cut-with-end.jpg", "doubtful image", whole[:middle] + b"\xff\xd9")
    yield _item("jpg-bytes-before-end.jpg", "doubtful image", encoded(crop(69), "JPEG")[:-2] + b"\0\0\0\xff\xd9")
    yield _item("jpg-cmyk.jpg", "", encoded(crop(70).convert("CMYK"), "JPEG"))
    yield _item("jpg-progressive.jpg", "", encoded(crop(71), "JPEG", progressive=True))
    yield _item("jpg-grey.jpg", "", encoded(crop(72).convert("L"), "JPEG"))
    yield _item("jpg-restarts.jpg", "", encoded(crop(73), "JPEG", restart_marker_blocks=1))
    yield _item("jpg-fill-bytes.jpg", "", encoded(crop(74), "JPEG").replace(b"\xff\xdb", b"\xff\xff\xff\xdb", 1))
    yield _item("jpg-bomb.jpg", "huge image", _resized_jpeg(whole, 65_000, 65_000))
    yield _item(
        "jpg-progressive-bomb.jpg",
        "huge image",
        _resized_jpeg(encoded(crop(75), "JPEG", progressive=True), 6_000, 6_000),
    )
    yield _item("jpg-scans.jpg", "huge image", _many_scans(encoded(crop(76), "JPEG", progressive=True)))
    yield _item("jpg-no-height.jpg", "damaged image", _resized_jpeg(whole, 96, 0))
    yield _item("jpg-12-bit.jpg", "damaged image", _with_precision(whole, 12))
    yield _item("jpg-lossless.jpg", "damaged image", whole.replace(b"\xff\xc0", b"\xff\xc3", 1))
    yield _item("jpg-no-tables.jpg", "damaged image", whole.replace(b"\xff\xdb", b"\xff\xfe"))
    yield _item("jpg-no-frame.jpg", "damaged image", whole.replace(b"\xff\xc0", b"\xff\xfe", 1))
    yield _item("jpg-start-alone.jpg", "damaged image", b"\xff\xd8\xff\xd9")


def _other_formats() -> Iterator[Item]:
    pages = [crop(80), crop(81)]
    exif = Image.Exif()
    exif[0x112] = 3
    yield _item("webp-lossless.webp", "", encoded(crop(82), "WEBP", lossless=True))
    yield _item("webp-alpha.webp", "", encoded(crop(83).convert("RGBA"), "WEBP"))
    yield _item("webp-animated.webp", "animated", encoded(pages[0], "WEBP", save_all=True, append_images=pages[1:]))
    yield _item("webp-turned.webp", "turned", encoded(crop(84), "WEBP", exif=exif))
    yield _item("webp-bomb.webp", "huge image", _claiming_webp())
    yield _item("webp-no-payload.webp", "damaged image", b"RIFF\x0c\0\0\0WEBPVP8 \0\0\0\0" + bytes(20))
    yield _item("riff-is-audio.webp", "not an image", b"RIFF\x24\0\0\0WAVEfmt " + bytes(40))
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        yield _item(f"tif-{compression}.tif", "", encoded(crop(85 + len(compression)), "TIFF", compression=compression))
    yield _item("tif-fax.tif", "", encoded(crop(110).convert("1"), "TIFF", compression="group4"))
    yield _item(
        "tif-16-bit.tif",
        "",
        encoded(Image.fromarray(np.random.default_rng(111).integers(0, 65536, (32, 96), np.uint16)), "TIFF"),
    )
    yield _item("tif-pages.tif", "animated", encoded(pages[1], "TIFF", save_all=True, append_images=pages[:1]))
    yield _item("tif-float.tif", "damaged image", encoded(Image.fromarray(np.ones((32, 96), np.float32)), "TIFF"))
    yield _item("tif-bomb.tif", "huge image", _tiff(60_000, 60_000))
    yield _item("tif-no-size.tif", "damaged image", b"II*\0\x08\0\0\0\0\0\0\0\0\0")
    yield _item("tif-directory-outside.tif", "damaged image", b"II*\0\xff\xff\xff\x7f" + bytes(100))
    yield _item("tif-many-tags.tif", "damaged image", b"II*\0\x08\0\0\0\xff\xff" + bytes(100))
    yield _item("tif-big.tif", "not an image", b"II+\0\x08\0\0\0" + bytes(100))
    yield _item("bmp-top-down.bmp", "", _top_down(112))
    yield _item("bmp-8-bit.bmp", "", encoded(crop(113).convert("L"), "BMP"))
    yield _item("bmp-1-bit.bmp", "", encoded(crop(114).convert("1"), "BMP"))
    yield _item("bmp-bomb.bmp", "huge image", _resized_bmp(50_000, 50_000))
    yield _item("bmp-minus-width.bmp", "damaged image", _resized_bmp(-96, 32))
    yield _item("bmp-bad-depth.bmp", "damaged image", _bmp_of_depth(7))


def _not_images() -> Iterator[Item]:
    for name, data in {
        "gif.gif": encoded(crop(120), "GIF"),
        "gif-animated.gif": encoded(crop(121), "GIF", save_all=True, append_images=[crop(122)]),
        "jpeg2000.jp2": encoded(crop(123), "JPEG2000"),
        "icon.ico": encoded(crop(124, 32, 32), "ICO"),
        "ppm.ppm": encoded(crop(125), "PPM"),
        "heic.heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200),
        "svg.svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="96" height="32"/>',
        "html.png": b"<!DOCTYPE html><title>404 Not Found</title>",
        "pdf.png": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
        "json.png": b'{"error": "access denied"}',
        "zip.png": b"PK\x03\x04" + bytes(100),
        "gzip.png": b"\x1f\x8b\x08" + bytes(100),
        "elf.png": b"\x7fELF" + bytes(100),
        "lfs-pointer.png": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n",
        "space-before.png": b"\n" + encoded(crop(126), "PNG"),
        "text.png": "ภาพ".encode(),
    }.items():
        yield _item(name, "not an image", data)


def _sizes() -> Iterator[Item]:
    for width, height, kinds in (
        (1, 1, "tiny image+near-blank"),
        (2, 2, "tiny image"),
        (7, 32, "tiny image+upright text"),
        (1, 400, "tiny image+upright text"),
        (400, 1, "tiny image+squeezed"),
        (8, 8, ""),
        (3000, 8, "squeezed"),
        (10_000, 32, "squeezed"),
        (32, 96, "upright text"),
        (20, 3_000, "upright text"),
    ):
        yield _item(f"size-{width}x{height}.png", kinds, encoded(crop(130 + width + height, width, height), "PNG"))
    yield _item("large.png", "large image", flat_png(2_600, 1_600, 8))
    yield _item("at-the-limit.png", "large image", flat_png(10_000, 5_000, 1))
    yield _item("white.png", "near-blank", encoded(Image.new("RGB", (96, 32), (255, 255, 255)), "PNG"))
    yield _item("black.jpg", "near-blank", encoded(Image.new("RGB", (96, 32), (0, 0, 0)), "JPEG"))
    faint = 250 + np.random.default_rng(2).integers(0, 4, (32, 96, 3), np.uint8)
    yield _item("faint.png", "near-blank", encoded(Image.fromarray(faint), "PNG"))
    yield _item("high-letter.png", "", encoded(crop(131, 20, 40), "PNG"), label="ที่")


def _files() -> Iterator[Item]:
    yield _item("missing.png", "missing image", None)
    yield _item("Case.PNG", "missing image", lambda path: path.with_name("case.png").write_bytes(b""))
    yield _item("folder.png", "unreadable image", Path.mkdir)
    yield _item("pipe.png", "unreadable image", os.mkfifo)
    yield _item("link-out.png", "link", lambda path: path.symlink_to("/etc/hostname"))
    yield _item("link-to-device.png", "link", lambda path: path.symlink_to("/dev/zero"))
    yield _item("link-up.png", "link", lambda path: path.symlink_to("../../.."))
    yield _item("link-nowhere.png", "missing image", lambda path: path.symlink_to("none.png"))
    yield _item("link-to-itself.png", "unreadable image", lambda path: path.symlink_to(path.name))
    yield _item("link-to-folder.png", "unreadable image", lambda path: path.symlink_to("."))
    yield _item("link-inside.png", "duplicate", lambda path: path.symlink_to("sound.png"))
    yield _item("linked/in.png", "link", lambda path: path.parent.symlink_to("/usr"))
    yield _item("sparse-200-mb.png", "huge image", _sparse)
    if os.geteuid():  # root may read everything
        yield _item("forbidden.png", "unreadable image", lambda path: path.touch(mode=0))
    yield _item("ภาพ ที่หนึ่ง.png", "", encoded(crop(140), "PNG"))
    yield _item("n" * 300 + ".png", "unreadable image", None)
    yield _item("no-ending", "", encoded(crop(141), "PNG"))


def _lines() -> Iterator[Item]:
    for name, kind, line in (
        ("no-tab", "no tab", "images/sound.png abc"),
        ("blank-line", "no tab", ""),
        ("spaces-only", "no tab", "   "),
        ("path-only", "no tab", "images/sound.png"),
        ("comma", "no tab", "images/sound.png,abc"),
        ("tab-in-label", "tab in label", "images/sound.png\tab\tc"),
        ("tab-at-end", "tab in label", "images/sound.png\tabc\t"),
        ("no-label", "blank label", "images/sound.png\t"),
        ("blank-label", "blank label", "images/sound.png\t \u3000"),
        ("no-path", "no image", "\tabc"),
        ("cr-inside", "bad character", "images/sound.png\ta\rb"),
        ("absolute", "path", "/etc/hostname\tabc"),
        ("drive", "path", "C:\\crops\\1.png\tabc"),
        ("unc", "path", "\\\\server\\share\\1.png\tabc"),
        ("parent", "path", "../outside.png\tabc"),
        ("parent-inside", "path", "images/../../outside.png\tabc"),
        ("parent-windows", "path", "images\\..\\..\\outside.png\tabc"),
        ("http", "path", "http://169.254.169.254/latest/meta-data\tabc"),
        ("s3", "path", "s3://bucket/1.png\tabc"),
        ("file-address", "path", "file:///etc/hostname\tabc"),
        ("nul-in-path", "path", "images/sound\0.png\tabc"),
        ("data-address", "missing image", "data:image/png;base64,iVBORw0KGgo=\tabc"),
        ("home", "missing image", "~/1.png\tabc"),
        ("variable", "missing image", "$HOME/1.png\tabc"),
        ("list-of-paths", "missing image", '["images/sound.png"]\tabc'),
        ("rtl-in-path", "missing image", "images/\u202egnp.1\tabc"),
        ("space-at-end-of-path", "missing image", "images/sound.png \tabc"),
        ("folder-itself", "unreadable image", "images/\tabc"),
        ("root-itself", "unreadable image", ".\tabc"),
        ("long-path", "unreadable image", "images/" + "a" * LONG + "\tabc"),
        ("deep-path", "missing image", "a/" * (LONG // 2) + "1.png\tabc"),
    ):
        yield Item(name, _kinds(kind), None, line=line)


def _labels() -> Iterator[Item]:
    for number, (kind, label) in enumerate(
        (
            ("stray space", " abc"),
            ("stray space", "abc "),
            ("stray space", "ab  c"),
            ("", "two words"),
            ("not normal", "a\u00a0b"),
            ("not normal", "a\u200bb"),
            ("not normal", "\ufeffabc"),
            ("not normal", "a\u200eb"),
            ("not normal", "cafe\u0301"),
            ("not normal", "\u1112\u1161\u11ab"),
            ("not normal", "น\u0e4d\u0e32"),
            ("not normal", "\u0e40\u0e40ม"),
            ("not normal", "ก\u0e49\u0e34น"),
            ("", "น้ำ"),
            ("", "ที่"),
            ("invisible+character", "a\x00b"),
            ("invisible", "a\x1b[31mb"),
            ("invisible", "a\x7fb"),
            ("invisible", "a\x0bb"),
            ("invisible", "a\x0cb"),
            ("invisible", "a\x85b"),
            ("invisible", "a\u2028b"),
            ("invisible", "a\u2029b"),
            ("invisible", "\u202egnp.cod\u202c"),
            ("invisible", "\u2066ab\u2069"),
            ("invisible", "soft\u00adhyphen"),
            ("invisible", "ab\u3164"),
            ("invisible", "ab\u2800"),
            ("invisible", "a\ufe0fb"),
            ("invisible", "a\U000e0061b"),
            ("private use", "a\uf701b"),
            ("private use", "a\ufffeb"),
            ("private use", "a\u0378b"),
            ("lost character", "a\ufffdb"),
            ("look-alike", "p\u0430ypal"),
            ("look-alike", "МОСKВА"),
            ("look-alike", "\u0391BC"),
            ("look-alike", "\uff11\uff12"),
            ("look-alike", "\uff21bc"),
            ("", "10 \u03bcm"),
            ("", "5 kΩ"),
            ("", "Москва Moscow"),
            ("", "ООО/LLC"),
            ("", "全角，。"),
            ("", "a\u3000b"),
            ("mixed digits", "๑2๓"),
            ("mixed digits", "٣3"),
            ("lone mark", "\u0e48อ"),
            ("lone mark", "ab \u0301c"),
            ("", "สวัสดี"),
            ("", "क्‍ष"),
            ("", "=1+1"),
            ("", '["a"]'),
            ("", "images/sound.png"),
        )
    ):
        yield Item(f"label-{number}.png", _kinds(kind), encoded(crop(200 + number), "PNG"), label)
    for number, label in enumerate("😀\U0001f469\U00020000"):
        yield Item(f"unknown-{number}.png", _kinds("character"), encoded(crop(300 + number), "PNG"), f"a{label}")


def _same() -> Iterator[Item]:
    one = encoded(crop(400), "PNG")
    yield _item("once.png", "", one)
    yield _item("again.png", "duplicate", one)
    yield _item("again-with-another-label.png", "contradiction", one, label="cab")
    yield Item("the-line-again", _kinds("duplicate"), None, line="images/once.png\tabc")
    yield Item("the-line-written-otherwise", _kinds("duplicate"), None, line=".\\images\\once.png\tabc")


UNKNOWN = "\0😀\U0001f469\U00020000"  # characters that the dictionary of the corpus lacks


@cache
def bomb(side: int = 30_000) -> bytes:
    """A valid PNG of some 100 KB that would be 2.7 GB once decoded to colour."""
    return flat_png(side, side, 1)


def flat_png(width: int, height: int, depth: int) -> bytes:
    """A grey PNG of a few rows that repeat, so that it is small: stripes."""
    row = b"\0" + b"\xf0\x0f" * -(-width * depth // 16)
    packer = zlib.compressobj(1 if depth == 8 else 9)
    packed = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    return _chunks((b"IHDR", _ihdr(width, height, depth=depth, colour=0)), (b"IDAT", packed), (b"IEND", b""))


def _item(name: str, kinds: str, image: bytes | Place | None, label: str = "abc") -> Item:
    return Item(name, _kinds(kinds), image, label)


def _kinds(text: str) -> frozenset[str]:
    return frozenset(text.split("+")) if text else frozenset()


def _flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _chunks(*chunks: tuple[bytes, bytes]) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*each) for each in chunks)


def _ihdr(width: int, height: int, depth: int = 8, colour: int = 2, interlace: int = 0) -> bytes:
    return struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)


def _interlaced(seed: int) -> bytes:
    """Adam7, which Pillow does not write: each pass is an image of its own."""
    pixels = np.asarray(crop(seed).convert("L"))
    rows = b""
    for top, left, down, right in (
        (0, 0, 8, 8),
        (0, 4, 8, 8),
        (4, 0, 8, 4),
        (0, 2, 4, 4),
        (2, 0, 4, 2),
        (0, 1, 2, 2),
        (1, 0, 2, 1),
    ):
        rows += b"".join(b"\0" + row.tobytes() for row in pixels[top::down, left::right])
    return _chunks((b"IHDR", _ihdr(96, 32, colour=0, interlace=1)), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))


def _frame_at(jpeg: bytes) -> int:
    return next(at for at in (jpeg.find(b"\xff\xc0"), jpeg.find(b"\xff\xc2")) if at > 0)


def _resized_jpeg(jpeg: bytes, width: int, height: int) -> bytes:
    at = _frame_at(jpeg)
    return jpeg[: at + 5] + struct.pack(">HH", height, width) + jpeg[at + 9 :]


def _with_precision(jpeg: bytes, bits: int) -> bytes:
    at = _frame_at(jpeg)
    return jpeg[: at + 4] + bytes([bits]) + jpeg[at + 5 :]


def _many_scans(jpeg: bytes) -> bytes:
    """The last scan a thousand times."""
    at = jpeg.rfind(b"\xff\xda")
    return jpeg[:at] + jpeg[at:-2] * 1000 + b"\xff\xd9"


def _claiming_webp() -> bytes:
    canvas = b"\0\0\0\0" + (16_383).to_bytes(3, "little") * 2
    body = b"WEBPVP8X" + struct.pack("<I", len(canvas)) + canvas
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _tiff(width: int, height: int) -> bytes:
    tags = (
        (256, width),
        (257, height),
        (258, 8),
        (259, 1),
        (262, 1),
        (273, 8),
        (277, 1),
        (278, height),
        (279, width * height),
    )
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0\x08\0\0\0" + directory + bytes(4)


def _bmp(seed: int) -> bytearray:
    return bytearray(encoded(crop(seed), "BMP"))


def _top_down(seed: int) -> bytes:
    data = _bmp(seed)
    data[22:26] = struct.pack("<i", -32)
    return bytes(data)


def _resized_bmp(width: int, height: int) -> bytes:
    data = _bmp(115)
    data[18:26] = struct.pack("<ii", width, height)
    return bytes(data)


def _bmp_of_depth(bits: int) -> bytes:
    data = _bmp(116)
    data[28:30] = struct.pack("<H", bits)
    return bytes(data)


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.write(encoded(crop(142), "PNG"))
        file.truncate(200_000_000)
