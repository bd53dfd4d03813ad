"""The depth of the scores against values worked out by hand, and sums that add up."""

from __future__ import annotations

import json
import random

import pytest
from rapidfuzz.distance import Levenshtein

from container.trainer.scores_in_depth import CONFUSIONS, in_words, scores_in_depth


def test_by_hand():
    labels = ["1234", "56", "น้ำ", "a b"]
    texts = ["1284", "5", "นำ", "aa b"]
    scores = scores_in_depth(labels, texts, training=["123456", "นำ", "ab"], dictionary="123456789นำ้ab")
    assert (scores["samples"], scores["characters"], scores["edits"]) == (4, 12, 4)
    assert scores["by_length"] == [
        {"from": 1, "to": 2, "samples": 1, "right": 0, "characters": 2, "edits": 1, "acc": 0, "cer": 1 / 2},
        {"from": 3, "to": 4, "samples": 3, "right": 0, "characters": 10, "edits": 3, "acc": 0, "cer": 3 / 10},
    ]
    assert scores["by_character"]["3"] == {"count": 1, "right": 0, "most_read_as": "8", "times": 1}
    assert scores["by_character"]["้"] == {"count": 1, "right": 0, "most_read_as": "", "times": 1}
    assert scores["by_character"]["a"] == {"count": 1, "right": 1}, "one too many takes nothing from the one read"
    assert scores["confusions"] == {
        "pairs": [
            {"label": "", "read": "a", "times": 1},
            {"label": "3", "read": "8", "times": 1},
            {"label": "6", "read": "", "times": 1},
            {"label": "้", "read": "", "times": 1},
        ],
        "replaced": 1,
        "left_out": 2,
        "too_many": 1,
        "not_listed": {"pairs": 0, "edits": 0},
    }
    assert scores["by_script"] == {
        "digits": {"count": 6, "right": 4},
        "space": {"count": 1, "right": 1},
        "Latin": {"count": 2, "right": 2},
        "Thai": {"count": 3, "right": 2},
    }
    assert scores["never_trained"] == {"validation": {" ": 1, "้": 1}, "dictionary": "789้"}


def test_nothing_is_dropped_and_the_sums_add_up():
    draw = random.Random(3)
    alphabet = "".join(map(chr, [*range(0x30, 0x7A), *range(0x0E01, 0x0E3A), 0x0E33, 0x20]))
    labels = ["".join(draw.choices(alphabet, k=draw.randint(0, 80))) for _ in range(2000)]
    texts = ["".join(draw.choices(alphabet, k=len(label))) if draw.random() < 0.3 else label[1:] for label in labels]
    scores = scores_in_depth(labels, texts, training=labels[:50], dictionary=alphabet)

    edits = sum(Levenshtein.distance(label, text) for label, text in zip(labels, texts, strict=True))
    kinds = [scores["confusions"][name] for name in ("replaced", "left_out", "too_many")]
    listed = sum(pair["times"] for pair in scores["confusions"]["pairs"])
    assert scores["edits"] == edits == sum(kinds)
    assert len(scores["confusions"]["pairs"]) == CONFUSIONS
    assert listed + scores["confusions"]["not_listed"]["edits"] == edits
    characters = sum(map(len, labels))
    for parts in (scores["by_character"].values(), scores["by_script"].values()):
        assert sum(part["count"] for part in parts) == characters
        assert sum(part["count"] - part["right"] for part in parts) == kinds[0] + kinds[1]
    for name, total in (("samples", 2000), ("characters", characters), ("edits", edits)):
        assert sum(row[name] for row in scores["by_length"]) == scores[name] == total
    right = sum(label == text for label, text in zip(labels, texts, strict=True))
    assert sum(row["right"] for row in scores["by_length"]) == right
    assert json.loads(json.dumps(scores)) == scores


def test_raw_text_counts():
    """A decomposed SARA AM looks the same and is another text."""
    scores = scores_in_depth(["น้ำ"], ["น้ํา"], ["น้ำ"], "")
    assert scores["by_character"]["ำ"]["right"] == 0
    assert scores["edits"] == 2
    assert scores["normalised"] == {"acc": 1, "cer": 0}


def test_lists_of_other_lengths_are_a_defect():
    with pytest.raises(ValueError, match="zip"):
        scores_in_depth(["a"], [], [], "")


def test_people_hear_the_worst():
    scores = scores_in_depth(["11ๆ", "21"], ["17", "27"], ["12"], "12ๆ")
    assert in_words(scores) == "most often misread: '1' as '7' 2×, 'ๆ' as nothing 1×"
    assert in_words(scores_in_depth(["1"], ["1"], ["1"], "1")) == ""
