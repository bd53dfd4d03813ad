"""`python -m launcher list`: the runs of this project on SageMaker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from contract.errors import UserError
from launcher.cloud.call import read_call
from launcher.entry import enter
from launcher.people import answer, say

if TYPE_CHECKING:
    from launcher.aws import Account
    from launcher.cloud.job import Job
    from launcher.cloud.prices import Price

AT_ONCE = 4  # DescribeTrainingJob is throttled at some ten calls a second
LOOKED_AT_MOST = 500  # jobs of an account that are not ours are described too


@dataclass(frozen=True)
class Run:
    """A run and its jobs, the newest first."""

    name: str
    jobs: tuple[Job, ...]

    @property
    def newest(self) -> Job:
        return self.jobs[0]


def main(argv: list[str] | None = None) -> int:
    """One call. Returns the exit code."""
    return enter(argv, list_runs, result="runs")


def list_runs(argv: list[str]) -> int:
    """Find the newest runs, say what became of them."""
    call = read_call("list", argv)
    text = call.text("limit")
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise UserError(f"--limit {text}: name a number of runs, 1 or more")
    # Imported here: --help and a wrong flag need none of this (boto3).
    from launcher.cloud.prices import price_of

    account = call.account()
    runs = find_runs(account, int(text), call.text("contains"))
    instances = {job.instance for run in runs for job in run.jobs}
    prices = {each: price_of(account, each, account.region) for each in instances}
    rows = [describe_run(run, prices) for run in runs]
    if call.json:
        return answer(json.dumps(rows), 0)
    if not rows:
        say(f"there are no runs in {account.region} of the account {account.id}")
        return 0
    return answer(as_text(rows, datetime.now(timezone.utc)), 0)


def find_runs(account: Account, limit: int, contains: str = "") -> list[Run]:
    """The newest runs that this launcher has started. Raises UserError."""
    found: dict[str, list[Job]] = {}
    for job in _our_jobs(account, contains):
        if job.run not in found and len(found) == limit:
            break
        found.setdefault(job.run, []).append(job)
    return [Run(name, tuple(jobs)) for name, jobs in found.items()]


def describe_run(run: Run, prices: dict[str, Price | None]) -> dict[str, object]:
    """One row, for programs too. `cost` and `billable_seconds` are of all its jobs that are over."""
    from launcher.cloud.aftermath import best_scores
    from launcher.cloud.forecast import final_cost

    job = run.newest
    costs = [final_cost(each, prices[each.instance]) for each in run.jobs if each.is_over]
    price = prices[job.instance]
    best = next((scores for each in run.jobs if (scores := best_scores(each, None))), {})
    return {
        "run": run.name,
        "job": job.name,
        "jobs": len(run.jobs),
        "status": job.status,
        "secondary": job.secondary,
        "instance": job.instance,
        "spot": job.spot,
        "best": best or None,
        "last": {name.removeprefix("eval:"): value for name, value in job.scores if name.startswith("eval:")} or None,
        "billable_seconds": sum(each.billable_s or 0 for each in run.jobs),
        "cost": None if None in costs else round(sum(cost or 0.0 for cost in costs), 4),
        "currency": price.currency if price else None,
        "created": job.created.isoformat() if job.created else None,
    }


def as_text(rows: list[dict[str, object]], now: datetime) -> str:
    """The rows as a table."""
    from launcher.cloud.prices import money
    from launcher.cloud.table import as_table, width_of_stdout

    def line(row: dict[str, object]) -> list[str]:
        best, last = row["best"], row["last"]
        acc = f"{best['acc']:.4f}" if isinstance(best, dict) and "acc" in best else ""
        if not acc and isinstance(last, dict) and "acc" in last:
            acc = f"last {last['acc']:.4f}"  # SageMaker keeps last values; the best one is known when a job completes
        cost = row["cost"]
        return [
            str(row["run"]),
            str(row["status"] if row["status"] != "InProgress" else row["secondary"]),
            f"{row['instance']}{' Spot' if row['spot'] else ''}",
            acc,
            money(float(str(cost)), str(row["currency"])) if cost is not None and row["currency"] else "",
            age(datetime.fromisoformat(str(row["created"])), now) if row["created"] else "",
        ]

    head = ("run", "status", "instance", "accuracy", "cost", "age")
    return as_table(head, [line(row) for row in rows], width_of_stdout(), numbers=(3, 4, 5))


def age(since: datetime, now: datetime) -> str:
    """`12 min`, `5 h`, `3 d`."""
    seconds = max(0.0, (now - since).total_seconds())
    for unit, length in (("d", 86400), ("h", 3600)):
        if seconds >= 2 * length:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds // 60:.0f} min"


def _our_jobs(account: Account, contains: str) -> Iterator[Job]:
    """Jobs whose name and hyperparameters this launcher has made, the newest first."""
    from concurrent.futures import ThreadPoolExecutor
    from itertools import islice

    from launcher.cloud.job import describer, list_job_names
    from launcher.cloud.layout import is_job_name

    ours = filter(is_job_name, list_job_names(account, contains))
    names = islice(ours, LOOKED_AT_MOST)
    describe = describer(account)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        while group := list(islice(names, AT_ONCE)):
            for job in pool.map(describe, group):
                if job and job.run and is_job_name(job.name, job.run):
                    yield job
    if next(ours, None):
        say(f"note: only the newest {LOOKED_AT_MOST} jobs were looked at: --contains NAME finds older ones")


if __name__ == "__main__":
    raise SystemExit(main())
