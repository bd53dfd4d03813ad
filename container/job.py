"""One job as SageMaker describes it under /opt/ml/input/config."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contract.errors import UserError
from contract.hyperparameters import Hyperparameters, parse_hyperparameters
from contract.paths import FIRST_HOST, PRETRAINED_CHANNEL, TRAINING_CHANNEL, VALIDATION_CHANNEL, JobPaths


@dataclass(frozen=True)
class Job:
    """What this execution has been asked to do."""

    paths: JobPaths
    parameters: Hyperparameters
    training: Path
    validation: Path | None
    pretrained: Path | None
    instance_type: str
    host: str
    hosts: tuple[str, ...]  # in the order that all of them know; the first one leads
    network: str  # name of the interface between them


def read_job(paths: JobPaths) -> Job:
    """Read the JSON files of a job. Raises UserError for an unknown hyperparameter or a missing channel."""
    parameters = parse_hyperparameters(_read_json(paths.hyperparameters))
    resources = _read_json(paths.resource_config)
    host = str(resources.get("current_host") or FIRST_HOST)
    hosts = tuple(sorted(map(str, resources.get("hosts") or [host])))
    if host not in hosts:
        raise UserError(f"{paths.resource_config}: current_host {host!r} is not one of hosts {', '.join(hosts)}")
    for folder in (paths.checkpoints, paths.model):
        if folder.exists() and not folder.is_dir():
            raise UserError(f"{folder} is a file: remove it, the job writes a folder there")
    training = paths.channel(TRAINING_CHANNEL)
    if not training.is_dir():
        raise UserError(f"there is no dataset: {training} does not exist; give the job a channel named training")
    for channel in (TRAINING_CHANNEL, VALIDATION_CHANNEL, PRETRAINED_CHANNEL):
        folder = paths.channel(channel)
        if folder.is_dir() and not any(folder.iterdir()):
            raise UserError(
                f"the channel {channel} is empty ({folder}): nothing lies under the folder or S3 prefix that it was "
                "given; correct that address"
            )
    return Job(
        paths=paths,
        parameters=parameters,
        training=training,
        validation=_optional(paths.channel(VALIDATION_CHANNEL)),
        pretrained=_optional(paths.channel(PRETRAINED_CHANNEL)),
        instance_type=str(resources.get("current_instance_type", "")),
        host=host,
        hosts=hosts,
        network=str(resources.get("network_interface_name", "")),
    )


def _optional(folder: Path) -> Path | None:
    return folder if folder.is_dir() else None


def _read_json(path: Path) -> dict[str, Any]:
    """A JSON object; an absent file is an empty one, as when `docker run` starts the image by hand."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is not JSON ({error}): SageMaker writes an object of strings there") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} must hold one JSON object, not {type(content).__name__}")
    return content
