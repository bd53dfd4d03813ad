"""What AWS refuses in CreateTrainingJob beyond the shape of the request."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from tests.service.quotas import quota_name
from tests.service.refusal import Refusal

if TYPE_CHECKING:
    from tests.service.service import Service

# Families with storage of their own: its size is fixed and it cannot be encrypted with a key of the customer.
FIXED_STORAGE = re.compile(r"ml\.(g4dn|g5|g6e?|g7e?|p3dn|p4de?|p5(e|en)?|p6-\w+|c5d|m5d|r5d|trn1n?|trn2)\.")

ECR_URI = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?/"
    r"(?P<repository>[^:@]+)(?::(?P<tag>[^@]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


def check_create(service: Service, region: str, body: dict[str, Any]) -> None:
    """Raises Refusal."""
    _check_members(body)
    _check_times(body)
    _check_resources(body)
    _check_channels(body)
    if service.strict:
        _check_role(service, body["RoleArn"])
        _check_image(service, region, body["AlgorithmSpecification"]["TrainingImage"])
    _check_quota(service, region, body)


def _check_members(body: dict[str, Any]) -> None:
    for member in ("AlgorithmSpecification", "ResourceConfig", "StoppingCondition"):
        if member not in body:
            raise _invalid(f"{member} is required")
    algorithm = body["AlgorithmSpecification"]
    if ("TrainingImage" in algorithm) == ("AlgorithmName" in algorithm):
        raise _invalid("Exactly one of TrainingImage and AlgorithmName must be given in AlgorithmSpecification")


def _check_times(body: dict[str, Any]) -> None:
    conditions = body["StoppingCondition"]
    wait, run = conditions.get("MaxWaitTimeInSeconds"), conditions.get("MaxRuntimeInSeconds", 86400)
    if body.get("EnableManagedSpotTraining"):
        if wait is None or wait < run:
            raise _invalid(
                "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds"
            )
    elif wait is not None:
        raise _invalid("MaxWaitTimeInSeconds is only supported when EnableManagedSpotTraining is true")


def _check_resources(body: dict[str, Any]) -> None:
    resources = body["ResourceConfig"]
    instance = resources.get("InstanceType")
    if instance is None and not resources.get("InstanceGroups") and not resources.get("InstancePreferences"):
        raise _invalid("One of InstanceType, InstanceGroups and InstancePreferences must be given in ResourceConfig")
    if instance and "InstanceCount" not in resources:
        raise _invalid("InstanceCount is required in ResourceConfig")
    if instance and FIXED_STORAGE.match(instance):
        if "VolumeKmsKeyId" in resources:
            raise _invalid(f"VolumeKmsKeyId is not supported for instance type {instance}")
    elif "VolumeSizeInGB" not in resources:
        raise _invalid("VolumeSizeInGB is required in ResourceConfig")
    if body.get("EnableManagedSpotTraining") and resources.get("KeepAlivePeriodInSeconds"):
        raise _invalid("KeepAlivePeriodInSeconds is not supported with EnableManagedSpotTraining")


def _check_channels(body: dict[str, Any]) -> None:
    names = [channel["ChannelName"] for channel in body.get("InputDataConfig", ())]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise _invalid(f"Channel names must be unique, {min(twice)} is given more than once")


def _check_role(service: Service, arn: str) -> None:
    iam = service.own_client("iam")
    try:
        trust = iam.get_role(RoleName=arn.rpartition("/")[2])["Role"]["AssumeRolePolicyDocument"]
    except iam.exceptions.NoSuchEntityException:
        trust = {}
    if "sagemaker.amazonaws.com" not in json.dumps(trust):
        raise _invalid(
            f"Could not assume role {arn}. Please ensure that the role exists and allows principal "
            "'sagemaker.amazonaws.com' to assume the role."
        )


def _check_image(service: Service, region: str, uri: str) -> None:
    where = ECR_URI.fullmatch(uri)
    if not where or where["region"] != region:
        raise _invalid(f"Invalid image URI {uri}. Please provide a valid Amazon ECR path in {region}.")
    image = {"imageDigest": where["digest"]} if where["digest"] else {"imageTag": where["tag"] or "latest"}
    ecr = service.own_client("ecr", region)
    try:
        ecr.describe_images(registryId=where["account"], repositoryName=where["repository"], imageIds=[image])
    except (ecr.exceptions.RepositoryNotFoundException, ecr.exceptions.ImageNotFoundException):
        raise _invalid(f"Requested image {uri} not found.") from None


def _check_quota(service: Service, region: str, body: dict[str, Any]) -> None:
    resources = body["ResourceConfig"]
    if "InstanceType" not in resources:
        return
    spot = bool(body.get("EnableManagedSpotTraining"))
    wanted, name = resources["InstanceCount"], quota_name(resources["InstanceType"], spot=spot)
    service.catch_up()
    used = sum(
        job.request["ResourceConfig"]["InstanceCount"]
        for job in service.jobs.values()
        if job.region == region
        and not job.is_over
        and job.spot == spot
        and job.request["ResourceConfig"].get("InstanceType") == resources["InstanceType"]
    )
    limit = service.quotas.get(name, 0)
    if used + wanted > limit:
        raise Refusal(
            "ResourceLimitExceeded",
            f"The account-level service limit '{name}' is {limit:g} Instances, with current utilization of {used} "
            f"Instances and a request delta of {wanted} Instances. Please use AWS Service Quotas to request an "
            "increase for this quota. If AWS Service Quotas is not available, contact AWS support to request an "
            "increase for this quota.",
        )


def _invalid(message: str) -> Refusal:
    return Refusal("ValidationException", message)
