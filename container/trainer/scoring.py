"""How well texts are read: exact match, CER and normalized edit distance, over every sample and its raw label."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rapidfuzz.distance import Levenshtein

from contract.dataset import Sample

COLUMNS = ("image", "label", "prediction", "confidence", "correct", "edits")


@dataclass(frozen=True)
class Prediction:
    """What the model read on one crop; confidence is the mean over its characters, 0..1."""

    text: str
    confidence: float


@dataclass(frozen=True)
class Score:
    """acc: share of crops read exactly; cer: edits / label characters; norm_edit_dis: 1 - mean(edits / longer)."""

    acc: float
    cer: float
    norm_edit_dis: float

    @property
    def rank(self) -> tuple[float, float]:
        """Higher is better; CER decides between equal accuracies."""
        return self.acc, -self.cer


def score(labels: Sequence[str], texts: Sequence[str]) -> Score:
    """Score predictions against labels of the same order. Raises ValueError for lengths that differ or none."""
    if len(labels) != len(texts) or not labels:
        raise ValueError(f"{len(labels)} labels, {len(texts)} predictions")
    edits = [Levenshtein.distance(label, text) for label, text in zip(labels, texts, strict=True)]
    longer = [max(len(label), len(text), 1) for label, text in zip(labels, texts, strict=True)]
    return Score(
        acc=sum(edit == 0 for edit in edits) / len(labels),
        cer=sum(edits) / max(1, sum(map(len, labels))),
        norm_edit_dis=1 - sum(edit / size for edit, size in zip(edits, longer, strict=True)) / len(labels),
    )


def write_predictions(path: Path, samples: Sequence[Sample], predictions: Sequence[Prediction]) -> None:
    """predictions.csv: one row a validation sample, in the order of its label file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for sample, read in zip(samples, predictions, strict=True):
            edits = Levenshtein.distance(sample.label, read.text)
            row = (sample.image, sample.label, read.text, f"{read.confidence:.4f}", int(edits == 0), edits)
            writer.writerow(row)
