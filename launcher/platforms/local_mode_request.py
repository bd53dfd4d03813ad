"""What local mode is asked to run: the request of the cloud job, minus what local mode refuses. Pure."""

from __future__ import annotations

import math
import os
import uuid
from collections.abc import Mapping
from pathlib import Path

from contract.paths import CHECKPOINTS_VARIABLE, DEFAULT_BASE_DIR, JobPaths
from launcher.inputs import RECIPE_CHANNEL
from launcher.plan import Plan, build_request
from launcher.platforms.compose import search_path_with
from launcher.platforms.container_process import child_environment
from launcher.platforms.docker_platform import CHECKPOINTS_LABEL, FOLDER_LABEL, RUN_LABEL
from launcher.platforms.local_mode_job import JOB_LABEL, NO_SELINUX_LABEL, LocalModeJob

# Local mode has no checkpoints; but a channel is mounted where it lies, and can be written to.
CHECKPOINTS_CHANNEL = "checkpoints"
CHECKPOINTS_INSIDE = str(JobPaths(Path(DEFAULT_BASE_DIR)).channel(CHECKPOINTS_CHANNEL))

RECIPE_FOLDER = "recipe"  # of the private folder: local mode would mount everything beside a recipe with it


def build_job(plan: Plan, root: Path, memory: int) -> LocalModeJob:
    """The job of a plan, in the private folder `root`, on an engine with so much memory (bytes)."""
    number = uuid.uuid4().hex[:12]
    request = build_request(plan)
    del request["CheckpointConfig"]
    environment = {name: _literal(value) for name, value in plan.environment.items()}
    request["Environment"] = environment | {CHECKPOINTS_VARIABLE: CHECKPOINTS_INSIDE}
    request["OutputDataConfig"] = {"S3OutputPath": f"file://{root}/output"}
    request["InputDataConfig"] = [
        {"ChannelName": name, "DataSource": {"FileDataSource": {"FileUri": f"file://{folder}"}}}
        for name, folder in mounted_folders(plan, root).items()
    ]
    return LocalModeJob(
        id=number,
        root=str(root),
        image=plan.image,
        checkpoints=str(plan.checkpoints),
        request=request,
        container_config={
            "labels": {JOB_LABEL: number} | {name: _literal(value) for name, value in run_labels(plan).items()},
            "shm_size": memory // 2,  # as in launcher/platforms/docker_platform.py
            "security_opt": [NO_SELINUX_LABEL],
            "stop_grace_period": f"{math.ceil(plan.grace_s)}s",
        },
    )


def run_labels(plan: Plan) -> dict[str, str]:
    """What only one container at a time may write to, named as in a rehearsal in Docker: each sees the other."""
    return {
        RUN_LABEL: plan.run,
        FOLDER_LABEL: os.path.realpath(plan.folder),
        CHECKPOINTS_LABEL: os.path.realpath(plan.checkpoints),
    }


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
