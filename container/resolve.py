"""From the recipe to what really trains: every change with its reason, saved as config.yml."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from container.checkpoints import Checkpoint
from container.hosts import Place
from container.inputs import OpenRecipe
from container.job import Job
from contract.batches import epoch_batches, scales_of
from contract.check import Report
from contract.dataset import DICTIONARY
from contract.errors import UserError
from contract.hyperparameters import DEFAULT_SEED
from contract.parameters import Change, make_agree, value_at
from contract.recipe import Recipe

SMALL_SET = 1000  # validation samples
DEFAULT_EVAL_STEPS = 2000  # PaddleOCR's usual interval


@dataclass(frozen=True)
class ResolvedRecipe:
    """The config that trains, with the identity that a checkpoint must share."""

    name: str
    config: Recipe
    changes: tuple[Change, ...]
    recipe_sha256: str

    @property
    def evaluation_sha256(self) -> str:
        """Scores compare only where crops are prepared and read alike."""
        parts = [self.config["Eval"]["dataset"]["transforms"], self.config["PostProcess"]]
        return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()

    def text(self) -> str:
        """config.yml: the changes as comments, then the config as YAML that stock PaddleOCR reads too."""
        lines = [f"# {self.name}, as trained. Changed:"]
        lines += [f"#   {change.key}: {change.before} -> {change.after} ({change.reason})" for change in self.changes]
        return "\n".join(lines) + "\n" + yaml.safe_dump(self.config, sort_keys=False, allow_unicode=True)


def resolve_recipe(
    job: Job, recipe: OpenRecipe, dataset: Report, resume: Checkpoint | None, place: Place, say: Callable[[str], None]
) -> ResolvedRecipe:
    """Fit the recipe to dataset and machine, print the before/after table, and check that `resume` belongs to it.

    Raises UserError for a checkpoint of another dictionary or architecture, and for more processes than samples.
    """
    config = copy.deepcopy(recipe.config)
    changes = list(recipe.changes)

    def change(key: str, after: Any, reason: str) -> None:
        before = value_at(config, key)
        if before != after:
            *parents, last = key.split(".")
            holder: Any = config
            for part in parents:
                holder = holder[part]
            holder[last] = after
            changes.append(Change(key, before, after, reason))

    train_count = len(dataset.samples("train"))
    if train_count < place.world:
        raise UserError(f"{train_count} training samples cannot be shared by {place.world} processes: use fewer")
    batch = int(config["Train"]["loader"]["batch_size_per_card"]) * place.world
    scales = scales_of(config)
    steps_per_epoch = len(epoch_batches(train_count, batch, scales, minimum=place.world))
    for mode in ("Train", "Eval"):
        split = "train" if mode == "Train" else "val"
        folder = dataset.split_folder(split).resolve()
        labels = next(each.file.path.name for each in dataset.splits if each.name == split)
        scaled = scales and mode == "Train"
        change(f"{mode}.dataset.name", "MultiScaleDataSet" if scaled else "SimpleDataSet", "a dataset folder trains")
        change(f"{mode}.dataset.data_dir", str(folder), f"the {split} samples of the job")
        change(f"{mode}.dataset.label_file_list", [str(folder / labels)], f"the {split} samples of the job")
        change(f"{mode}.loader.num_workers", *_workers(job, config, mode, len(dataset.samples(split)), place.processes))
        if "ratio_list" in config[mode]["dataset"]:
            change(f"{mode}.dataset.ratio_list", 1.0, "there is one label file")
    change("Train.loader.drop_last", False, "every sample trains once per epoch")
    change("Global.character_dict_path", DICTIONARY, "the dataset's dictionary wins, always")
    change("Global.seed", int(config["Global"].get("seed") or DEFAULT_SEED), "PaddleOCR's default")
    change("Global.pretrained_model", None, "weights come from the pretrained channel")
    change("Global.checkpoints", None, "resume is decided by the checkpoint folder")
    change("Global.use_visualdl", False, "event lines and metrics.jsonl take its place")
    change("Global.eval_batch_step", *_eval_steps(job, config, steps_per_epoch, place.world))
    if place.world > 1:
        say(f"{place.world} processes on {len(place.counts)} host(s) train together: {batch} samples a step")
        if _rate_was_asked_for(changes):
            say("the learning rate was asked for, so it is not multiplied by the number of processes")
        else:
            change(*_scaled_rate(config, place.world))
    config, followers = make_agree(config, [each.key for each in changes])
    changes += followers
    resolved = ResolvedRecipe(recipe.name, config, tuple(changes), architecture_hash(config))
    _show(resolved, say)
    if resume:
        _check_resume(job, resume, resolved, dataset)
    return resolved


def architecture_hash(config: Recipe) -> str:
    """What a checkpoint and a recipe must share for one to continue the other: network and classes."""
    parts = [config["Architecture"], bool(config["Global"].get("use_space_char"))]
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _rate_was_asked_for(changes: Sequence[Change]) -> bool:
    asked = [change.key for change in changes if change.reason in ("override", "hyperparameter learning_rate")]
    return any(key == "Optimizer.lr" or re.match(r"Optimizer\.lr\.(learning_rate|values)\b", key) for key in asked)


def _scaled_rate(config: Recipe, world: int) -> tuple[str, Any, str]:
    """Linear scaling (Goyal et al. 2017, arXiv:1706.02677): a batch k times as large, a rate k times as high."""
    rate = config["Optimizer"]["lr"]
    name = "values" if rate.get("name") == "Piecewise" else "learning_rate"
    before = rate[name]
    after = [float(step) * world for step in before] if name == "values" else float(before) * world
    return f"Optimizer.lr.{name}", after, f"the recipe's is for one process, and {world} train"


def _workers(job: Job, config: Recipe, mode: str, samples: int, processes: int) -> tuple[int, str]:
    if job.parameters.workers is not None:
        return job.parameters.workers, "hyperparameter workers"
    if mode == "Eval" and samples <= SMALL_SET:
        return 0, f"{samples} samples are read faster than workers start"
    spare = max(0, (os.cpu_count() or 1) // processes - 1)
    beside = f"{spare} core{'' if spare == 1 else 's'} beside {'the' if processes == 1 else 'each'} trainer's"
    return min(int(config[mode]["loader"].get("num_workers") or 0), spare), beside


def _eval_steps(job: Job, config: Recipe, steps_per_epoch: int, world: int) -> tuple[list[int], str]:
    if job.parameters.eval_steps:
        return [0, job.parameters.eval_steps], "hyperparameter eval_steps"
    stated = config["Global"].get("eval_batch_step") or DEFAULT_EVAL_STEPS
    stated_steps = int(stated[1] if isinstance(stated, list) else stated)
    interval = max(1, stated_steps // world)
    if interval > steps_per_epoch:
        return [0, steps_per_epoch], f"at least once per epoch of {steps_per_epoch} steps"
    if world > 1:
        return [0, interval], f"the recipe's {stated_steps} steps are of one process, and {world} train"
    return [0, interval], "the recipe's interval"


def _check_resume(job: Job, resume: Checkpoint, resolved: ResolvedRecipe, dataset: Report) -> None:
    assert dataset.dictionary is not None  # a dataset that passed its check has one
    start_over = "start a new run, or this one with --fresh"
    where = resume.path.resolve()  # the user's own folder, not the job's look-alike of /opt/ml
    if resume.state.get("run") != job.parameters.run_id:
        raise UserError(
            f"{where}: a checkpoint of run {resume.state.get('run')!r}, not of {job.parameters.run_id!r}: "
            "give each run a checkpoint folder of its own"
        )
    if resume.state.get("dictionary_sha256") != dataset.dictionary.sha256:
        had, has = resume.state.get("characters"), len(dataset.dictionary.characters)
        raise UserError(
            f"{where}: trained with another dictionary ({had} characters, dict.txt has {has}): {start_over}"
        )
    if resume.state.get("recipe_sha256") != resolved.recipe_sha256:
        raise UserError(
            f"{where}: trained with another architecture than {resolved.name} (with its use_space_char) has now: "
            f"{start_over}"
        )


def _show(resolved: ResolvedRecipe, say: Callable[[str], None]) -> None:
    say(f"recipe {resolved.name}, what changed and why:")
    rows = [("key", "before", "after", "reason")]
    rows += [(each.key, str(each.before), str(each.after), each.reason) for each in resolved.changes]
    widths = [min(44, max(len(row[column]) for row in rows)) for column in range(3)]
    for row in rows:
        cells = [_shorten(cell, width).ljust(width) for cell, width in zip(row, widths, strict=False)]
        say("  " + "  ".join([*cells, row[3]]))


def _shorten(cell: str, width: int) -> str:
    return cell if len(cell) <= width else "…" + cell[-(width - 1) :]
