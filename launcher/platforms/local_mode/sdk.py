"""SageMaker's local mode through the SDK's Estimator; the one module that imports `sagemaker`.

`python -m launcher.platforms.local_mode.sdk JOB.json`: a process of its own, because the SDK takes seconds to import,
prints as it likes, and cannot be stopped from inside. The launcher talks to the container itself.
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contract.paths import LIFELINE_VARIABLE
from launcher.platforms.local_mode.job import LocalModeJob, read_job

if TYPE_CHECKING:
    from sagemaker.estimator import Estimator

# The SDK wants a region and a role, and asks nobody about them in local mode.
REGION = "us-east-1"
ROLE = "arn:aws:iam::000000000000:role/local-mode"

NO_TELEMETRY = {"SchemaVersion": "1.0", "SageMaker": {"PythonSDK": {"Modules": {"TelemetryOptOut": True}}}}


def main(argv: list[str] | None = None) -> int:
    """Run one job to its end. A line that begins with `error: ` says why when that did not work."""
    file = Path((sys.argv[1:] if argv is None else argv)[0])
    job = read_job(file)
    _clean_up_when_the_launcher_is_gone(file)
    try:
        estimator, inputs = build_estimator(job)
        estimator.fit(inputs, wait=False, job_name=job.request["TrainingJobName"])
    except Exception as error:
        traceback.print_exc()
        print(f"error: {' '.join(str(error).split()) or type(error).__name__}", flush=True)
        return 1
    return 0


def build_estimator(job: LocalModeJob) -> tuple[Estimator, dict[str, str]]:
    """The Estimator of a CreateTrainingJob request, and its channels."""
    import boto3
    from sagemaker.estimator import Estimator
    from sagemaker.local import LocalSession

    request = job.request
    session = LocalSession(boto_session=boto3.Session(region_name=REGION), sagemaker_config=NO_TELEMETRY)
    session.config = {"local": {"container_root": str(job.root), "container_config": job.container_config}}
    estimator = Estimator(
        image_uri=request["AlgorithmSpecification"]["TrainingImage"],
        role=request.get("RoleArn", ROLE),
        instance_count=request["ResourceConfig"]["InstanceCount"],
        instance_type=request["ResourceConfig"]["InstanceType"],
        hyperparameters=request["HyperParameters"],
        environment=request["Environment"],
        metric_definitions=request["AlgorithmSpecification"]["MetricDefinitions"],
        output_path=request["OutputDataConfig"]["S3OutputPath"],
        debugger_hook_config=False,
        disable_profiler=True,
        sagemaker_session=session,
    )
    return estimator, {channel["ChannelName"]: _uri(channel) for channel in request["InputDataConfig"]}


def _uri(channel: dict[str, Any]) -> str:
    return channel["DataSource"]["FileDataSource"]["FileUri"]


def _clean_up_when_the_launcher_is_gone(file: Path) -> None:
    """The launcher holds the other end of a pipe. When that closes, this process becomes the one that cleans up."""
    descriptor = int(os.environ.pop(LIFELINE_VARIABLE))
    variables = dict(os.environ)
    os.environ.pop("PYTHONPATH", None)  # docker-compose 1 is a Python program with packages of its own

    def wait_for_end() -> None:
        os.read(descriptor, 1)  # nobody writes: this returns when the launcher is gone
        os.execve(
            sys.executable, (sys.executable, "-m", "launcher.platforms.local_mode.clean_up", str(file)), variables
        )

    threading.Thread(target=wait_for_end, daemon=True, name="lifeline").start()


if __name__ == "__main__":
    raise SystemExit(main())
