"""What lies beside pretrained weights and says which dictionary they were trained with."""

from __future__ import annotations

from pathlib import Path

from contract.dataset import DICTIONARY

EXPORTED = "inference.yml"  # of an exported model: it lists the characters
MOST_BYTES = 4_000_000  # the largest dictionary of PaddleOCR has 74 KB; a log beside the weights is none


def files_beside(weights: Path, channel: Path) -> list[Path]:
    """The files to ask, the most telling first: `dict.txt`, other `.txt`, `inference.yml`, `config.yml`.

    Those in the folder of the weights come before those at the top of the channel.
    """
    found: dict[Path, None] = {}
    for place in (weights.parent, channel):
        texts = sorted(place.glob("*.txt"), key=lambda path: (path.name != DICTIONARY, path.name))
        for path in [*texts, *sorted(place.glob(f"**/{EXPORTED}")), *sorted(place.glob("config.y*ml"))]:
            if path.is_file() and path.stat().st_size <= MOST_BYTES:
                found[path] = None
    return list(found)
