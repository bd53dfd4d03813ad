"""Pictures inside the page: small copies, made anew from pixels, within a budget of bytes.

A file's own bytes never reach the page: what is embedded was decoded, as the training does, and encoded here.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

import cv2

from contract.image_header import read_header
from data_preparation.images import decode
from data_preparation.page.markup import Content, Markup, element

HIGH, WIDE = 112, 900  # pixels of a copy, at most
QUALITY = 82
LARGEST = 24_000  # bytes of one copy; a crop of text has 2,000 to 6,000


@dataclass
class Album:
    """Embeds pictures until the budget is spent, in bytes of the page."""

    budget: int
    left_out: int = field(default=0, init=False)  # pictures for which nothing was left

    def picture(self, data: bytes | None, alt: str, *content: Content, broad: bool = False) -> Markup:
        """A picture with what is said of it. data: the file of the image; None where there is none to show.

        broad: for crops so wide that a column makes threads of them.
        """
        frame = self._image(data, alt) if data else element("p", "no picture: the file cannot be shown")
        return element(
            "li",
            element("div", frame, class_="frame"),
            element("div", *content),
            class_="picture broad" if broad else "picture",
        )

    def _image(self, data: bytes, alt: str) -> Markup:
        made = _small_copy(data)
        if made is None:
            return element("p", "no picture: the file does not decode")
        encoded, width, height = made
        source = "data:image/webp;base64," + base64.b64encode(encoded).decode()
        if len(encoded) > LARGEST or len(source) > self.budget:
            self.left_out += 1
            return element("p", "left out, so that this page stays small")
        self.budget -= len(source)
        return element("img", src=source, alt=alt, width=width, height=height)


def gallery(*pictures: Markup) -> Markup:
    """Pictures beside each other, as many as the page is wide for."""
    return element("ul", *pictures, class_="pictures")


def _small_copy(data: bytes) -> tuple[bytes, int, int] | None:
    """A WebP and its size in pixels; None for what is not an image or does not decode."""
    try:
        read_header(data)  # a file may claim gigabytes of pixels
    except ValueError:
        return None
    pixels = decode(data)
    if pixels is None:
        return None
    height, width = pixels.shape[:2]
    scale = min(1.0, HIGH / height, WIDE / width)
    if scale < 1:
        width, height = max(1, round(width * scale)), max(1, round(height * scale))
        pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    return cv2.imencode(".webp", pixels, [cv2.IMWRITE_WEBP_QUALITY, QUALITY])[1].tobytes(), width, height
