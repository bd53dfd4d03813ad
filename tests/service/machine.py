"""One training machine: its /opt/ml as SageMaker lays it out, and our container on it."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from contract.paths import LIFELINE_VARIABLE
from launcher.platforms.container_process import ContainerProcess
from tests.service.s3_folders import DataMissing, Mirror, Prefix
from tests.service.training_job import FAILURE_REASON_LIMIT, TrainingJob

HOST, GROUP = "algo-1", "homogeneousCluster"
ROOM_FOR_THE_REST = 64  # characters of a FailureReason besides the container's own words


@contextmanager
def fresh_machine() -> Iterator[Path]:
    """An empty /opt/ml, with a tmp beside it; what is not in S3 goes with them."""
    disk = Path(tempfile.mkdtemp(prefix="ocr-instance-"))
    try:
        for name in ("opt-ml", "tmp"):
            (disk / name).mkdir()
        yield disk / "opt-ml"
    finally:
        shutil.rmtree(disk, ignore_errors=True)


def lay_out(base: Path, job: TrainingJob, s3: Any) -> None:
    """Folders, configuration and channels. Raises DataMissing."""
    for folder in ("input/config", "input/data", "model", "output/data", "checkpoints"):
        (base / folder).mkdir(parents=True)
    channels = job.request.get("InputDataConfig", [])
    config = base / "input/config"
    _write(config / "hyperparameters.json", job.request.get("HyperParameters", {}))
    _write(config / "inputdataconfig.json", {each["ChannelName"]: _channel(each, job) for each in channels})
    _write(config / "resourceconfig.json", _resources(job.request["ResourceConfig"].get("InstanceType", "")))
    for each in channels:
        folder = base / "input/data" / each["ChannelName"]
        folder.mkdir()
        uri = each["DataSource"]["S3DataSource"]["S3Uri"]
        if not _download(uri, folder, job, s3):
            raise DataMissing(_nothing_under(uri, job))


def restore_checkpoints(base: Path, job: TrainingJob, s3: Any) -> Mirror | None:
    """The checkpoint folder as S3 has it, and what copies it back from now on. Raises DataMissing."""
    config = job.request.get("CheckpointConfig")
    if not config:
        return None
    uri, folder = config["S3Uri"], base / "checkpoints"
    _download(uri, folder, job, s3)
    return Mirror(s3, folder, uri if uri.endswith("/") else f"{uri}/")


def start_container(base: Path, job: TrainingJob, environment: Mapping[str, str], image: str) -> Any:
    """Our container as a process, or of an image in Docker; both as launcher/platforms runs them."""
    variables = {
        "TRAINING_JOB_NAME": job.name,
        "TRAINING_JOB_ARN": job.arn,
        "AWS_REGION": job.region,
        **environment,
        **job.request.get("Environment", {}),
    }
    if image:
        return _in_docker(image, base, variables)
    variables["TMPDIR"] = str(base.with_name("tmp"))
    return ContainerProcess([sys.executable, "-m", "container", "train"], base, variables)


def failure_in(base: Path) -> str:
    """What the container has left in output/failure, as FailureReason has room for it."""
    try:
        text = (base / "output/failure").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return text.strip()[: FAILURE_REASON_LIMIT - ROOM_FOR_THE_REST]


def exit_code_of(code: int) -> int:
    """As SageMaker says it: 137 when SIGKILL has ended the container."""
    return 128 - code if code < 0 else code


def _channel(channel: dict[str, Any], job: TrainingJob) -> dict[str, str]:
    usual = job.request["AlgorithmSpecification"]["TrainingInputMode"]
    source = channel["DataSource"]["S3DataSource"]
    entry = {
        "TrainingInputMode": channel.get("InputMode", usual),
        "S3DistributionType": source.get("S3DataDistributionType", "FullyReplicated"),
        "RecordWrapperType": channel.get("RecordWrapperType", "None"),
    }
    return entry | ({"ContentType": channel["ContentType"]} if "ContentType" in channel else {})


def _resources(instance: str) -> dict[str, Any]:
    return {
        "current_host": HOST,
        "hosts": [HOST],
        "network_interface_name": "eth0",
        "current_instance_type": instance,
        "current_group_name": GROUP,
        "instance_groups": [{"instance_group_name": GROUP, "instance_type": instance, "hosts": [HOST]}],
    }


def _download(uri: str, folder: Path, job: TrainingJob, s3: Any) -> int:
    try:
        return Prefix.of(uri).download(s3, folder)
    except s3.exceptions.NoSuchBucket:
        raise DataMissing(_nothing_under(uri, job)) from None


def _nothing_under(uri: str, job: TrainingJob) -> str:
    return (
        f'ClientError: Data download failed:No S3 objects found under S3 URL "{uri}" given in input data source. '
        f"Please ensure that the bucket exists in the selected region ({job.region}), that objects exist under that S3 "
        f'prefix, and that the role "{job.request["RoleArn"]}" has "s3:ListBucket" permissions on bucket.'
    )


def _in_docker(image: str, base: Path, variables: dict[str, str]) -> Any:
    """The image as SageMaker runs it, but as the user, who must be able to remove what it writes."""
    import docker

    from launcher.platforms.docker_container import DockerContainer

    container = docker.from_env().containers.create(
        image,
        ["train"],
        environment=variables | {LIFELINE_VARIABLE: "0"},  # its stdin, which Docker closes when we are gone
        volumes={str(base): {"bind": "/opt/ml", "mode": "rw"}},
        user=f"{os.getuid()}:{os.getgid()}",
        stdin_open=True,
        auto_remove=True,
        network_mode="none",
        shm_size="1g",
    )
    return DockerContainer(container)


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")
