"""What a run has come to: a summary for people, one JSON object for programs, and the exit code."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

from contract.starting import EXIT_CTRL_C
from launcher.command_line import without_flags
from launcher.flags import REPORT, SUBMIT
from launcher.plan import Plan
from launcher.progress import clock
from launcher.run_job import DONE, REFUSED, Outcome

EXIT_DONE, EXIT_CONFIGURATION, EXIT_FAILED = 0, 1, 2


def exit_code(outcome: Outcome) -> int:
    """0 done · 1 bad configuration or refused · 2 failed or stopped · 130 Ctrl-C."""
    if outcome.by_user:
        return EXIT_CTRL_C
    return {DONE: EXIT_DONE, REFUSED: EXIT_CONFIGURATION}.get(outcome.status, EXIT_FAILED)


def result_as_json(plan: Plan, outcome: Outcome) -> dict[str, Any]:
    """The content of run.json, or how the run failed; with the artifacts of this start (null: it made none).

    Checkpoints and log are the run's own: they count whichever start began them.
    """
    if outcome.status == DONE:
        result = read_run(plan.model)
    else:
        result = {"run": plan.run, "status": outcome.status, "reason": outcome.reason}
    places = {
        "model": (plan.model, outcome.wrote_model),
        "model_tar": (plan.model_tar, outcome.status == DONE),
        "checkpoints": (plan.checkpoints, True),
        "log": (plan.log, True),
        "inference": (plan.model / "inference", outcome.wrote_model),
    }
    artifacts = {name: str(path) if ours and _is_there(path) else None for name, (path, ours) in places.items()}
    return result | {"artifacts": artifacts, "exit_code": exit_code(outcome)}


def describe_result(plan: Plan, outcome: Outcome, argv: tuple[str, ...]) -> str:
    """The last lines that people read."""
    again = continue_command(argv, plan.run)
    if outcome.status == DONE:
        rows = _figures(read_run(plan.model))
        rows += [
            ("model", str(plan.model)),
            ("", f"{plan.model_tar.name}, predictions.csv, inference/"),
            ("log", str(plan.log)),
            ("look", report_command(plan)),
            ("again", f"{again}   (a finished run is only exported)"),
        ]
        return "\n".join([f"run {plan.run} is done", *(f"  {name:12} {text}" for name, text in rows)])
    rows = _models(plan, outcome)
    if outcome.status != REFUSED:
        rows += [("log", str(plan.log)), ("continue", again)]
    kept = "".join(f"\n  {name:12} {text}" for name, text in rows)
    if outcome.status == REFUSED:
        return f"error: {outcome.reason}{kept}"
    if outcome.by_user:
        return f"run {plan.run}: {outcome.reason}{kept}"
    return f"error: run {plan.run} {outcome.status}: {outcome.reason}{kept}"


def continue_command(argv: tuple[str, ...], run: str) -> str:
    """The same call, naming the run and leaving out what belongs to one attempt."""
    kept = without_flags(SUBMIT, argv, ("run", "resume", "fresh", "interrupt_after", "json"))
    return shlex.join([*SUBMIT.program.split(), *kept, "--run", run])


def report_command(plan: Plan) -> str:
    """A page about the run, wherever its folder is."""
    return shlex.join([*REPORT.program.split(), str(plan.folder)])


def read_run(model: Path) -> dict[str, Any]:
    """model/run.json."""
    return json.loads((model / "run.json").read_text(encoding="utf-8"))


def _models(plan: Plan, outcome: Outcome) -> list[tuple[str, str]]:
    """The models of a run whose job did not finish: that of this start, and what an earlier one has left."""
    rows = []
    if outcome.wrote_model:
        is_last = read_run(plan.model).get("status") == "finished"
        rows.append(("model", str(plan.model) if is_last else f"{plan.model} (the best so far)"))
    older = [] if outcome.wrote_model or not (plan.model / "run.json").exists() else [plan.model]
    older += [plan.model_tar] if plan.model_tar.exists() else []
    if older:
        rows.append(("older", f"{' and '.join(map(str, older))}: of an earlier start, not of this one"))
    return rows


def _figures(run: dict[str, Any]) -> list[tuple[str, str]]:
    best = run.get("best") or {}
    rows = []
    if best.get("acc") is not None:
        rows.append(("accuracy", f"{best['acc']:.4f} (epoch {best.get('epoch')}, step {best.get('step')})"))
    if best.get("cer") is not None:
        rows.append(("CER", f"{best['cer']:.4f}"))
    if run.get("steps") is not None:
        rows.append(("steps", str(run["steps"])))
    if run.get("seconds") is not None:
        rows.append(("time", clock(run["seconds"])))
    if run.get("resumed_from"):
        resumed = run["resumed_from"]
        rows.append(("resumed from", f"step {resumed['step']}" if isinstance(resumed, dict) else str(resumed)))
    return rows


def _is_there(path: Path) -> bool:
    return path.is_file() or (path.is_dir() and any(path.iterdir()))
