"""The trainer as a child: started in its own session, told to stop, waited for, its end explained."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from container.checkpoints import Checkpoint
from container.cuda_compat import compat_variables
from container.diagnosis import Circumstances, explain_end, memory_kills
from container.gpu_check import check_gpus
from container.gpu_monitor import watch_gpus
from container.hosts import Hosts
from container.job import Job
from container.last_words import LastWords
from container.launched import TrainerEnd, network_variables, run_ranks
from container.lifeline import end_all_others, kill_group
from container.order import REFUSED_BY_TRAINER, WorkOrder
from container.resolve import ResolvedRecipe
from container.stop import Stop
from contract.dataset import DICTIONARY
from contract.errors import UserError
from contract.events import print_event
from contract.images import open_images
from contract.paths import EXIT_FINISHED, EXIT_INTERRUPTED, LIFELINE_VARIABLE
from contract.recipe import wants_gpu
from contract.report import Report


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
    hosts: Hosts,
    say: Callable[[str], None],
) -> Outcome:
    """Run the trainer, or this host's ranks of several, in the folder `work`.

    Raises UserError when it refuses, TrainerFailed when it fails, HostFailed when another host has.
    """
    order = _write_order(work, job, resolved, dataset, resume, tree, hosts.place.processes)
    extra = compat_variables(os.environ, say) | network_variables(job, os.environ)
    if wants_gpu(resolved.config):
        check_gpus(extra, say, job.instance_type)
    killed_before = memory_kills()
    with watch_gpus(Path(order.gpu_summary), say):
        if hosts.place.world > 1:
            end = run_ranks(order, work, hosts, stop, extra, say)
        else:
            end = _run(order, work, stop, extra)
    code = end.exit_code
    if code == -signal.SIGTERM and stop.requested:  # it was still importing: nothing had been trained
        print_event("interrupted", step=resume.step if resume else 0)
        return Outcome(EXIT_INTERRUPTED, None)
    if code not in (EXIT_FINISHED, EXIT_INTERRUPTED):
        reason = _lost_shard(dataset) or end.sentence  # the cause before what the trainer has seen of it
        reason = reason or explain_end(code, end.last_words, _circumstances(resolved, killed_before))
        reason = f"{end.who}: {reason}" if end.who else reason
        raise UserError(reason) if code == REFUSED_BY_TRAINER else TrainerFailed(reason)
    model = Path(order.model)
    return Outcome(code, model if model.exists() else None)


def _write_order(
    work: Path,
    job: Job,
    resolved: ResolvedRecipe,
    dataset: Report,
    resume: Checkpoint | None,
    tree: Path,
    trainers: int,
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
        pretrained=str(job.pretrained.resolve()) if job.pretrained else None,
        model=str(work / "model"),
        failure=str(work / "failure"),
        gpu_summary=str(work / "gpu.json"),
        save_seconds=job.parameters.save_minutes * 60,
        input_pipeline=job.parameters.input_pipeline,
        patience=job.parameters.patience,
        zero_accuracy_steps=job.parameters.zero_accuracy_steps,
        fitted_batch=resolved.fitted_batch,
        characters=len(dataset.dictionary.characters),
        dataset_sha256=dataset.content_sha256,
        train_sha256=dataset.split_sha256["train"],
        val_sha256=dataset.split_sha256["val"] + resolved.evaluation_sha256,
        dictionary_sha256=dataset.dictionary.sha256,
        recipe_sha256=resolved.recipe_sha256,
    )
    order.save(work / "order.json", trainers)
    return order


def _run(order: WorkOrder, work: Path, stop: Stop, extra: Mapping[str, str]) -> TrainerEnd:
    lifeline, held = os.pipe()
    try:
        child = subprocess.Popen(
            [sys.executable, "-m", "container.trainer", str(work / "order.json")],
            env=os.environ | {LIFELINE_VARIABLE: str(lifeline), "PYTHONUNBUFFERED": "1"} | dict(extra),
            pass_fds=(lifeline,),
            start_new_session=True,
            stderr=subprocess.PIPE,
            bufsize=0,
        )
        assert child.stderr is not None
        last_words = LastWords(child.stderr)
        os.close(lifeline)
        stop.trainer_started(child.pid)
        code = child.wait()
        stop.trainer_ended()
        kill_group(child.pid)  # workers that outlived it
        end_all_others()
        return TrainerEnd(code, order.read_failure(), last_words.text())
    finally:
        os.close(held)


def _lost_shard(dataset: Report) -> str:
    """What has become of a shard since the check: whoever reads where a mapped file was cut dies of a bus error."""
    for folder in {split.folder for split in dataset.splits}:
        try:
            open_images(folder)
        except UserError as error:
            return str(error)
    return ""


def _circumstances(resolved: ResolvedRecipe, killed_before: int | None) -> Circumstances:
    loader = resolved.config["Train"]["loader"]
    killed = memory_kills()
    kills = None if killed is None or killed_before is None else killed - killed_before
    return Circumstances(int(loader["batch_size_per_card"]), int(loader["num_workers"]), kills)
