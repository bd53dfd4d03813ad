"""Draws one word crop. Everything about it is decided by the random generator it is given."""

from __future__ import annotations

import io
import random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from data_preparation.demo.fonts import Face

# Chosen so that a person reads every crop at a glance: the demo shows a pipeline, it is no benchmark.
SIZES = (24, 44)  # font size in pixels
TILT = 2.5  # degrees, either way
BLUR = 0.8  # pixels, radius
NOISE = 7.0  # grey levels, standard deviation
SHADING = 24  # grey levels from one edge to the other
DARK = (0, 80)  # grey levels of ink on light paper
LIGHT = (175, 255)
TINT = 18  # how far a channel strays from grey
INVERTED = 0.2  # share of crops with light ink on dark paper


def draw_crop(text: str, face: Face, rng: random.Random) -> bytes:
    """A PNG of the text, with little around it, as a text detector would have cut it out."""
    ink = _ink(text, face, rng)
    paper, colour = _colours(rng)
    image = Image.composite(Image.new("RGB", ink.size, colour), _background(ink.size, paper, rng), ink)
    if rng.random() < 0.5:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.2, BLUR)))
    if rng.random() < 0.5:
        image = _noisy(image, rng)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _ink(text: str, face: Face, rng: random.Random) -> Image.Image:
    """Where the ink is: the text, tilted, cut to its outline plus a margin."""
    size = rng.randint(*SIZES)
    font = face.at(size)
    stroke = 1 if rng.random() < 0.15 else 0
    left, top, right, bottom = font.getbbox(text, stroke_width=stroke)
    room = size  # keeps corners inside while the text is tilted
    canvas = Image.new("L", (int(right - left) + 2 * room, int(bottom - top) + 2 * room))
    place = (room - left, room - top)
    ImageDraw.Draw(canvas).text(place, text, fill=255, font=font, stroke_width=stroke)
    canvas = canvas.rotate(rng.uniform(-TILT, TILT), Image.Resampling.BICUBIC)
    box = canvas.getbbox() or (0, 0, *canvas.size)
    margins = [rng.uniform(0.06, 0.25) * size for _ in range(4)]
    return canvas.crop(
        (
            round(box[0] - margins[0]),
            round(box[1] - margins[1]),
            round(box[2] + margins[2]),
            round(box[3] + margins[3]),
        )
    )


def _colours(rng: random.Random) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Paper and ink, far enough apart to read."""
    paper, ink = _tinted(rng.randint(*LIGHT), rng), _tinted(rng.randint(*DARK), rng)
    return (ink, paper) if rng.random() < INVERTED else (paper, ink)


def _tinted(grey: int, rng: random.Random) -> tuple[int, int, int]:
    red, green, blue = (min(255, max(0, grey + rng.randint(-TINT, TINT))) for _ in range(3))
    return red, green, blue


def _background(size: tuple[int, int], colour: tuple[int, int, int], rng: random.Random) -> Image.Image:
    """Paper that is a little darker towards one side."""
    width, height = size
    across, down = rng.uniform(-SHADING, SHADING), rng.uniform(-SHADING, SHADING) / 2
    shade = np.linspace(-across, across, width)[None, :] / 2 + np.linspace(-down, down, height)[:, None] / 2
    return _image(np.asarray(colour, np.float32) + shade[:, :, None])


def _noisy(image: Image.Image, rng: random.Random) -> Image.Image:
    strength = rng.uniform(1.5, NOISE)
    noise = np.random.default_rng(rng.getrandbits(64)).normal(0, strength, (image.height, image.width, 1))
    return _image(np.asarray(image, np.float32) + noise)


def _image(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(pixels.clip(0, 255).round().astype(np.uint8), "RGB")
