"""What keeps a job from local mode, found before anything starts."""

from __future__ import annotations

import importlib.metadata
import os
import tempfile
from pathlib import Path

from contract.errors import UserError
from contract.paths import PRETRAINED_CHANNEL, TRAINING_CHANNEL, VALIDATION_CHANNEL
from launcher.plan import LOCAL_GPU, Plan
from launcher.platforms.local_mode.compose import Compose, find_compose

# The SDK mounts nothing whose path begins like one of these (`_SENSITIVE_SYSTEM_PATHS` in its utils.py).
REFUSED_IN_HOME = (".aws", ".ssh", ".kube", ".docker", ".config", ".credentials")
REFUSED = ("/etc", "/root", "/var/lib", "/opt/ml/metadata")

# The SDK cuts the address of a folder at the first three and drops the last three; Compose reads `:` and `$`.
UNMOUNTABLE = "?#;:$\t\r\n"

FLAGS = {TRAINING_CHANNEL: "--dataset", VALIDATION_CHANNEL: "--validation", PRETRAINED_CHANNEL: "--pretrained"}
TEMPORARY = "the folder of temporary files (TMPDIR)"
WAYS_OUT = "or use --instance process, or rehearse in Docker with --interrupt-after"


def check_local_mode(plan: Plan) -> None:
    """Refuse, in one sentence each, what the SDK or Compose would fail with. Raises UserError."""
    check_sdk()
    check_folders(plan)
    check_compose(find_compose(os.environ), plan.instance)


def check_sdk() -> None:
    """Refuse without version 2 of the SDK; version 3 has no Estimator. Imports nothing."""
    try:
        version = importlib.metadata.version("sagemaker")
    except importlib.metadata.PackageNotFoundError:
        raise UserError("the Python package sagemaker is not installed here: run bash setup.sh --launch") from None
    if not version.startswith("2."):
        raise UserError(f"SageMaker's local mode needs sagemaker 2, not {version}: run bash setup.sh --launch")


def check_folders(plan: Plan) -> None:
    """Refuse what the SDK would refuse to mount, or mount wrongly."""
    checkpoints = "--output" if plan.checkpoints.parent == plan.folder else "--checkpoint-uri"
    folders = {FLAGS[name]: folder for name, folder in plan.channels.items()} | {checkpoints: plan.checkpoints}
    for flag, folder in folders.items():
        path = os.path.abspath(folder)  # noqa: PTH100 - as the SDK: links are not followed
        _check_place(f"{flag} {folder}", path)
        _check_characters(f"{flag} {path}", path)
    private = os.path.realpath(tempfile.gettempdir())  # where a job's private folder is made
    if plan.sends_recipe:
        _check_place(f"{TEMPORARY} {private}, in which a recipe of your own is handed over", private)
    _check_characters(f"{TEMPORARY} {private}", private)


def refused_prefixes() -> list[str]:
    """The beginnings of paths that the SDK refuses."""
    return [str(Path.home() / name) for name in REFUSED_IN_HOME] + [os.path.realpath(path) for path in REFUSED]


def check_compose(compose: Compose, instance: str) -> None:
    """Refuse a Compose that cannot give a container GPUs."""
    if instance == LOCAL_GPU and not compose.runs_gpu_jobs:
        raise UserError(
            f"--instance {LOCAL_GPU} needs Docker Compose 2, and {compose.version} is installed here: install "
            "Docker's compose plugin, or rehearse on the GPU with --interrupt-after"
        )


def _check_place(what: str, path: str) -> None:
    prefix = next((each for each in refused_prefixes() if path.startswith(each)), None)
    if prefix:
        raise UserError(f"{what}: SageMaker's local mode mounts nothing below {prefix}: use another folder, {WAYS_OUT}")


def _check_characters(what: str, path: str) -> None:
    odd = next((character for character in path if character in UNMOUNTABLE), None)
    if odd:
        raise UserError(f"{what}: SageMaker's local mode cannot mount a path with {odd!r}: rename it, {WAYS_OUT}")
