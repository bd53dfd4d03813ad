"""Real word crops: the scanned lines of UW3, cut at the gaps between their words."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
from PIL import Image

from tests.real.uw3 import uw3_lines

INK = 128  # darker grey values are print
CLEARLY_WIDER = 1.3  # the narrowest gap between words over the widest one inside a word; other lines are left out
MARGIN = 3  # pixels kept beside a word


def word_dataset(folder: Path, train: int, val: int) -> Path:
    """A dataset folder of word crops, most of them of two to twelve letters. Raises UserError as uw3_lines does."""
    lines = uw3_lines()
    (folder / "images").mkdir(parents=True)
    characters: set[str] = set()
    for split, source, count in (("train", "train", train), ("val", "test", val)):
        words = [word for label in sorted((lines / source).glob("*.gt.txt")) for word in words_of(label)]
        chosen = words[:: max(1, len(words) // count)][:count]  # from all pages
        assert len(chosen) == count, f"{source} has {len(words)} words"
        with (folder / f"{split}.txt").open("w", encoding="utf-8") as file:
            for index, (crop, text) in enumerate(chosen):
                crop.save(folder / f"images/{split}{index}.png")
                file.write(f"images/{split}{index}.png\t{text}\n")
                characters |= set(text)
    (folder / "dict.txt").write_text("".join(f"{each}\n" for each in sorted(characters)), encoding="utf-8")
    return folder


def words_of(label: Path) -> list[tuple[Image.Image, str]]:
    """Crops and texts of one line's words, or nothing when its gaps do not tell words from letters."""
    words = label.read_text(encoding="utf-8").split()
    image = Image.open(label.with_name(label.name.replace(".gt.txt", ".bin.png"))).convert("L")
    columns = np.flatnonzero((np.asarray(image) < INK).any(axis=0))
    gaps = sorted(((right - left, left, right) for left, right in itertools.pairwise(columns)), reverse=True)
    between, inside = gaps[: len(words) - 1], gaps[len(words) - 1 :]
    if between and (not inside or between[-1][0] < CLEARLY_WIDER * inside[0][0]):
        return []
    edges = [columns[0], *(x for _, left, right in sorted(between, key=lambda gap: gap[1]) for x in (left, right))]
    edges.append(columns[-1])
    return [
        (image.crop((int(left) - MARGIN, 0, int(right) + 1 + MARGIN, image.height)), word)
        for left, right, word in zip(edges[::2], edges[1::2], words, strict=True)
    ]
