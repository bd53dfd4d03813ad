"""Sample number i of a demo dataset. It depends on the seed, the kinds and i, and on nothing else."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from data_preparation.demo.drawing import draw_crop
from data_preparation.demo.fonts import Face
from data_preparation.demo.words import Kind


def draw_sample(
    number: int, seed: int, kinds: Sequence[Kind], faces: Mapping[str, Sequence[Face]]
) -> tuple[str, bytes]:
    """Label and PNG of a sample. The kinds take turns."""
    kind = kinds[number % len(kinds)]
    rng = random.Random(f"{seed}/{number}")
    label = kind.label(rng)
    return label, draw_crop(label, rng.choice(faces[kind.name]), rng)
