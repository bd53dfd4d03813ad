"""Submits a request through the SageMaker SDK's Estimator; the one module of ours for jobs in AWS that imports it.

Version 2 of the SDK ends in July 2027: then `account.client("sagemaker").create_training_job(**request)` is all that
has to stand here.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from typing import Any

from contract.errors import UserError
from launcher.aws import Account
from launcher.cloud.request import Request

# Given as a whole, it also keeps the SDK's own settings files out of the job.
NO_TELEMETRY = {"SchemaVersion": "1.0", "SageMaker": {"PythonSDK": {"Modules": {"TelemetryOptOut": True}}}}
SENDING = "provide-client-params.sagemaker.CreateTrainingJob"
ANSWERED = "after-call.sagemaker.CreateTrainingJob"


def load_sdk() -> None:
    """Import the SDK. Raises UserError when it is not installed."""
    os.environ.setdefault("SAGEMAKER_SUPPRESS_V2_WARNING", "1")
    try:
        with _quiet():
            import sagemaker.estimator  # noqa: F401
    except ImportError:
        raise UserError("the Python package sagemaker is not installed here: run bash setup.sh --launch") from None


def create_job(account: Account, request: Request) -> None:
    """Create the training job and return. Raises what botocore raises, or UserError when the SDK would change it."""
    client = account.client("sagemaker")
    answers: list[object] = []
    client.meta.events.register(SENDING, lambda params, **_: _check_unchanged(params, request))
    client.meta.events.register(ANSWERED, lambda parsed, **_: answers.append(parsed))
    with _quiet():
        _estimator(account, client, request).fit(_inputs(request), wait=False, job_name=request["TrainingJobName"])
    if not answers:  # the SDK's telemetry returns in a `finally`, and so swallows Ctrl-C even when it is switched off
        raise KeyboardInterrupt


def _estimator(account: Account, client: Any, request: Request) -> Any:
    from sagemaker.estimator import Estimator
    from sagemaker.session import Session

    algorithm, resources = request["AlgorithmSpecification"], request["ResourceConfig"]
    stopping, output = request["StoppingCondition"], request["OutputDataConfig"]
    checkpoints, network = request.get("CheckpointConfig", {}), request.get("VpcConfig", {})
    session = Session(boto_session=account.session, sagemaker_client=client, sagemaker_config=NO_TELEMETRY)
    return Estimator(
        image_uri=algorithm["TrainingImage"],
        input_mode=algorithm["TrainingInputMode"],
        metric_definitions=algorithm["MetricDefinitions"],
        role=request["RoleArn"],
        hyperparameters=request["HyperParameters"],
        environment=request["Environment"],
        tags=request["Tags"],
        instance_type=resources["InstanceType"],
        instance_count=resources["InstanceCount"],
        volume_size=resources["VolumeSizeInGB"],
        volume_kms_key=resources.get("VolumeKmsKeyId"),
        keep_alive_period_in_seconds=resources.get("KeepAlivePeriodInSeconds"),
        output_path=output["S3OutputPath"],
        output_kms_key=output.get("KmsKeyId"),
        max_run=stopping["MaxRuntimeInSeconds"],
        max_wait=stopping.get("MaxWaitTimeInSeconds"),
        use_spot_instances=request.get("EnableManagedSpotTraining", False),
        checkpoint_s3_uri=checkpoints.get("S3Uri"),
        checkpoint_local_path=checkpoints.get("LocalPath"),
        subnets=network.get("Subnets"),
        security_group_ids=network.get("SecurityGroupIds"),
        enable_network_isolation=request.get("EnableNetworkIsolation", False),
        debugger_hook_config=False,
        disable_profiler=True,
        sagemaker_session=session,
    )


def _inputs(request: Request) -> dict[str, Any]:
    from sagemaker.inputs import TrainingInput

    sources = {each["ChannelName"]: each["DataSource"]["S3DataSource"] for each in request["InputDataConfig"]}
    return {
        name: TrainingInput(
            source["S3Uri"], distribution=source["S3DataDistributionType"], s3_data_type=source["S3DataType"]
        )
        for name, source in sources.items()
    }


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The SDK logs to stdout, where our data goes, and lets botocore and others log on stderr from then on."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        logging.disable(logging.NOTSET)
        root.setLevel(level)
        root.handlers[:] = handlers


def _check_unchanged(params: Request, request: Request) -> None:
    """What is sent is what was shown; in a project of SageMaker Studio the SDK adds its tags. Raises UserError."""
    changed = sorted(key for key in {*params, *request} - {"Tags"} if params.get(key) != request.get(key))
    changed += ["Tags"] if any(tag not in params.get("Tags", ()) for tag in request["Tags"]) else []
    if changed:
        raise UserError(
            f"the SageMaker SDK would send another {', '.join(changed)} than was planned, so nothing is sent: "
            "install the version that this project names (bash setup.sh --launch)"
        )
