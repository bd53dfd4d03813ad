"""What a user does next on the way to the first job: one command a step, to be pasted as it stands."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from contract.dataset import DICTIONARY, TRAIN_LABELS
from launcher.cloud.call import saved_for, words_like
from launcher.cloud.check import command_in
from launcher.cloud.pushed import push_command
from launcher.cloud.settings import ML
from launcher.command_line import without_flags
from launcher.flags import DOCTOR, PUSH, SUBMIT
from launcher.settings import Settings
from launcher.sources import Given

if TYPE_CHECKING:
    from launcher.cloud.plan import CloudPlan

SMOKE_DATASET = Path("output/smoke/demo_digits")  # of `make smoke`
CPU_INSTANCE = "ml.m5.large"
BEFORE_TURING = "ml.p3.2xlarge"
DRAW = "python -m data_preparation demo --output-dir demo_digits --kinds digits"


@dataclass(frozen=True)
class Step:
    """A command, and what for."""

    command: str
    why: str

    def __str__(self) -> str:
        """Two lines: the command is never broken, whatever the width of the terminal."""
        return f"next: {self.command}\n      ({self.why})"


def after_setup(given: Mapping[str, Given]) -> Step:
    """Everything is there but the image. `given`: of `setup`."""
    instance = _instance(given, "")
    return Step(push_command(instance, *words_like(PUSH, given)), "builds the image, once, and puts it into ECR")


def after_push(given: Mapping[str, Given], device: str, cuda: str) -> Step:
    """The image is there. `given`: of `push`; device and CUDA line: what it was made for."""
    wanted = CPU_INSTANCE if device == "cpu" else BEFORE_TURING if cuda == "cu118" else ""
    return to_submit(given, _instance(given, wanted))


def after_dry_run(settings: Settings, plan: CloudPlan) -> Step:
    """The plan was shown. What is missing names its command."""
    if not plan.obstacles:
        kept = without_flags(SUBMIT, settings.argv, ("dry_run", "json"))
        return Step(shlex.join([*SUBMIT.program.split(), *kept]), "submits it, after the checks of doctor")
    first = plan.obstacles[0]
    return Step(command_in(first) or first, first.partition(": ")[0])


def to_submit(given: Mapping[str, Given], instance: str) -> Step:
    """Look at the plan of a job; without a dataset first make one."""
    words = {key: each for key, each in given.items() if key != "instance"}
    command = [*SUBMIT.program.split(), "--instance", instance, *words_like(SUBMIT, words)]
    if not _names_dataset(given):
        found = dataset_here(Path.cwd())
        if found is None:
            return Step(DRAW, "there is no dataset here: this draws one to try the way; name your own with --dataset")
        command += ["--dataset", str(found)]
    return Step(shlex.join([*command, "--dry-run"]), "shows the job and what it will cost at most; sends nothing")


def dataset_here(folder: Path) -> Path | None:
    """The first dataset in a folder, else that of `make smoke`; relative to the folder."""
    for path in (*sorted(each for each in folder.iterdir() if each.is_dir()), folder / SMOKE_DATASET):
        if (path / TRAIN_LABELS).is_file() and (path / DICTIONARY).is_file():
            return path.relative_to(folder)
    return None


def _names_dataset(given: Mapping[str, Given]) -> bool:
    return "dataset" in given or "dataset" in saved_for(SUBMIT, given)


def _instance(given: Mapping[str, Given], wanted: str) -> str:
    """The one of launcher.yml or the environment, unless it runs another image; else doctor's."""
    saved = saved_for(SUBMIT, given).get("instance")
    if saved and str(saved.raw).startswith(ML) and not wanted:
        return str(saved.raw)
    return wanted or str(DOCTOR.by_key["instance"].default)
