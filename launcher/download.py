"""`python -m launcher download`: the best model of a run, brought home and verified."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from contract.errors import UserError
from contract.streams import people
from launcher.cloud.call import folder_of_runs, read_call
from launcher.cloud.model import ModelDamaged
from launcher.entry import enter
from launcher.people import answer, say


def main(argv: list[str] | None = None) -> int:
    """One call. Returns the exit code."""
    words = "stopped; what has come stays, and starting again goes on from there"
    return enter(argv, download, (ModelDamaged,), result="run", stopped=words)


def download(argv: list[str]) -> int:
    """Which run, find its model, fetch it, unpack it, say what it is."""
    call = read_call("download", argv)
    output = folder_of_runs(call)
    # Imported here: --help and a wrong flag need none of this (boto3).
    from launcher.cloud.job import find_job, jobs_of_run
    from launcher.cloud.model import ARCHIVE, check_home, fetch, find_model, unpack_model
    from launcher.images.push_progress import size_text
    from launcher.terminal import bar_with_figures

    account = call.account()
    named = find_job(account, call.named[0])
    is_run = named.run and named.run == call.named[0]
    jobs = jobs_of_run(account, named.run) if is_run else [named]
    run = named.run or named.name
    model = find_model(account, jobs)
    if model is None:
        raise UserError(f"{run} has no model yet: `{call.commands('status', run)}` says where it stands")
    if not named.is_over:
        say(f"note: {named.name} is still under way; this is the model of {model.job}")
    home = output / run
    archive = home / ARCHIVE
    check_home(archive, home / "model", output)
    say(f"{model.place}: {size_text(model.size)}")
    with bar_with_figures(people()) as bar:
        task = bar.add_task("downloading", total=model.size, figures="") if bar else None

        def show(done: int) -> None:
            if bar and task is not None:
                bar.update(task, completed=done, figures=f"{size_text(done)} of {size_text(model.size)}")

        came = fetch(account, model, archive, show)
    run_json = unpack_model(archive, home / "model")
    say(_describe(run_json, home, came, call.commands("report", str(home))))
    if not call.json:
        return answer(str(home / "model"), 0)
    places = {"model": home / "model", "model_tar": archive, "inference": home / "model/inference"}
    artifacts = {name: str(path) for name, path in places.items()}
    return answer(json.dumps(run_json | {"job": model.job, "artifacts": artifacts, "exit_code": 0}), 0)


def _describe(run: dict[str, Any], home: Path, came: bool, look: str) -> str:
    from launcher.cloud.aftermath import score_rows

    rows = [
        ("model", f"{home / 'model'}{'' if run.get('status') == 'finished' else ' (the best so far)'}"),
        *score_rows(run.get("best") or {}),
        ("look", look),
    ]
    head = "downloaded and unpacked" if came else "it had come already; unpacked"
    return "\n".join([head, *(f"  {name:12} {text}" for name, text in rows)])


if __name__ == "__main__":
    raise SystemExit(main())
