"""`python -m launcher compare`: runs side by side: what was set differently, scores, cost."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from contract.errors import UserError
from launcher.cloud.call import read_call
from launcher.entry import enter
from launcher.people import answer

if TYPE_CHECKING:
    from launcher.aws import Account
    from launcher.cloud.job import Job

Facts = dict[str, Any]

NARROWEST = 12  # columns that a run needs beside the others; more runs than fit go below
_NOT_SETTINGS = ("run_id",)


def main(argv: list[str] | None = None) -> int:
    """One call. Returns the exit code."""
    return enter(argv, compare, result="runs")


def compare(argv: list[str]) -> int:
    """Gather what is known of each run, and set it side by side."""
    call = read_call("compare", argv)
    names = tuple(dict.fromkeys(call.named))
    if len(names) < 2:
        raise UserError("name two runs or more to compare")
    account = call.account()
    runs = [gather_run(account, name) for name in names]
    differing = differences(runs)
    if call.json:
        return answer(json.dumps({"runs": runs, "differences": differing}), 0)
    # Imported here: --help needs none of it.
    from launcher.cloud.table import width_of_stdout

    return answer(as_text(runs, differing, width_of_stdout()), 0)


def gather_run(account: Account, named: str) -> Facts:
    """A run's scores, cost and settings. Raises UserError."""
    from launcher.cloud.aftermath import best_scores
    from launcher.cloud.forecast import final_cost
    from launcher.cloud.job import find_job, jobs_of_run
    from launcher.cloud.prices import price_of
    from launcher.cloud.story import read_story

    newest = find_job(account, named)
    jobs = jobs_of_run(account, newest.run) if newest.run == named else [newest]
    curve = read_story(account, jobs).curve
    over = [job for job in jobs if job.is_over]
    costs = [final_cost(job, price_of(account, job.instance, account.region)) for job in over]
    price = price_of(account, newest.instance, account.region)
    return {
        "run": named,
        "jobs": [job.name for job in jobs],
        "status": newest.status,
        "best": best_scores(newest, curve) or None,
        "steps": curve.last["step"] if curve.last else None,
        "training_seconds": sum(job.training_s or 0 for job in jobs),
        "billable_seconds": sum(job.billable_s or 0 for job in jobs),
        "interruptions": sum(job.interruptions for job in jobs),
        "cost": None if None in costs or not over else round(sum(cost or 0.0 for cost in costs), 4),
        "currency": price.currency if price else None,
        "price_source": price.origin if price else None,
        "settings": _settings(newest),
    }


def differences(runs: list[Facts]) -> dict[str, list[str | None]]:
    """The settings in which the runs differ: key → value of each, None where it was not set."""
    keys = sorted({key for run in runs for key in run["settings"]})
    values = {key: [run["settings"].get(key) for run in runs] for key in keys}
    return {key: each for key, each in values.items() if len(set(each)) > 1}


def as_text(runs: list[Facts], differing: dict[str, list[str | None]], width: int) -> str:
    """Blocks of as many runs as fit beside each other; the best of each score has a star."""
    from launcher.cloud.prices import money
    from launcher.cloud.table import GAP, as_table
    from launcher.progress import clock

    def score(name: str, best_is: Any) -> list[str]:
        values = [(run["best"] or {}).get(name) for run in runs]
        known = [value for value in values if value is not None]
        top = best_is(known) if len(known) > 1 else None
        return ["" if value is None else f"{value:.4f}{' *' if value == top else ''}" for value in values]

    rows: list[tuple[str, list[str]]] = [
        ("status", [run["status"] for run in runs]),
        ("accuracy", score("acc", max)),
        ("CER", score("cer", min)),
        ("best at step", [str((run["best"] or {}).get("step") or "") for run in runs]),
        ("steps", [str(run["steps"] or "") for run in runs]),
        ("time", [clock(run["training_seconds"]) if run["training_seconds"] else "" for run in runs]),
        ("interrupted", [f"{run['interruptions']}×" if run["interruptions"] else "" for run in runs]),
        ("cost", ["" if run["cost"] is None else money(run["cost"], run["currency"]) for run in runs]),
    ]
    rows = [(name, values) for name, values in rows if any(values)]
    rows += [(key, ["-" if value is None else value for value in values]) for key, values in differing.items()]
    label = max(len(name) for name, _ in rows) + GAP
    each = max(NARROWEST, *(min(len(run["run"]), 2 * NARROWEST) for run in runs)) + GAP
    beside = max(1, (width - label) // each)
    blocks = []
    for first in range(0, len(runs), beside):
        part = slice(first, first + beside)
        head = ["", *(run["run"] for run in runs[part])]
        blocks.append(as_table(head, [[name, *values[part]] for name, values in rows], width))
    same = "the settings are the same" if not differing else ""
    prices = "; ".join(sorted({f"prices: {run['price_source']}" for run in runs if run["price_source"]}))
    return "\n\n".join(filter(None, (*blocks, same, prices)))


def _settings(job: Job) -> dict[str, str]:
    """What was set, and on what it ran."""
    settings = {key: value for key, value in job.hyperparameters if key not in _NOT_SETTINGS}
    machine = f"{job.count} × {job.instance}" if job.count > 1 else job.instance
    image = job.image.rpartition("@")[2].removeprefix("sha256:")[:12] if "@" in job.image else job.image
    data = {f"channel {name}": uri for name, uri in job.channels}
    return settings | data | {"instance": machine, "spot": "yes" if job.spot else "no", "image": image}


if __name__ == "__main__":
    raise SystemExit(main())
