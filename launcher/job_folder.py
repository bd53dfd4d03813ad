"""A private look-alike of /opt/ml for one job on this machine."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from contract.paths import JobPaths
from launcher.plan import Plan, build_request


@contextmanager
def lay_out_job(plan: Plan) -> Iterator[JobPaths]:
    """Lay out SageMaker's files; data, checkpoints and model are links to where they really are.

    The folder is removed afterwards, what the links point to is not.
    """
    base = Path(tempfile.mkdtemp(prefix="ocr-opt-ml-"))
    try:
        paths = JobPaths(base)
        request = build_request(plan)
        _write(paths.hyperparameters, request["HyperParameters"])
        _write(paths.input_data_config, _input_data_config(request["InputDataConfig"]))
        _write(paths.resource_config, _resource_config(plan.instance))
        for name, folder in plan.channels.items():
            _link(folder, paths.channel(name))
        _link(plan.checkpoints, paths.checkpoints)
        _link(plan.model, paths.model)
        paths.failure.parent.mkdir()
        yield paths
    finally:
        shutil.rmtree(base, ignore_errors=True)


def _input_data_config(channels: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    return {
        channel["ChannelName"]: {
            "TrainingInputMode": channel["InputMode"],
            "S3DistributionType": channel["DataSource"]["FileDataSource"]["FileDataDistributionType"],
            "RecordWrapperType": channel["RecordWrapperType"],
        }
        for channel in channels
    }


def _resource_config(instance: str) -> dict[str, Any]:
    return {
        "current_host": "algo-1",
        "hosts": ["algo-1"],
        "network_interface_name": "eth0",
        "current_instance_type": instance,
    }


def _write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _link(target: Path, link: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(target, target_is_directory=True)
