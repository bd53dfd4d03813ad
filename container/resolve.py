"""From the recipe to what really trains: every change with its reason, saved as config.yml."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from container.checkpoints import Checkpoint
from container.hosts import Place
from container.job import Job
from contract.batches import scales_of
from contract.dataset import DICTIONARY
from contract.errors import UserError
from contract.fitting import BATCH, Processes, figures_of, fit_recipe, is_rate
from contract.flat import flatten
from contract.hyperparameters import DEFAULT_SEED
from contract.machine import Machine
from contract.parameters import Change, OpenRecipe, make_agree, value_at, with_value
from contract.recipe import Recipe
from contract.report import Report


@dataclass(frozen=True)
class ResolvedRecipe:
    """The config that trains, with the identity that a checkpoint must share."""

    name: str
    config: Recipe
    changes: tuple[Change, ...]
    recipe_sha256: str
    fitted_batch: int | None  # None: the batch size was asked for

    @property
    def evaluation_sha256(self) -> str:
        """Scores compare only where crops are prepared and read alike."""
        parts = [self.config["Eval"]["dataset"]["transforms"], self.config["PostProcess"]]
        return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()

    def text(self) -> str:
        """config.yml: the changes as comments, then the config as YAML that stock PaddleOCR reads too."""
        lines = [f"# {self.name}, as trained. Decided:"]
        lines += [f"#   {change.key}: {_before_and_after(change)} ({change.reason})" for change in self.changes]
        return "\n".join(lines) + "\n" + yaml.safe_dump(self.config, sort_keys=False, allow_unicode=True)


def resolve_recipe(
    job: Job,
    recipe: OpenRecipe,
    dataset: Report,
    machine: Machine,
    resume: Checkpoint | None,
    place: Place,
    say: Callable[[str], None],
) -> ResolvedRecipe:
    """Fit the recipe to dataset and machine, print the before/after table, and check that `resume` belongs to it.

    Raises UserError for a checkpoint of another dictionary or architecture, for a precision that the machine cannot do,
    and for more processes than samples.
    """
    data, processes = figures_of(dataset, recipe.config), Processes(place.world, place.processes)
    if data.train < place.world:
        raise UserError(f"{data.train} training samples cannot be shared by {place.world} processes: use fewer")
    # All hosts must choose the same, and only the first one knows the checkpoint.
    began = resume.state.get("fitted_batch") if resume and len(place.counts) == 1 else None
    fitted = fit_recipe(recipe.config, job.parameters, recipe.asked, machine, data, processes, began)
    config = fitted.config
    changes = [*recipe.changes, *fitted.changes]

    def change(key: str, after: Any, reason: str) -> None:
        nonlocal config
        before = value_at(config, key)
        if before != after:
            config = with_value(config, key, after)
            changes.append(Change(key, before, after, reason))

    scales = scales_of(config)
    for mode in ("Train", "Eval"):
        split = "train" if mode == "Train" else "val"
        folder = dataset.split_folder(split).resolve()
        labels = next(each.file.path.name for each in dataset.splits if each.name == split)
        scaled = scales and mode == "Train"
        change(f"{mode}.dataset.name", "MultiScaleDataSet" if scaled else "SimpleDataSet", "a dataset folder trains")
        change(f"{mode}.dataset.data_dir", str(folder), f"the {split} samples of the job")
        change(f"{mode}.dataset.label_file_list", [str(folder / labels)], f"the {split} samples of the job")
    change("Train.loader.drop_last", False, "every sample trains once per epoch")
    change("Global.character_dict_path", DICTIONARY, "the dataset's dictionary wins, always")
    if config["Global"].get("seed") is None:
        change("Global.seed", DEFAULT_SEED, "PaddleOCR's default")
    change("Global.pretrained_model", None, "weights come from the pretrained channel")
    change("Global.checkpoints", None, "resume is decided by the checkpoint folder")
    change("Global.use_visualdl", False, "event lines and metrics.jsonl take its place")
    if place.world > 1:
        batch = int(config["Train"]["loader"]["batch_size_per_card"]) * place.world
        hosts = "1 host" if len(place.counts) == 1 else f"{len(place.counts)} hosts"
        say(f"{place.world} processes on {hosts} train together: {batch} samples a step")
        if _rate_was_asked_for(changes):
            say("the learning rate was asked for, so it is not multiplied by the number of processes")
        else:
            change(*_scaled_rate(config, place.world))
    config, followers = make_agree(config, [each.key for each in changes])
    changes += followers
    fitted_batch = None if BATCH in recipe.asked else config["Train"]["loader"]["batch_size_per_card"]
    resolved = ResolvedRecipe(recipe.name, config, tuple(changes), architecture_hash(config), fitted_batch)
    _show(resolved, say)
    for note in fitted.notes:
        say(f"note: {note}")
    if resume:
        _check_resume(job, resume, resolved, dataset)
    return resolved


def architecture_hash(config: Recipe) -> str:
    """What a checkpoint and a recipe must share for one to continue the other: network and classes.

    Not the longest label, which follows the dataset: it is in no shape of any weight.
    """
    network = copy.deepcopy(config["Architecture"])
    for key, _ in list(flatten(network)):
        if key.endswith(".max_text_length"):
            network = with_value(network, key, None)
    parts = [network, bool(config["Global"].get("use_space_char"))]
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _rate_was_asked_for(changes: Sequence[Change]) -> bool:
    asked = [change.key for change in changes if change.reason in ("override", "hyperparameter learning_rate")]
    return any(map(is_rate, asked))


def _scaled_rate(config: Recipe, world: int) -> tuple[str, Any, str]:
    """Linear scaling (Goyal et al. 2017, arXiv:1706.02677): a batch k times as large, a rate k times as high."""
    rate = config["Optimizer"]["lr"]
    name = "values" if rate.get("name") == "Piecewise" else "learning_rate"
    before = rate[name]
    after = [float(step) * world for step in before] if name == "values" else float(before) * world
    return f"Optimizer.lr.{name}", after, f"the recipe's is for one process, and {world} train"


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
    say(f"recipe {resolved.name}, what was decided and why:")
    rows = [("key", "before", "after", "reason")]
    rows += [(each.key, str(each.before), str(each.after), each.reason) for each in resolved.changes]
    widths = [min(44, max(len(row[column]) for row in rows)) for column in range(3)]
    for row in rows:
        cells = [_shorten(cell, width).ljust(width) for cell, width in zip(row, widths, strict=False)]
        say("  " + "  ".join([*cells, row[3]]))


def _before_and_after(change: Change) -> str:
    return f"{change.before} -> {change.after}" if change.before != change.after else str(change.after)


def _shorten(cell: str, width: int) -> str:
    return cell if len(cell) <= width else "…" + cell[-(width - 1) :]
