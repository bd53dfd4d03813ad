"""What is odd about the image of a sample: it trains, and may teach nothing or something wrong."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from contract.limits import Limits
from contract.picture import Picture

Oddity = tuple[str, str, str]  # kind, what continues "the image '…' ", remedy

NEAR_BLANK = 3.0  # levels of 255: faint text of 20 levels that covers a tenth of a crop deviates by 6
TINY = 8  # pixels of a side: the smallest letters that people read have some 7
LARGE = 4_000_000  # pixels: decoded again in every epoch, for an input of some 15,000
SQUEEZED = 3.0  # times as narrow as they are high, once the input's width holds the whole
WIDEST = 4_000  # pixels of an input that is worth to be named: the steps of a line of 1,000 letters
UPRIGHT = 1.5  # height / width from which PaddleOCR takes a box for text that runs down
WORD = 3  # letters: two may well be higher than wide


def picture_oddities(picture: Picture, label: str, limits: Limits | None) -> Iterator[Oddity]:
    """Everything odd about a picture, one item for each kind. limits: of the recipe that it is for."""
    width, height, look = picture.width, picture.height, picture.look
    size = f"{width} x {height} pixels"
    if look.complaint:
        yield "doubtful image", f"decodes, but {look.complaint!r} was said", "look at it, and replace it when damaged"
    if look.deviation is not None and look.deviation < NEAR_BLANK:
        what = f"is nearly of one colour (deviation {look.deviation:.1f} of 255)"
        yield "near-blank", what, "look at it, and delete the line when it shows no text"
    if min(width, height) < TINY:
        yield "tiny image", f"has {size}, too few to read", "cut it from a larger scan, or delete the line"
    elif width * height > LARGE:
        yield "large image", f"has {size}, to be decoded in every epoch", "make it smaller, or cut the text out closer"
    if height > UPRIGHT * width and letters(label) >= WORD:
        what = f"is {height / width:.1f} times as high as wide, and its label has {letters(label)} letters"
        yield "upright text", what, "turn it so that the text runs from left to right"
    if limits and (squeezed := (width / height) / (limits.width / limits.height)) > SQUEEZED:
        what = f"is {width / height:.0f} times as wide as high, and is squeezed {squeezed:.1f} times"
        wider = -(-round(limits.height * width / height) // 32) * 32
        widen = f", or widen the input to image_shape [3,{limits.height},{wider}]" if wider <= WIDEST else ""
        yield "squeezed", what, f"split the line{widen}"
    if picture.animated:
        yield "animated", "holds several pictures, and only the first is used", "save the right one alone"
    if picture.turned:
        yield "turned", "is turned by its EXIF data, as OpenCV does and other readers do not", "save it upright"


def letters(label: str) -> int:
    """Characters that take a place of their own in a line."""
    return sum(not character.isspace() and unicodedata.category(character)[0] != "M" for character in label)
