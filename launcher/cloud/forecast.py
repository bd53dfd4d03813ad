"""How long a job has run and will run, what that costs, and whether its limits let it finish. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from launcher.cloud.job import Job
from launcher.cloud.prices import Cost, Price, cost_of

# Downloading and uploading are paid like training, and count against --max-run.
RUNNING = ("Downloading", "Training", "Uploading", "Stopping")

# Packing and uploading a model after the last step, and the last evaluation: what training's pace does not show.
AFTER_TRAINING_S = 120.0

# Closer to the limit than this share of the whole, a pace cannot tell.
UNSURE = 0.02

# A pace means something after this much training of an attempt.
SETTLED_S = 120.0


@dataclass(frozen=True)
class Forecast:
    """What can be said while a job runs; None: not yet."""

    running_s: float  # on the machine, all attempts
    total_s: float | None  # on the machine, at the end
    spent: Cost | None
    expected: Cost | None
    misses: str  # the flag whose limit ends the job before it is done; empty: none does
    late_s: float  # by how much


def forecast(job: Job, eta_s: float | None, price: Price | None) -> Forecast:
    """`eta_s`: seconds of training left at today's pace; None: not known."""
    running = job.seconds_in(RUNNING)
    left = None if eta_s is None else eta_s + AFTER_TRAINING_S
    total = None if left is None else running + left
    misses, late = "", 0.0
    if left is not None and total is not None and job.seconds_in(("Training",)) >= SETTLED_S:
        waited = (job.seen - job.created).total_seconds() if job.created else 0.0
        limits = [("--max-run", total, job.max_run_s)]
        limits += [("--max-wait", waited + left, job.max_wait_s)] if job.spot else []
        for flag, needed, limit in limits:
            if limit is not None and needed - limit > max(late, UNSURE * needed):
                misses, late = flag, needed - limit
    paid = None if total is None else total + job.keep_alive_s
    return Forecast(running, total, _cost(job, price, running), _cost(job, price, paid), misses, late)


def final_cost(job: Job, price: Price | None) -> float | None:
    """What a job that is over has cost: Spot's saving is already in its billable seconds.

    Of a machine that stays warm: what is billed of it so far.
    """
    if price is None or not job.is_over:
        return None
    if job.billable_s is None:
        return 0.0 if job.start is None else None
    return price.per_hour * (job.billable_s + job.kept_s) / 3600 * job.count


def spot_saving(job: Job) -> float | None:
    """The share of the price that Spot has saved, 0 to 1."""
    if not job.spot or not job.training_s or job.billable_s is None:
        return None
    return max(0.0, 1 - job.billable_s / job.training_s)


def describe_money(seen: Forecast) -> str:
    """`$0.12 of $0.84`; with Spot ranges, because its price is known at the end."""
    if seen.spent is None:
        return ""
    return f"{_cents(seen.spent)} of {_cents(seen.expected)}" if seen.expected else _cents(seen.spent)


def _cost(job: Job, price: Price | None, seconds: float | None) -> Cost | None:
    return None if price is None or seconds is None else cost_of(price, seconds, job.count, spot=job.spot)


def _cents(cost: Cost) -> str:
    """Cents are enough for what changes every second."""
    low, high = f"{cost.low:.2f}", f"{cost.high:.2f}"
    amount = high if low == high else f"{low}–{high}"
    return f"${amount}" if cost.currency == "USD" else f"{amount} {cost.currency}"
