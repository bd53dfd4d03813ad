"""predictions.csv, row by row: what the exported model read on every validation crop."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import nlargest
from pathlib import Path

from contract.errors import UserError
from launcher.run_report.fields import REMEDY

NEEDED = ("image", "label", "prediction", "confidence", "edits")


@dataclass(frozen=True)
class Reading:
    """One crop: what it says, and what was read."""

    image: str
    label: str
    prediction: str
    confidence: float
    edits: int

    @property
    def badness(self) -> tuple[float, float, int]:
        """Sorts: edits for each character first, then how sure the model was: sure and wrong is often a wrong label."""
        return self.edits / max(1, len(self.label), len(self.prediction)), self.confidence, self.edits


@dataclass(frozen=True)
class Readings:
    """All rows counted, and the worst of them that are wrong."""

    samples: int
    wrong: int
    worst: tuple[Reading, ...]


def read_worst(path: Path, count: int) -> Readings:
    """The `count` worst rows. Raises UserError with file:line."""
    samples = wrong = 0

    def wrong_ones() -> Iterator[Reading]:
        nonlocal samples, wrong
        for reading in _rows(path):
            samples += 1
            if reading.edits:
                wrong += 1
                yield reading

    worst = nlargest(count, wrong_ones(), key=lambda each: each.badness)
    return Readings(samples, wrong, tuple(worst))


def _rows(path: Path) -> Iterator[Reading]:
    line = 1
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            lacking = [name for name in NEEDED if name not in (reader.fieldnames or ())]
            if lacking:
                raise UserError(f"{path}:1: has no column {lacking[0]!r}: {REMEDY}")
            for row in reader:
                line = reader.line_num
                yield _reading(row, f"{path}:{line}")
                line += 1
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): name another run") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{path}:{line}: is no CSV ({error}): {REMEDY}") from None


def _reading(row: dict[str, str | None], where: str) -> Reading:
    image, label, prediction, confidence, edits = (row[name] for name in NEEDED)
    if image is None or label is None or prediction is None or confidence is None or edits is None:
        raise UserError(f"{where}: has too few columns: {REMEDY}")
    try:
        sure = float(confidence)
    except ValueError:
        sure = math.nan
    if not 0 <= sure <= 1:
        raise UserError(f"{where}: the confidence {confidence[:20]!r} is not between 0 and 1: {REMEDY}")
    if not (edits.isascii() and edits.isdigit() and len(edits) < 10):
        raise UserError(f"{where}: the edits {edits[:20]!r} are no whole number: {REMEDY}")
    return Reading(image, label, prediction, sure, int(edits))
