"""Scores against values worked out by hand."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from container.trainer.errors import TrainingFailed
from container.trainer.exporting import compare
from container.trainer.scoring import Prediction, Score, score, write_predictions
from contract.dataset import Sample


def test_scores_by_hand():
    result = score(["1234", "56", "น้ำ"], ["1234", "5", "นำ"])
    assert result.acc == pytest.approx(1 / 3)
    assert result.cer == pytest.approx(2 / 9)
    assert result.norm_edit_dis == pytest.approx(1 - (1 / 2 + 1 / 3) / 3)


def test_spaces_and_case_count():
    assert score(["a b"], ["ab"]).acc == 0
    assert score(["A"], ["a"]).cer == 1


def test_cer_decides_between_equal_accuracies():
    assert Score(0.5, 0.2, 0).rank > Score(0.5, 0.3, 0).rank
    assert Score(0.6, 0.9, 0).rank > Score(0.5, 0.1, 0).rank


def test_nothing_to_score_is_a_defect():
    for labels, texts in (([], []), (["a"], [])):
        with pytest.raises(ValueError, match="labels"):
            score(labels, texts)


def test_predictions_keep_odd_texts(tmp_path: Path):
    path = tmp_path / "predictions.csv"
    write_predictions(path, [Sample("a,b.png", 'say "hi", น้ำ', 1)], [Prediction("", 0.0)])
    with path.open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert row == {
        "image": "a,b.png",
        "label": 'say "hi", น้ำ',
        "prediction": "",
        "confidence": "0.0000",
        "correct": "0",
        "edits": "13",
    }


def test_an_export_that_reads_otherwise_is_refused():
    trained = [Prediction(str(number), 1.0) for number in range(3000)]
    three = [Prediction("other", 1.0)] * 3
    assert compare(trained, trained) == 0
    assert compare(trained[:10], [three[0], *trained[1:10]]) == 1, "one crop in any case"
    assert compare(trained, three + trained[3:]) == 3
    with pytest.raises(TrainingFailed, match="the exported model reads 4 of 3000 validation crops differently"):
        compare(trained, [*three, three[0], *trained[4:]])
