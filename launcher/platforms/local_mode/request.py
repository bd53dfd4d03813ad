"""What local mode is asked to run: the request of the cloud job, minus what local mode refuses."""

from __future__ import annotations

import math
import os
import tempfile
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from contract.paths import CHECKPOINTS_VARIABLE, DEFAULT_BASE_DIR, JobPaths
from launcher.inputs import RECIPE_CHANNEL
from launcher.plan import Plan, build_request
from launcher.platforms.container_process import child_environment
from launcher.platforms.engine_info import NO_SELINUX_LABEL, host_users, shared_memory
from launcher.platforms.leftovers import run_labels
from launcher.platforms.local_mode.compose import search_path_with
from launcher.platforms.local_mode.job import JOB_LABEL, LocalModeJob

# Local mode has no checkpoints; but a channel is mounted where it lies, and can be written to.
CHECKPOINTS_CHANNEL = "checkpoints"
CHECKPOINTS_INSIDE = str(JobPaths(Path(DEFAULT_BASE_DIR)).channel(CHECKPOINTS_CHANNEL))

ROOT_PREFIX = "ocr-local-mode-"
OUTPUT_FOLDER = "output"  # of the private folder: here the SDK packs what the job leaves
RECIPE_FOLDER = "recipe"  # of the private folder: local mode would mount everything beside a recipe with it


def build_job(plan: Plan, root: Path, info: Mapping[str, Any]) -> LocalModeJob:
    """The job of a plan, in the private folder `root`, for an engine that says `info` about itself."""
    number = uuid.uuid4().hex[:12]
    labels = {JOB_LABEL: number} | run_labels(plan)
    return LocalModeJob(
        id=number,
        root=str(root),
        image=plan.image,
        checkpoints=str(plan.checkpoints),
        request=build_local_request(plan, root),
        container_config={
            "labels": {name: _literal(value) for name, value in labels.items()},
            "shm_size": shared_memory(info),
            "security_opt": [NO_SELINUX_LABEL],
            "stop_grace_period": f"{math.ceil(plan.grace_s)}s",
            **host_users(info),  # otherwise its root would be a stranger in the user's folders
        },
    )


def build_local_request(plan: Plan, root: Path) -> dict[str, Any]:
    """The request that the SDK is given, in the private folder `root`. Pure."""
    request = build_request(plan)
    del request["CheckpointConfig"]
    environment = {name: _literal(value) for name, value in plan.environment.items()}
    return request | {
        "Environment": environment | {CHECKPOINTS_VARIABLE: CHECKPOINTS_INSIDE},
        "OutputDataConfig": {"S3OutputPath": f"file://{root}/{OUTPUT_FOLDER}"},
        "InputDataConfig": [
            {"ChannelName": name, "DataSource": {"FileDataSource": {"FileUri": f"file://{folder}"}}}
            for name, folder in mounted_folders(plan, root).items()
        ],
    }


def planned_root() -> Path:
    """The private folder of a job that is only planned: its name is drawn when it is made."""
    return Path(tempfile.gettempdir()).resolve() / f"{ROOT_PREFIX}XXXXXXXX"


def mounted_folders(plan: Plan, root: Path) -> dict[str, Path]:
    """The channels, as folders of this machine."""
    recipe = {RECIPE_CHANNEL: root / RECIPE_FOLDER} if plan.sends_recipe else {}
    return plan.channels | recipe | {CHECKPOINTS_CHANNEL: plan.checkpoints}


def sdk_environment(environment: Mapping[str, str], first_on_path: Path) -> dict[str, str]:
    """The variables of the SDK's process. With what it finds of AWS credentials it would fill the job's container.

    The job's data lies in folders of this machine, so there is nothing for which it needs AWS.
    """
    variables = {
        name: value
        for name, value in child_environment(environment).items()
        if not name.startswith(("AWS_", "COMPOSE_"))
    }
    return variables | {
        "PATH": search_path_with(first_on_path, environment),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "BOTO_CONFIG": os.devnull,
        "SAGEMAKER_SUPPRESS_V2_WARNING": "1",
    }


def _literal(text: str) -> str:
    """For a value in a Compose file, where `$NAME` means a variable of this machine."""
    return text.replace("$", "$$")
