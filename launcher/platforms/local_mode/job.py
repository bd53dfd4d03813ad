"""A job in SageMaker's local mode, as the launcher hands it to the SDK's process."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from launcher.engine import LABEL_PREFIX

JOB_LABEL = LABEL_PREFIX + "job"  # on the containers of a job: its id


@dataclass(frozen=True)
class LocalModeJob:
    """What the SDK's process needs to know, and what is to be cleaned up."""

    id: str
    root: str  # a private folder, for as long as the job lasts
    image: str
    checkpoints: str
    request: dict[str, Any]  # CreateTrainingJob, as far as local mode takes it
    container_config: dict[str, Any]  # keys of the Compose file that the SDK does not set itself

    @property
    def label(self) -> str:
        """By which its containers are found."""
        return f"{JOB_LABEL}={self.id}"


def write_job(job: LocalModeJob, file: Path) -> None:
    """Write it where only this user can read it: the environment of a job may hold secrets."""
    file.touch(mode=0o600)
    file.write_text(json.dumps(asdict(job)), encoding="utf-8", newline="\n")


def read_job(file: Path) -> LocalModeJob:
    """What `write_job` wrote."""
    return LocalModeJob(**json.loads(file.read_text(encoding="utf-8")))
