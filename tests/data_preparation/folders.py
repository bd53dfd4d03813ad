"""Small real folders to test with: crops, label files, datasets."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from contract.picture import Look
from data_preparation.images import decode

REPOSITORY = Path(__file__).resolve().parents[2]


def png(width: int = 96, height: int = 32, shade: int = 200) -> bytes:
    """A PNG with some structure, different for each shade."""
    return _encoded(".png", width, height, shade)


def jpeg(width: int = 96, height: int = 32, shade: int = 200) -> bytes:
    return _encoded(".jpg", width, height, shade)


@lru_cache
def huge_png(side: int = 30_000) -> bytes:
    """A valid PNG of some 100 KB that would be 2.7 GB once decoded to colour."""
    row = b"\0" * (side // 8 + 1)  # filter byte, then one bit a pixel
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", packed), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def crops(folder: Path, names: list[str]) -> None:
    """PNG files, each of another shade."""
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(shade=number % 250))


def dataset(folder: Path, train: Mapping[str, str], val: Mapping[str, str] | None = None) -> Path:
    """A sound dataset of image name → label."""
    val = {"v.png": next(iter(train.values()))} if val is None else val
    crops(folder / "images", [*train, *val])
    for name, samples in (("train.txt", train), ("val.txt", val)):
        text = "".join(f"images/{image}\t{label}\n" for image, label in samples.items())
        (folder / name).write_text(text, encoding="utf-8")
    characters = sorted(set("".join([*train.values(), *val.values()])) - {" "})
    (folder / "dict.txt").write_text("".join(c + "\n" for c in characters), encoding="utf-8")
    return folder


def decodes(data: bytes) -> Look | None:
    """For check_dataset: whether an image decodes, without a look at what it shows."""
    return None if decode(data) is None else Look()


def run_python(*arguments: str, cwd: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    """Another Python, with the packages importable as the editable install makes them."""
    environment = {"PYTHONPATH": str(REPOSITORY), "PYTHONUTF8": "1", "PATH": ""}
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


def _encoded(ending: str, width: int, height: int, shade: int) -> bytes:
    image = np.full((height, width, 3), shade, np.uint8)
    image[height // 4 : height // 2, ::7] = 255 - shade
    return cv2.imencode(ending, image)[1].tobytes()
