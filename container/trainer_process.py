"""The trainer as a child: started in its own session, told to stop, waited for, its end explained."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from container.checkpoints import Checkpoint
from container.cuda_compat import compat_variables
from container.gpu_check import check_gpus
from container.gpu_monitor import watch_gpus
from container.job import Job
from container.lifeline import kill_group
from container.order import REFUSED_BY_TRAINER, WorkOrder
from container.resolve import ResolvedRecipe
from container.stop import Stop
from contract.check import Report
from contract.dataset import DICTIONARY
from contract.errors import UserError
from contract.events import format_event
from contract.paths import EXIT_FINISHED, EXIT_INTERRUPTED, LIFELINE_VARIABLE


class TrainerFailed(Exception):
    """The trainer ended without a model. The text is cause and remedy."""


@dataclass(frozen=True)
class Outcome:
    """How the trainer ended: 0 finished, 75 interrupted; and the artifact, when there is one."""

    exit_code: int
    model: Path | None


def run_trainer(
    job: Job,
    resolved: ResolvedRecipe,
    dataset: Report,
    resume: Checkpoint | None,
    tree: Path,
    stop: Stop,
    work: Path,
    say: Callable[[str], None],
) -> Outcome:
    """Run the trainer in the folder `work`. Raises UserError when it refuses, TrainerFailed when it fails."""
    order = _write_order(work, job, resolved, dataset, resume, tree)
    extra = compat_variables(os.environ, say)
    check_gpus(extra, say)
    with watch_gpus(Path(order.gpu_summary), say):
        code = _run(work, stop, extra)
    if code == -signal.SIGTERM and stop.requested:  # it was still importing: nothing had been trained
        print(format_event("interrupted", step=resume.step if resume else 0), flush=True)
        return Outcome(EXIT_INTERRUPTED, None)
    reason = order.read_failure() or _explain(code)
    if code == REFUSED_BY_TRAINER:
        raise UserError(reason)
    if code not in (EXIT_FINISHED, EXIT_INTERRUPTED):
        raise TrainerFailed(reason)
    model = Path(order.model)
    return Outcome(code, model if model.exists() else None)


def _write_order(
    work: Path, job: Job, resolved: ResolvedRecipe, dataset: Report, resume: Checkpoint | None, tree: Path
) -> WorkOrder:
    assert dataset.dictionary is not None  # a dataset that passed its check has one
    train, val = (next(each for each in dataset.splits if each.name == name) for name in ("train", "val"))
    (work / "config.yml").write_text(resolved.text(), encoding="utf-8")
    (work / DICTIONARY).write_text(dataset.dictionary.text(), encoding="utf-8", newline="\n")
    order = WorkOrder(
        run_id=job.parameters.run_id,
        tree=str(tree),
        config=str(work / "config.yml"),
        recipe={"name": resolved.name, "changes": [asdict(change) for change in resolved.changes]},
        train_folder=str(train.folder.resolve()),
        train_labels=str(train.file.path),
        val_folder=str(val.folder.resolve()),
        val_labels=str(val.file.path),
        dictionary=str(work / DICTIONARY),
        checkpoints=str(job.paths.checkpoints),
        resume=str(resume.path) if resume else None,
        pretrained=str(job.pretrained) if job.pretrained else None,
        model=str(work / "model"),
        failure=str(work / "failure"),
        gpu_summary=str(work / "gpu.json"),
        save_seconds=job.parameters.save_minutes * 60,
        patience=job.parameters.patience,
        characters=len(dataset.dictionary.characters),
        dataset_sha256=dataset.content_sha256,
        train_sha256=dataset.split_sha256["train"],
        val_sha256=dataset.split_sha256["val"] + resolved.evaluation_sha256,
        dictionary_sha256=dataset.dictionary.sha256,
        recipe_sha256=resolved.recipe_sha256,
    )
    order.save(work / "order.json")
    return order


def _run(work: Path, stop: Stop, extra: Mapping[str, str]) -> int:
    lifeline, held = os.pipe()
    try:
        child = subprocess.Popen(
            [sys.executable, "-m", "container.trainer", str(work / "order.json")],
            env=os.environ | {LIFELINE_VARIABLE: str(lifeline), "PYTHONUNBUFFERED": "1"} | dict(extra),
            pass_fds=(lifeline,),
            start_new_session=True,
        )
        os.close(lifeline)
        stop.trainer_started(child.pid)
        code = child.wait()
        stop.trainer_ended()
        kill_group(child.pid)  # workers that outlived it
        if os.getpid() == 1:
            _end_all_others()
        return code
    finally:
        os.close(held)


def _end_all_others() -> None:
    """As PID 1: end what left the trainer's group, and take in the dead, which would stay zombies."""
    with contextlib.suppress(ProcessLookupError):  # there is no other process
        os.kill(-1, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):  # none is left
        while True:
            os.waitpid(-1, 0)


def _explain(code: int) -> str:
    if code == -signal.SIGKILL:
        return "the trainer was killed (signal 9), most often for memory: use a smaller batch_size or a bigger instance"
    if code < 0:
        return f"the trainer died of signal {-code} ({signal.Signals(-code).name}): its last lines are in the log"
    return f"the trainer ended with exit code {code}: its last lines are in the log"
