"""The joined curve: every step once, whatever was interrupted."""

from __future__ import annotations

from datetime import datetime, timezone

from contract.events import parse_event
from launcher.cloud.curve import Heard, join_curve
from tests.service import curve

NOON = datetime(2026, 11, 22, 12, tzinfo=timezone.utc)


def heard(lines: list[str], attempt: str = "a/algo-1-1", job: str = "a") -> list[Heard]:
    return [Heard(event, job, attempt, NOON) for line in lines if (event := parse_event(line))]


def test_an_uninterrupted_curve_has_a_row_per_step() -> None:
    joined = join_curve(heard(curve(1, 30)))
    assert [row["step"] for row in joined.rows] == list(range(1, 31))
    assert (joined.steps, joined.epochs, joined.resumed) == (30, 3, ())
    assert joined.rows[9]["acc"] > 0
    assert "acc" not in joined.rows[8]


def test_steps_that_were_trained_again_are_there_once_and_equal_those_of_an_uninterrupted_run() -> None:
    first = heard(curve(1, 33, total=60))
    second = heard(curve(21, 45, total=60, resumed=20), "a/algo-1-2")
    third = heard(curve(41, 60, total=60, resumed=40), "b/algo-1-1", job="b")
    joined = join_curve([*first, *second, *third])
    whole = join_curve(heard(curve(1, 60)))
    assert [row | {"job": ""} for row in joined.rows] == [row | {"job": ""} for row in whole.rows]
    assert joined.resumed == (20, 40)
    assert joined.best == joined.rows[-1] | {"job": "b"}
    assert joined.rows[39]["job"] == "a"
    assert joined.rows[40]["job"] == "b"


def test_what_a_restart_has_not_trained_again_yet_does_not_count() -> None:
    again = heard(curve(21, 25, total=60, resumed=20), "a/algo-1-2")
    assert join_curve([*heard(curve(1, 40, total=60)), *again]).last["step"] == 25  # type: ignore[index]


def test_an_attempt_that_begins_anew_forgets_the_earlier_ones() -> None:
    joined = join_curve([*heard(curve(1, 40, total=60)), *heard(curve(1, 5, total=60), "a/algo-1-2")])
    assert [row["step"] for row in joined.rows] == [1, 2, 3, 4, 5]


def test_lines_of_an_attempt_that_arrive_late_stay_with_it() -> None:
    first, second = heard(curve(1, 30, total=60)), heard(curve(21, 60, total=60, resumed=20), "a/algo-1-2")
    joined = join_curve([*first[:-3], *second, *first[-3:]])
    assert [row["step"] for row in joined.rows] == list(range(1, 61))
    assert len({id(row) for row in joined.rows}) == 60


def test_the_best_is_what_the_trainer_calls_the_best() -> None:
    lines = [
        "[ocr] event=eval step=10 epoch=1 acc=0.5 cer=0.2 norm_edit_dis=0.7",
        "[ocr] event=eval step=20 epoch=2 acc=0.5 cer=0.1 norm_edit_dis=0.7",
        "[ocr] event=eval step=30 epoch=3 acc=0.5 cer=0.1 norm_edit_dis=0.9",
        "[ocr] event=eval step=40 epoch=4 acc=0.4 cer=0.05 norm_edit_dis=0.9",
    ]
    assert join_curve(heard(lines)).best["step"] == 20  # type: ignore[index]
    assert join_curve([]).best is None
