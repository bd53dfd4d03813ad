"""The exact CreateTrainingJob request of a plan, and SageMaker's limits on it. Pure."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from contract.errors import UserError
from contract.events import METRIC_DEFINITIONS
from contract.paths import DEFAULT_BASE_DIR
from launcher.cloud.layout import LONGEST_JOB_NAME, LONGEST_URI
from launcher.cloud.plan import CloudPlan, Rung

Request = dict[str, Any]

CHECKPOINTS_PATH = f"{DEFAULT_BASE_DIR}/checkpoints"

# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTrainingJob.html
MOST_CHANNELS, MOST_TAGS, MOST_METRICS = 20, 50, 40
MOST_HYPERPARAMETERS, LONGEST_KEY, LONGEST_VALUE = 100, 256, 2500
MOST_VARIABLES, LONGEST_VARIABLE = 100, 512
LONGEST_TAG_KEY, LONGEST_TAG_VALUE = 128, 256
LONGEST_IMAGE = 255

_JOB_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*")
_VARIABLE = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_TAG_SIGNS = "_.:/=+-@"


def build_request(plan: CloudPlan, rung: Rung | None = None) -> Request:
    """What is sent for one rung of the plan (default: the first). Raises UserError for what SageMaker would refuse."""
    rung = rung or plan.rungs[0]
    request: Request = {
        "TrainingJobName": plan.job,
        "AlgorithmSpecification": {
            **({"TrainingImage": rung.image} if rung.image else {}),
            "TrainingInputMode": "File",
            "MetricDefinitions": [dict(definition) for definition in METRIC_DEFINITIONS],
        },
        **({"RoleArn": plan.role} if plan.role else {}),
        "HyperParameters": dict(plan.hyperparameters),
        "InputDataConfig": [_channel(name, str(each.uri)) for name, each in plan.channels.items()],
        "OutputDataConfig": _output(plan),
        "ResourceConfig": _resources(plan, rung),
        "StoppingCondition": _stopping(rung),
        "Environment": dict(plan.environment),
        "Tags": [{"Key": key, "Value": value} for key, value in plan.tags.items()],
        "ProfilerConfig": {"DisableProfiler": True},
    }
    if plan.checkpoints:
        request["CheckpointConfig"] = {"S3Uri": str(plan.checkpoints), "LocalPath": CHECKPOINTS_PATH}
    if plan.spot:
        request["EnableManagedSpotTraining"] = True
    if plan.subnets:
        request["VpcConfig"] = {"Subnets": list(plan.subnets), "SecurityGroupIds": list(plan.security_groups)}
    if plan.network_isolation:
        request["EnableNetworkIsolation"] = True
    check_request(request)
    return request


def check_request(request: Request) -> None:
    """Raise UserError for what exceeds a limit of CreateTrainingJob."""
    name = request["TrainingJobName"]
    if len(name) > LONGEST_JOB_NAME or not _JOB_NAME.fullmatch(name):
        raise UserError(
            f"{name!r} cannot name a job: SageMaker takes at most {LONGEST_JOB_NAME} letters, digits and single "
            "hyphens between them: name a shorter --run"
        )
    image = request["AlgorithmSpecification"].get("TrainingImage", "")
    if len(image) > LONGEST_IMAGE:
        raise UserError(f"--image-uri has {len(image)} characters, SageMaker takes {LONGEST_IMAGE}: push it elsewhere")
    channels = request["InputDataConfig"]
    _count("channels", len(channels), MOST_CHANNELS, "put the data together")
    _check_hyperparameters(request["HyperParameters"])
    _check_variables(request["Environment"])
    _check_tags(request["Tags"])
    _count("metrics", len(request["AlgorithmSpecification"]["MetricDefinitions"]), MOST_METRICS, "leave some out")
    uris = [channel["DataSource"]["S3DataSource"]["S3Uri"] for channel in channels]
    uris += [request["OutputDataConfig"]["S3OutputPath"], request.get("CheckpointConfig", {}).get("S3Uri", "")]
    for uri in uris:
        if len(uri) > LONGEST_URI:
            raise UserError(f"{uri[:80]}… has {len(uri)} characters, S3 takes {LONGEST_URI}: name a shorter --prefix")


def _check_hyperparameters(values: dict[str, str]) -> None:
    _count(
        "hyperparameters", len(values), MOST_HYPERPARAMETERS, "put the settings into a recipe of your own (--config)"
    )
    for key, value in values.items():
        if len(key) > LONGEST_KEY:
            raise UserError(
                f"the hyperparameter {key[:40]}… has a name of {len(key)} characters, SageMaker takes {LONGEST_KEY}"
            )
        if len(value) > LONGEST_VALUE:
            raise UserError(
                f"the hyperparameter {key} has {len(value):,} characters and SageMaker takes {LONGEST_VALUE:,}: put it "
                "into a recipe of your own (--config)"
            )
        if "\n" in key + value:
            raise UserError(f"the hyperparameter {key!r} has more than one line: write it in one")


def _check_variables(values: dict[str, str]) -> None:
    _count("variables (--env)", len(values), MOST_VARIABLES, "leave some out")
    for key, value in values.items():
        if not _VARIABLE.fullmatch(key) or len(key) > LONGEST_VARIABLE:
            raise UserError(f"--env {key[:40]}: a variable's name has letters, digits and _, and begins with no digit")
        if len(value) > LONGEST_VARIABLE:
            raise UserError(f"--env {key} has {len(value)} characters, SageMaker takes {LONGEST_VARIABLE}: shorten it")


def _check_tags(tags: list[dict[str, str]]) -> None:
    _count("tags", len(tags), MOST_TAGS, "leave some out")
    for tag in tags:
        key, value = tag["Key"], tag["Value"]
        if not key or len(key) > LONGEST_TAG_KEY or len(value) > LONGEST_TAG_VALUE:
            raise UserError(
                f"--tags {key[:40]}: AWS takes names of 1 to {LONGEST_TAG_KEY} and values of up to {LONGEST_TAG_VALUE} "
                "characters: shorten it"
            )
        if strange := next((sign for sign in key + value if not _is_in_tags(sign)), ""):
            raise UserError(
                f"--tags {key}={value}: AWS takes letters, digits, blanks and _ . : / = + - @ in a tag, and no "
                f"{strange!r} (U+{ord(strange):04X})"
            )
        if key.lower().startswith("aws:"):
            raise UserError(f"--tags {key}: names that begin with aws: are AWS's own: choose another")


def _is_in_tags(sign: str) -> bool:
    """Letters, digits and blanks of all languages; vowel and tone marks of Thai are none of them."""
    return sign in _TAG_SIGNS or unicodedata.category(sign)[0] in "LNZ"


def _count(what: str, number: int, most: int, remedy: str) -> None:
    if number > most:
        raise UserError(f"the job has {number} {what} and SageMaker takes {most}: {remedy}")


def _channel(name: str, uri: str) -> Request:
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}}


def _output(plan: CloudPlan) -> Request:
    return {"S3OutputPath": str(plan.output), **({"KmsKeyId": plan.kms_key} if plan.kms_key else {})}


def _resources(plan: CloudPlan, rung: Rung) -> Request:
    return {
        "InstanceType": rung.instance,
        "InstanceCount": plan.count,
        "VolumeSizeInGB": rung.volume_gb,
        **({"VolumeKmsKeyId": rung.volume_key} if rung.volume_key else {}),
        **({"KeepAlivePeriodInSeconds": plan.keep_alive_s} if plan.keep_alive_s else {}),
    }


def _stopping(rung: Rung) -> Request:
    waiting = {"MaxWaitTimeInSeconds": rung.max_wait_s} if rung.max_wait_s else {}
    return {"MaxRuntimeInSeconds": rung.max_run_s, **waiting}
