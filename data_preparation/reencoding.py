"""Images made smaller on the way into shards: as JPEG. They lose something, so only when asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import cv2

from contract.dataset import MANIFEST
from contract.errors import BadImage
from contract.image_header import read_header
from contract.images import open_images
from data_preparation.images import decode
from data_preparation.manifest import manifest_bytes, read_manifest

JPEG = b"\xff\xd8"  # how every JPEG file begins


class AsJpeg:
    """The images of a dataset folder, each that is no JPEG yet as one. contract.images.Images.

    quality: 1 to 100, as libjpeg counts. The paths stay: whoever decodes looks at the bytes, not at the name's ending.
    """

    def __init__(self, folder: Path, quality: int) -> None:
        self._images = open_images(folder)
        self._quality = quality
        self.remedy = self._images.remedy

    def read(self, image: str) -> bytes:
        return self._as_jpeg(self._images.read(image))

    def view(self, image: str) -> memoryview:
        return memoryview(self.read(image))

    def read_verified(self, image: str) -> tuple[bytes, str]:
        data = self._as_jpeg(self._images.read_verified(image)[0])
        return data, hashlib.sha256(data).hexdigest()

    def unnamed(self, images: Iterable[str]) -> list[str]:
        return self._images.unnamed(images)

    def _as_jpeg(self, data: bytes) -> bytes:
        read_header(data)  # before anything decodes: it knows how large the image would become
        if data.startswith(JPEG):
            return data
        image = decode(data)
        if image is None:
            raise BadImage("damaged image", "does not decode: the file is damaged")
        done, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, self._quality])
        if not done:  # libjpeg takes no side over 65,500 pixels
            raise BadImage("huge image", f"cannot be a JPEG ({image.shape[1]} x {image.shape[0]} pixels)")
        return encoded.tobytes()


def note_reencoding(folder: Path, quality: int, content_sha256: str) -> None:
    """Correct the dataset.json that came with the images, if one did: they are others now. Raises UserError."""
    manifest = read_manifest(folder)
    if manifest is not None:
        manifest |= {"reencoded": {"as": "jpeg", "quality": quality}, "content_sha256": content_sha256}
        (folder / MANIFEST).write_bytes(manifest_bytes(manifest))
