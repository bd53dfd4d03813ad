"""The settings of a job on SageMaker, as --from-job and --resume take them: the same data and hyperparameters again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contract.errors import UserError
from contract.hyperparameters import BY_NAME
from contract.paths import PRETRAINED_CHANNEL, TRAINING_CHANNEL, VALIDATION_CHANNEL
from launcher.aws import Account, explained
from launcher.cloud.instances import instance_facts
from launcher.cloud.job import RUN_HYPERPARAMETER, find_job
from launcher.cloud.settings import NO_CHECKPOINTS
from launcher.inputs import RECIPE_CHANNEL, path_in_recipe_channel
from launcher.sources import EarlierJob, Raw

REPEATS, RESUMES = "--from-job", "--resume"


def settings_of_job(account: Account, named: str, flag: str) -> EarlierJob:
    """What a job, or the newest job of a run, was asked for, as the settings of `submit`. Raises UserError."""
    job = find_job(account, named)
    with explained(f"asking SageMaker about the job {job.name}"):
        description = account.client("sagemaker").describe_training_job(TrainingJobName=job.name)
    return read_settings(description, flag)


def read_settings(description: Mapping[str, Any], flag: str = REPEATS) -> EarlierJob:
    """The same from the answer of DescribeTrainingJob. Tags are not in it. Raises UserError.

    A run that is resumed takes today's image if there is one (launcher/cloud/facts.py).
    """
    parameters = dict(description.get("HyperParameters") or {})
    channels = {
        channel["ChannelName"]: channel["DataSource"]["S3DataSource"]["S3Uri"]
        for channel in description.get("InputDataConfig") or ()
        if "S3DataSource" in channel.get("DataSource", {})
    }
    if not parameters.pop(RUN_HYPERPARAMETER, "") or "config" not in parameters or TRAINING_CHANNEL not in channels:
        raise UserError(
            f"{flag} {description['TrainingJobName']}: this launcher did not start it: name one that it did"
        )
    stopping, network = description.get("StoppingCondition") or {}, description.get("VpcConfig") or {}
    given: dict[str, Raw] = {
        "config": _recipe(parameters.pop("config"), channels),
        "override": tuple(f"{key}={value}" for key, value in parameters.items() if key not in BY_NAME),
        "env": tuple(f"{key}={value}" for key, value in (description.get("Environment") or {}).items()),
        "dataset": channels[TRAINING_CHANNEL],
        "image_uri": description["AlgorithmSpecification"].get("TrainingImage", "") if flag == REPEATS else "",
        "role": description.get("RoleArn", ""),
        "spot": _word(description.get("EnableManagedSpotTraining")),
        "network_isolation": _word(description.get("EnableNetworkIsolation")),
        "max_run": _seconds(stopping.get("MaxRuntimeInSeconds")),
        "max_wait": _seconds(stopping.get("MaxWaitTimeInSeconds")),
        "subnets": tuple(network.get("Subnets", ())),
        "security_groups": tuple(network.get("SecurityGroupIds", ())),
        "kms_key": description["OutputDataConfig"].get("KmsKeyId", ""),
        "checkpoint_uri": "" if description.get("CheckpointConfig") else NO_CHECKPOINTS,
        **{key: value for key, value in parameters.items() if key in BY_NAME},
        **{name: channels[name] for name in (VALIDATION_CHANNEL, PRETRAINED_CHANNEL) if name in channels},
        **_resources(description["ResourceConfig"]),
        **_places(description["OutputDataConfig"]["S3OutputPath"]),
    }
    return EarlierJob({key: raw for key, raw in given.items() if raw}, flag, is_repeated=flag == REPEATS)


def _resources(resources: Mapping[str, Any]) -> dict[str, Raw]:
    instance = resources.get("InstanceType") or resources.get("SelectedInstanceType", "")
    own_disk = instance_facts(instance).has_fixed_disk
    return {
        "instance": instance,
        "instance_count": str(resources.get("InstanceCount") or 1),
        "volume_size": "" if own_disk else str(resources.get("VolumeSizeInGB") or ""),
        "keep_alive": _seconds(resources.get("KeepAlivePeriodInSeconds")),
    }


def _places(output: str) -> dict[str, Raw]:
    """`s3://BUCKET/PREFIX/runs/RUN/output/`: where the new run lives too."""
    bucket, _, key = output.removeprefix("s3://").rstrip("/").partition("/")
    *above, runs, _, _ = ["", "", "", *key.split("/")]
    prefix = "/".join(part for part in above if part)
    if runs == "runs" and prefix:
        return {"bucket": bucket, "prefix": prefix}
    return {"bucket": bucket, "output": f"s3://{bucket}/" + "".join(f"{part}/" for part in (*above, runs) if part)}


def _recipe(config: str, channels: Mapping[str, str]) -> str:
    """A recipe that travelled in a channel of its own lies in S3."""
    file_name = config.rpartition("/")[2]
    if RECIPE_CHANNEL in channels and config == path_in_recipe_channel(file_name):
        return f"{channels[RECIPE_CHANNEL].rstrip('/')}/{file_name}"
    return config


def _seconds(value: int | None) -> str:
    return f"{value}s" if value else ""


def _word(value: object) -> str:
    return "true" if value else "false"
