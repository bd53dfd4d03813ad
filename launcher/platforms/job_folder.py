"""A private look-alike of /opt/ml for one job on this machine."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from contract.paths import FIRST_HOST, JobPaths
from launcher.plan import Plan, build_request


@contextmanager
def private_folder() -> Iterator[Path]:
    """A folder that only this user may enter; removed afterwards with what is in it, not what links point to."""
    folder = Path(tempfile.mkdtemp(prefix="ocr-opt-ml-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_job(plan: Plan, paths: JobPaths, host: str = FIRST_HOST) -> None:
    """What SageMaker writes for the container on this host to read."""
    request = build_request(plan)
    _write(paths.hyperparameters, request["HyperParameters"])
    _write(paths.input_data_config, _input_data_config(request["InputDataConfig"]))
    _write(paths.resource_config, _resource_config(plan, host))
    paths.failure.parent.mkdir()


def _input_data_config(channels: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    return {
        channel["ChannelName"]: {
            "TrainingInputMode": channel["InputMode"],
            "S3DistributionType": channel["DataSource"]["FileDataSource"]["FileDataDistributionType"],
            "RecordWrapperType": channel["RecordWrapperType"],
        }
        for channel in channels
    }


def _resource_config(plan: Plan, host: str) -> dict[str, Any]:
    return {
        "current_host": host,
        "hosts": list(plan.hosts),
        "network_interface_name": "eth0" if len(plan.hosts) == 1 else "lo",
        "current_instance_type": plan.instance,
    }


def _write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8", newline="\n")
