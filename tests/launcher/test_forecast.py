"""Time left, money, and limits that do not suffice."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from launcher.cloud.forecast import AFTER_TRAINING_S, describe_money, final_cost, forecast, spot_saving
from launcher.cloud.job import Job, Transition, read_job
from launcher.cloud.prices import API, Price

NOON = datetime(2026, 11, 22, 12, tzinfo=timezone.utc)
PRICE = Price(3.6, "USD", API, "2026-11-01", "ap-southeast-1")  # 0.1 cent a second


def job(**changes: object) -> Job:
    """Downloading for 100 s, then training for 1,000 s until now."""
    begun = NOON - timedelta(seconds=1100)
    plain = read_job({"TrainingJobName": "j", "TrainingJobStatus": "InProgress", "SecondaryStatus": "Training"})
    transitions = (
        Transition("Pending", begun - timedelta(seconds=900), begun, ""),
        Transition("Downloading", begun, begun + timedelta(seconds=100), ""),
        Transition("Training", begun + timedelta(seconds=100), None, ""),
    )
    created = begun - timedelta(seconds=900)
    return replace(plain, seen=NOON, created=created, transitions=transitions, **changes)


def test_money_on_demand_is_one_figure_and_spot_a_range() -> None:
    seen = forecast(job(max_run_s=7200), 900.0, PRICE)
    assert seen.running_s == 1100
    assert seen.total_s == 1100 + 900 + AFTER_TRAINING_S
    assert describe_money(seen) == "$1.10 of $2.12"
    assert describe_money(forecast(job(spot=True), 900.0, PRICE)) == "$0.33–0.55 of $0.64–1.06"
    assert describe_money(forecast(job(), None, PRICE)) == "$1.10"
    assert describe_money(forecast(job(), 900.0, None)) == ""
    assert describe_money(forecast(job(count=2), 900.0, PRICE)) == "$2.20 of $4.24"
    assert describe_money(forecast(job(keep_alive_s=600), 900.0, PRICE)) == "$1.10 of $2.72"


@pytest.mark.parametrize(
    ("limits", "misses", "late"),
    [
        ({"max_run_s": 3000}, "", 0.0),
        ({"max_run_s": 2000}, "--max-run", 120.0),
        ({"max_run_s": 2100}, "", 0.0),  # too close to call
        ({"max_run_s": 3000, "max_wait_s": 2500, "spot": True}, "--max-wait", 520.0),
        ({"max_run_s": 3000, "max_wait_s": 2500}, "", 0.0),  # --max-wait belongs to Spot
        ({}, "", 0.0),
    ],
)
def test_a_limit_that_comes_too_early_is_seen(limits: dict[str, object], misses: str, late: float) -> None:
    seen = forecast(job(**limits), 900.0, PRICE)
    assert (seen.misses, seen.late_s) == (misses, late)


def test_a_pace_of_the_first_seconds_warns_of_nothing() -> None:
    young = job(max_run_s=10)
    young = replace(young, transitions=(Transition("Training", NOON - timedelta(seconds=30), None, ""),))
    assert forecast(young, 10_000.0, PRICE).misses == ""


def test_the_final_cost_is_what_is_billed() -> None:
    over = replace(job(status="Completed", billable_s=300, training_s=1000, spot=True), count=2)
    assert final_cost(over, PRICE) == pytest.approx(0.6)
    assert spot_saving(over) == pytest.approx(0.7)
    assert final_cost(replace(over, kept_s=600), PRICE) == pytest.approx(1.8)  # a warm machine is paid like any
    assert final_cost(job(), PRICE) is None  # not over yet
    assert final_cost(job(status="Failed"), PRICE) == 0.0  # it never got a machine
    assert final_cost(job(status="Failed", start=NOON), PRICE) is None  # it did, and the bill is not known
    assert spot_saving(job(status="Completed", billable_s=300, training_s=1000)) is None
