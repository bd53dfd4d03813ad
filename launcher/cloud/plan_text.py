"""A plan for SageMaker as people and programs read it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from launcher.cloud.instances import instance_facts
from launcher.cloud.plan import CloudPlan, Rung
from launcher.cloud.plan_checks import hours
from launcher.cloud.prices import SPOT_SOURCE
from launcher.images.push_progress import size_text


def describe_plan(plan: CloudPlan) -> str:
    """One line per decision."""
    rows = [("run", f"{plan.run}: {plan.start}"), ("job", f"{plan.job} in {plan.region}")]
    for rung in plan.rungs:
        rows.append(("where" if rung is plan.rungs[0] else "then", _machine(plan, rung)))
        rows.append(("cost", _cost(plan, rung)))
        rows += [("trains with", str(rung.expected))] if rung.expected else []
    rows += [("image", image) for image in dict.fromkeys(rung.image for rung in plan.rungs) if image]
    for name, each in plan.channels.items():
        size = "" if each.bytes is None else f" ({size_text(each.bytes)})"
        rows.append((name, f"{each.source} → {each.uri}{size}" if each.source else f"{each.uri}{size}"))
    rows.append(("recipe", plan.hyperparameters["config"]))
    settings = [f"{key}={raw}" for key, raw in plan.hyperparameters.items() if key not in ("config", "run_id")]
    rows += [("settings", "  ".join(settings))] if settings else []
    rows.append(("checkpoints", str(plan.checkpoints) if plan.checkpoints else "none: a new job starts over"))
    rows.append(("output", str(plan.output)))
    rows += [("role", plan.role)] if plan.role else []
    rows += [("note", note) for note in (*([SPOT_SOURCE] if plan.spot else []), *plan.notes)]
    rows += [("missing", obstacle) for obstacle in plan.obstacles]
    return "\n".join(f"{name:12} {text}" for name, text in rows)


def plan_as_json(plan: CloudPlan) -> dict[str, Any]:
    """The plan for `--dry-run --json`."""
    return {
        "run": plan.run,
        "job": plan.job,
        "start": plan.start,
        "region": plan.region,
        "role": plan.role or None,
        "spot": plan.spot,
        "instance_count": plan.count,
        "ladder": [_rung_as_json(plan, rung) for rung in plan.rungs],
        "channels": {
            name: {"uri": str(each.uri), "bytes": each.bytes, "source": each.source or None}
            for name, each in plan.channels.items()
        },
        "hyperparameters": dict(plan.hyperparameters),
        "checkpoints": str(plan.checkpoints) if plan.checkpoints else None,
        "output": str(plan.output),
        "model": str(plan.layout.model(plan.job)),
        "finished": plan.finished.name if plan.finished else None,
        "notes": list(plan.notes),
        "missing": list(plan.obstacles),
    }


def _rung_as_json(plan: CloudPlan, rung: Rung) -> dict[str, Any]:
    cost, most = plan.cost(rung), plan.cost_at_most(rung)
    return {
        "instance": rung.instance,
        "image": rung.image or None,
        "max_run_s": rung.max_run_s,
        "max_wait_s": rung.max_wait_s,
        "volume_gb": rung.volume_gb,
        "expected": rung.expected and asdict(rung.expected),
        "price": rung.price
        and {"per_hour": rung.price.per_hour, "currency": rung.price.currency, "source": rung.price.origin},
        "cost": cost
        and most
        and {
            "low": round(cost.low, 4),
            "high": round(cost.high, 4),
            "most": round(most.high, 4),
            "currency": most.currency,
        },
    }


def _machine(plan: CloudPlan, rung: Rung) -> str:
    known = instance_facts(rung.instance)
    how_many = f"{plan.count} × " if plan.count > 1 else ""
    what = str(known) if known.known else "not in this version's table"
    spot = f"Spot, at most {hours(rung.max_wait_s)} with waiting, " if rung.max_wait_s else ""
    warm = f", then kept warm for {hours(plan.keep_alive_s)}" if plan.keep_alive_s else ""
    disk = "" if known.has_fixed_disk else f", {rung.volume_gb} GB volume"
    return f"{how_many}{rung.instance} ({what}{disk}); {spot}at most {hours(rung.max_run_s)} of training{warm}"


def _cost(plan: CloudPlan, rung: Rung) -> str:
    cost = plan.cost(rung)
    if cost is None or rung.price is None:
        return f"not known: neither AWS nor the table here has a price for {rung.instance}"
    most = plan.cost_at_most(rung)
    if cost == most:
        return f"at most {cost}, if it takes all its time: {rung.price}"
    return f"{cost}{' with Spot' if plan.spot else ''}, if it takes all its time, and never over {most}: {rung.price}"
