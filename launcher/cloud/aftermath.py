"""What is said of a job that is over: scores, time, money, where the model is, and what can be done next."""

from __future__ import annotations

import math
from typing import Any

from launcher.cloud.call import Commands
from launcher.cloud.curve import Curve
from launcher.cloud.forecast import final_cost, spot_saving
from launcher.cloud.job import COMPLETED, FAILED, Job
from launcher.cloud.prices import Price, money
from launcher.progress import clock

EXIT_DONE, EXIT_FAILED = 0, 2

_SCORES = ("acc", "cer", "norm_edit_dis")
_SAME = 1e-5  # SageMaker keeps metrics in single precision


def exit_code(job: Job) -> int:
    """0 completed · 2 failed or stopped. One that is under way is neither: 0."""
    return EXIT_FAILED if job.is_over and job.status != COMPLETED else EXIT_DONE


def best_scores(job: Job, curve: Curve | None) -> dict[str, Any]:
    """The best scores of the run.

    A job that has completed says so itself, also when an earlier job of the run has reached them. The curve knows the
    step, and is all there is of a job that was cut short.
    """
    top: dict[str, Any] = (curve.best if curve else None) or {}
    seen = {name: top.get(name) for name in (*_SCORES, "epoch", "step")} if top else {}
    kept = dict(job.scores)
    said = {name: kept[f"best:{name}"] for name in _SCORES if f"best:{name}" in kept}
    if "acc" in said and not math.isclose(said["acc"], top.get("acc", math.inf), abs_tol=_SAME):
        return said
    return seen or said


def result_as_json(job: Job, curve: Curve | None, price: Price | None) -> dict[str, Any]:
    """One object for programs."""
    saving = spot_saving(job)
    cost = final_cost(job, price)
    return {
        "run": job.run or None,
        "job": job.name,
        "status": job.status,
        "secondary": job.secondary,
        "reason": job.reason or None,
        "instance": job.instance,
        "instance_count": job.count,
        "spot": job.spot,
        "interruptions": job.interruptions,
        "training_seconds": job.training_s,
        "billable_seconds": job.billable_s,
        "kept_seconds": job.kept_s,
        "warm_until": job.warm_until.isoformat() if job.warm_until else None,
        "spot_saving": None if saving is None else round(saving, 4),
        "cost": None if cost is None else round(cost, 4),
        "price": price and {"per_hour": price.per_hour, "currency": price.currency, "source": price.origin},
        "best": best_scores(job, curve) or None,
        "steps": curve.last["step"] if curve and curve.last else None,
        "artifacts": {
            "model_tar": job.model_uri if job.is_over and job.status != FAILED and job.model_uri else None,
            "checkpoints": job.checkpoint_uri or None,
        },
        "exit_code": exit_code(job),
    }


def describe_result(job: Job, curve: Curve | None, price: Price | None, command: Commands) -> str:
    """The last lines that people read."""
    run = job.run or job.name
    rows = [*score_rows(best_scores(job, curve)), *_bill(job, price)]
    if job.warm_until:
        rows.append(("machine", f"stays warm until {job.warm_until:%H:%M} UTC, billed; {command('stop', run)} ends it"))
    if job.status == COMPLETED:
        head = f"run {run} is done"
        rows += [("model", job.model_uri), ("next", command("download", run))]
    else:
        what = "failed" if job.status == FAILED else "was stopped"
        head = f"error: the job {job.name} {what}: {describe_end(job)}"
        rows += [("checkpoints", job.checkpoint_uri)] if job.checkpoint_uri else []
        rows += [("next", next_step(job, command))]
        rows += [("best so far", command("download", run))] if job.status != FAILED and job.start else []
    rows += [("", command("metrics", run, "--plot", f"{run}.png")), ("", command("logs", run))]
    return "\n".join([head, *(f"  {name:12} {text}" for name, text in rows)])


def describe_end(job: Job) -> str:
    """Why it is over, in words."""
    if job.secondary == "MaxRuntimeExceeded":
        return f"it reached --max-run ({clock(job.max_run_s or 0)}); its checkpoints are kept"
    if job.secondary == "MaxWaitTimeExceeded":
        return f"it reached --max-wait ({clock(job.max_wait_s or 0)}); its checkpoints are kept"
    if job.secondary == "Stopped":
        return job.reason or "somebody asked for it"
    return (job.reason or f"SageMaker says {job.secondary or job.status}").rstrip(".")


def next_step(job: Job, command: Commands) -> str:
    """How to go on."""
    run = job.run or "RUN"
    if job.lacks_capacity:
        return command("submit", "--resume", run, "--instance", f"{job.instance},ml.OTHER")
    if job.secondary == "MaxRuntimeExceeded":
        return command("submit", "--resume", run, "--max-run", "LONGER")
    if job.secondary == "MaxWaitTimeExceeded":
        return f"{command('submit', '--resume', run, '--max-wait', 'LONGER')}   # or --no-spot"
    return f"{command('submit', '--resume', run)}   # goes on from the newest checkpoint"


def score_rows(best: dict[str, Any]) -> list[tuple[str, str]]:
    """Accuracy and CER, as far as they are known."""
    rows = []
    if best.get("acc") is not None:
        where = f" (epoch {best['epoch']}, step {best['step']})" if best.get("step") else ""
        rows.append(("accuracy", f"{best['acc']:.4f}{where}"))
    if best.get("cer") is not None:
        rows.append(("CER", f"{best['cer']:.4f}"))
    return rows


def _bill(job: Job, price: Price | None) -> list[tuple[str, str]]:
    """Time and money."""
    machine = f"{job.count} × {job.instance}" if job.count > 1 else job.instance
    times = f", interrupted {job.interruptions} times" if job.interruptions > 1 else ""
    times = ", interrupted once" if job.interruptions == 1 else times
    rows = []
    if job.training_s is not None:
        rows.append(("time", f"{clock(job.training_s)} on {machine}{' (Spot)' if job.spot else ''}{times}"))
    if job.billable_s is not None:
        saving = spot_saving(job)
        saved = "" if saving is None else f": Spot saved {saving:.0%}"
        if price and saving and job.training_s:
            full = price.per_hour * job.training_s / 3600 * job.count
            saved += f" ({money(full * saving, price.currency)})"
        rows.append(("billable", f"{job.billable_s} s{saved}"))
    if job.kept_s:
        rows.append(("kept warm", f"{job.kept_s} s, billed like training"))
    cost = final_cost(job, price)
    if price and cost is not None:
        so_far = " so far" if job.warm_until else ""
        rows.append(("cost", f"{money(cost, price.currency)}{so_far} at {price}"))
    else:
        why = f"neither AWS nor the table here has a price for {job.instance}"
        rows.append(("cost", f"not known: {'SageMaker has not said how long is billed' if price else why}"))
    return rows
