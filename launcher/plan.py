"""What will run, decided before anything is written: checks, folders, request. Reads files, writes nothing."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contract.errors import UserError
from contract.events import METRIC_DEFINITIONS
from contract.hyperparameters import did_you_mean, parse_hyperparameters
from contract.parameters import apply_parameters
from contract.paths import (
    BASE_DIR_VARIABLE,
    CHECKPOINTS_VARIABLE,
    DEFAULT_BASE_DIR,
    LIFELINE_VARIABLE,
    MEETING_VARIABLE,
    TRAINING_CHANNEL,
)
from contract.recipe import load_recipe
from launcher.inputs import NO_DATASET, RECIPE_CHANNEL, channels_here, choose_recipe, path_in_recipe_channel
from launcher.interruption import Interruption
from launcher.settings import Settings

CONTAINER_COMMAND = (sys.executable, "-m", "container", "train")
IMAGE_COMMAND = ("train",)  # SageMaker runs `docker run IMAGE train`
LOG = "job.log"
PROCESS, LOCAL, LOCAL_GPU = "process", "local", "local_gpu"
INSTANCES = f"{PROCESS} (without Docker), {LOCAL}, {LOCAL_GPU}, or an ml type such as ml.g4dn.xlarge (SageMaker)"


@dataclass(frozen=True)
class Plan:
    """One run on this machine, in full."""

    run: str
    instance: str
    hosts: tuple[str, ...]  # that train together; the first one leads
    image: str  # empty: the job runs without Docker
    channels: dict[str, Path]
    recipe: Path
    sends_recipe: bool  # in RECIPE_CHANNEL, under its file name
    hyperparameters: dict[str, str]
    environment: dict[str, str]
    output: Path
    folder: Path  # OUTPUT/RUN
    checkpoints: Path
    command: tuple[str, ...]
    interruptions: tuple[Interruption, ...]
    grace_s: float
    continues: bool  # the run exists and is resumed
    moves_aside: Path | None  # --fresh: where what the run has so far goes

    @property
    def model(self) -> Path:
        return self.folder / "model"

    @property
    def model_tar(self) -> Path:
        return self.folder / "model.tar.gz"

    @property
    def log(self) -> Path:
        return self.folder / LOG

    @property
    def start(self) -> str:
        """What happens to the run's name, in words."""
        if self.moves_aside:
            return f"starts over; what it has so far moves to {self.moves_aside}"
        return "continues from its newest sound checkpoint, if there is one" if self.continues else "new"

    @property
    def where(self) -> str:
        """What runs the job, in words."""
        if self.instance == PROCESS:
            hosts = f", {len(self.hosts)} containers that train together" if len(self.hosts) > 1 else ""
            return f"this machine, without Docker or AWS{hosts}"
        if self.interruptions:
            return f"Docker on this machine, image {self.image}, rehearsing a Spot interruption"
        return f"SageMaker local mode on this machine, image {self.image}"


def plan_run(settings: Settings, command: tuple[str, ...] = CONTAINER_COMMAND, platform: str = sys.platform) -> Plan:
    """Check everything that can be known from files and decide the rest but the image. Raises UserError.

    `platform`: the operating system, as sys.platform names it; a dry run plans on any.
    """
    _check_instance(settings.instance, settings.instance_count)
    if platform == "win32" and not settings.dry_run:
        raise UserError(f"--instance {settings.instance} needs Linux or macOS: on Windows use WSL")
    if settings.dataset is None:
        raise UserError(NO_DATASET)
    channels = channels_here(settings)
    recipe_name, recipe = choose_recipe(settings, channels[TRAINING_CHANNEL])
    sends_recipe = settings.instance != PROCESS and recipe_name == str(recipe)
    if sends_recipe:
        recipe_name = path_in_recipe_channel(recipe.name)
    hyperparameters = {"config": recipe_name, "run_id": settings.run} | dict(settings.hyperparameters)
    hyperparameters |= dict(settings.overrides)
    apply_parameters(load_recipe(recipe), parse_hyperparameters(hyperparameters), recipe)  # refuses what will not do
    folder = settings.output / settings.run
    exists = folder.exists()
    _check_output(settings, folder)
    _check_apart(settings, folder, channels)
    return Plan(
        run=settings.run,
        instance=settings.instance,
        hosts=tuple(f"algo-{number}" for number in range(1, settings.instance_count + 1)),
        image="",
        channels=channels,
        recipe=recipe,
        sends_recipe=sends_recipe,
        hyperparameters=hyperparameters,
        environment=_environment(settings),
        output=settings.output,
        folder=folder,
        checkpoints=settings.checkpoint_folder or folder / "checkpoints",
        command=tuple(command) if settings.instance == PROCESS else IMAGE_COMMAND,
        interruptions=settings.interruptions,
        grace_s=settings.grace_s,
        continues=exists and not settings.fresh,
        moves_aside=_free_name(folder) if exists and settings.fresh else None,
    )


def build_request(plan: Plan) -> dict[str, Any]:
    """What the job receives, in the shape of CreateTrainingJob; a pure function of the plan."""
    channels = plan.channels | ({RECIPE_CHANNEL: plan.recipe} if plan.sends_recipe else {})
    algorithm = {
        "TrainingImage": plan.image,
        "TrainingInputMode": "File",
        "MetricDefinitions": [dict(definition) for definition in METRIC_DEFINITIONS],
    }
    return {
        "TrainingJobName": plan.run,
        **({"AlgorithmSpecification": algorithm} if plan.image else {}),
        "HyperParameters": plan.hyperparameters,
        "InputDataConfig": [
            {
                "ChannelName": name,
                # as SageMaker's own local mode spells what is not in S3
                "DataSource": {
                    "FileDataSource": {"FileUri": path.as_uri(), "FileDataDistributionType": "FullyReplicated"}
                },
                "InputMode": "File",
                "RecordWrapperType": "None",
            }
            for name, path in channels.items()
        ],
        "CheckpointConfig": {"S3Uri": plan.checkpoints.as_uri(), "LocalPath": f"{DEFAULT_BASE_DIR}/checkpoints"},
        "OutputDataConfig": {"S3OutputPath": plan.output.as_uri()},
        "ResourceConfig": {"InstanceType": plan.instance, "InstanceCount": len(plan.hosts)},
        "Environment": plan.environment,
    }


def plan_as_json(plan: Plan) -> dict[str, Any]:
    """The plan for `--dry-run --json`."""
    return {
        "run": plan.run,
        "start": plan.start,
        "continues": plan.continues,
        "instance": plan.instance,
        "hosts": list(plan.hosts),
        "image": plan.image or None,
        "channels": {name: str(folder) for name, folder in plan.channels.items()},
        "recipe": str(plan.recipe),
        "folder": str(plan.folder),
        "checkpoints": str(plan.checkpoints),
        "model": str(plan.model),
        "model_tar": str(plan.model_tar),
        "log": str(plan.log),
        "moves_aside": str(plan.moves_aside) if plan.moves_aside else None,
        "command": list(plan.command),
        "interruptions": [str(interruption) for interruption in plan.interruptions],
        "grace_s": plan.grace_s,
    }


def describe_plan(plan: Plan) -> str:
    """The plan for people, one line per decision."""
    rows = [("run", f"{plan.run} ({plan.start})"), ("where", plan.where)]
    rows += [(name, str(folder)) for name, folder in plan.channels.items()]
    rows.append(("recipe", str(plan.recipe)))
    settings = [f"{key}={raw}" for key, raw in plan.hyperparameters.items() if key not in ("config", "run_id")]
    if settings:
        rows.append(("settings", "  ".join(settings)))
    rows.append(("output", str(plan.folder)))
    if plan.checkpoints.parent != plan.folder:
        rows.append(("checkpoints", str(plan.checkpoints)))
    if plan.interruptions:
        rows.append(("interrupts", f"{', then '.join(map(str, plan.interruptions))}; grace {plan.grace_s:g} s"))
    return "\n".join(f"{name:12} {text}" for name, text in rows)


def _check_instance(instance: str, count: int) -> None:
    if not instance:
        raise UserError(f"no instance: say where the job runs with --instance {INSTANCES}")
    if instance not in (PROCESS, LOCAL, LOCAL_GPU):
        raise UserError(f"unknown instance {instance!r}: use --instance {INSTANCES}")
    if count > 1 and instance != PROCESS:
        raise UserError(
            f"--instance-count {count}: {instance} is one container: give 1, or try {count} of them out with "
            f"--instance {PROCESS}"
        )


def _environment(settings: Settings) -> dict[str, str]:
    ours = (BASE_DIR_VARIABLE, CHECKPOINTS_VARIABLE, LIFELINE_VARIABLE, MEETING_VARIABLE, "PATH")
    for name, _ in settings.env:
        if name in ours:
            raise UserError(f"--env {name}: the launcher sets this variable itself: leave it out")
    return dict(settings.env)


def _check_output(settings: Settings, folder: Path) -> None:
    """Find out now what would otherwise fail after the start. Writes nothing."""
    for path in (settings.output, folder, settings.checkpoint_folder):
        if path and (path.exists() or path.is_symlink()) and not path.is_dir():
            raise UserError(f"{path} is a file: name a folder with --output, --run or --checkpoint-uri")
        if path:
            _check_writable(path)
    if settings.must_exist and not folder.is_dir():
        runs = [each.name for each in settings.output.iterdir() if each.is_dir()] if settings.output.is_dir() else []
        nearest = did_you_mean(settings.run, runs) if runs else ""
        raise UserError(f"there is no run {settings.run!r} in {settings.output}{nearest}")
    if settings.fresh and settings.checkpoint_folder and holds_something(settings.checkpoint_folder):
        raise UserError(
            f"--fresh would continue from the checkpoints in {settings.checkpoint_folder}: "
            "name an empty --checkpoint-uri, or leave --fresh out"
        )


def _check_apart(settings: Settings, folder: Path, channels: dict[str, Path]) -> None:
    """What a job writes and deletes never meets what it reads, nor its checkpoints its model. Raises UserError."""
    for name, channel in channels.items():
        if _is_inside(folder, channel):
            raise UserError(f"the run's folder {folder} is inside the {name} folder {channel}: name another --output")
    checkpoints = settings.checkpoint_folder
    if checkpoints is None or _real(checkpoints) == _real(folder) / "checkpoints":
        return
    for name, other in {"run's": folder, **channels}.items():
        if _is_inside(checkpoints, other) or _is_inside(other, checkpoints):
            raise UserError(
                f"--checkpoint-uri {checkpoints} would mix checkpoints with the {name} folder {other}: "
                "name a folder of its own"
            )


def _is_inside(path: Path, folder: Path) -> bool:
    """`path` is `folder` or below it, whatever links lead there."""
    return _real(path).is_relative_to(_real(folder))


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _check_writable(path: Path) -> None:
    nearest = next(each for each in (path, *path.parents) if each.exists())
    if not nearest.is_dir():
        raise UserError(f"{nearest} is a file: {path} cannot be made")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise UserError(f"{nearest} cannot be written to: name another --output or --checkpoint-uri")


def holds_something(folder: Path) -> bool:
    """It is a folder, and not an empty one."""
    return folder.is_dir() and any(folder.iterdir())


def _free_name(folder: Path) -> Path:
    number = 1
    while (aside := folder.with_name(f"{folder.name}.old-{number}")).exists():
        number += 1
    return aside
