"""Share of lines read without an error, and how close the others came."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any

from rapidfuzz.distance import Levenshtein

NOT_ZERO = 1e-5  # keeps the quotient defined before the first sample; hence acc never quite reaches 1
KEPT = frozenset(string.ascii_letters + string.digits)

Lines = Sequence[tuple[str, float]]  # text and confidence


class RecMetric:
    """Counts over batches; `get_metric` gives the totals and starts afresh.

    `ignore_space` compares texts without their spaces; `is_filter` keeps a-z and 0-9 of the lower case.
    """

    def __init__(self, main_indicator: str = "acc", is_filter: bool = False, ignore_space: bool = True):
        self.main_indicator = main_indicator
        self.is_filter = is_filter
        self.ignore_space = ignore_space
        self.reset()

    def reset(self) -> None:
        self.samples, self.correct, self.distance = 0, 0, 0.0

    def __call__(self, pred_label: tuple[Lines, Lines], *args: Any, **kwargs: Any) -> dict[str, float]:
        """Add a batch of (predictions, labels); the metric of this batch alone."""
        pairs = [
            (self.compared(read), self.compared(label)) for (read, _), (label, _) in zip(*pred_label, strict=False)
        ]
        correct = sum(read == label for read, label in pairs)
        distance = sum(Levenshtein.normalized_distance(read, label) for read, label in pairs)
        self.samples += len(pairs)
        self.correct += correct
        self.distance += distance
        return scores(len(pairs), correct, distance)

    def get_metric(self) -> dict[str, float]:
        total = scores(self.samples, self.correct, self.distance)
        self.reset()
        return total

    def compared(self, text: str) -> str:
        if self.ignore_space:
            text = text.replace(" ", "")
        if self.is_filter:
            text = "".join(character for character in text if character in KEPT).lower()
        return text


def scores(samples: int, correct: int, distance: float) -> dict[str, float]:
    return {"acc": correct / (samples + NOT_ZERO), "norm_edit_dis": 1 - distance / (samples + NOT_ZERO)}
