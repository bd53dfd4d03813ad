"""The calls of SageMaker that have to do with training jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.service.create_rules import check_create
from tests.service.paging import page_of
from tests.service.refusal import Refusal
from tests.service.training_job import TrainingJob

if TYPE_CHECKING:
    from tests.service.service import Service

NAME = "sagemaker"
PAGE = 10  # rows of ListTrainingJobs when MaxResults does not say

Body = dict[str, Any]


def create_training_job(service: Service, region: str, body: Body) -> Body:
    name = body["TrainingJobName"]
    if known := service.jobs.get((region, name)):
        raise Refusal(
            "ResourceInUse",
            "Training job names must be unique within an AWS account and region, and a training job with this name "
            f"already exists ({known.arn})",
        )
    check_create(service, region, body)
    return {"TrainingJobArn": service.begin(body, region).arn}


def describe_training_job(service: Service, region: str, body: Body) -> Body:
    service.clock.advance(service.seconds_per_describe)
    job = _job(service, region, body["TrainingJobName"])
    return job.description(service.clock.now())


def stop_training_job(service: Service, region: str, body: Body) -> None:
    job = _job(service, region, body["TrainingJobName"])
    if job.is_over:
        raise _invalid(f"The request was rejected because the training job is in status {job.status}.")
    service.runs[job.region, job.name].stop(service.clock.now())
    service.catch_up()


def delete_training_job(service: Service, region: str, body: Body) -> None:
    job = _job(service, region, body["TrainingJobName"])
    if not job.is_over:
        raise Refusal("ResourceInUse", f"The training job {job.name} is in status {job.status} and cannot be deleted.")
    del service.jobs[region, job.name]


def update_training_job(service: Service, region: str, body: Body) -> Body:
    job = _job(service, region, body["TrainingJobName"])
    keep_alive = body.get("ResourceConfig", {}).get("KeepAlivePeriodInSeconds")
    if keep_alive is not None:
        now = service.clock.now()
        if job.is_over and (job.warm_until is None or job.warm_until <= now):
            raise _invalid("Training job is not in a state that allows its warm pool to be updated.")
        job.request["ResourceConfig"]["KeepAlivePeriodInSeconds"] = keep_alive
        if job.ended is not None:
            job.warm_until = max(now, job.ended + keep_alive)
    for member in ("ProfilerConfig", "ProfilerRuleConfigurations", "RemoteDebugConfig"):
        if member in body:
            job.request[member] = body[member]
    return {"TrainingJobArn": job.arn}


def list_training_jobs(service: Service, region: str, body: Body) -> Body:
    service.catch_up()
    rows = [job for (place, _), job in service.jobs.items() if place == region and _is_wanted(job, body)]
    order = {"Name": lambda job: job.name, "Status": lambda job: job.status}.get(
        body.get("SortBy", ""), lambda job: job.created
    )
    rows.sort(key=order, reverse=body.get("SortOrder") == "Descending")
    page, token = page_of(rows, body.get("NextToken"), body.get("MaxResults", PAGE), _invalid("Invalid NextToken."))
    answer: Body = {"TrainingJobSummaries": [job.summary() for job in page]}
    return answer | {"NextToken": token} if token else answer


def add_tags(service: Service, region: str, body: Body) -> Body:
    job = _by_arn(service, region, body["ResourceArn"])
    job.tags |= {tag["Key"]: tag["Value"] for tag in body["Tags"]}
    return {"Tags": _tags(job)}


def list_tags(service: Service, region: str, body: Body) -> Body:
    tags = _tags(_by_arn(service, region, body["ResourceArn"]))
    page, token = page_of(tags, body.get("NextToken"), body.get("MaxResults", 50), _invalid("Invalid NextToken."))
    return {"Tags": list(page)} | ({"NextToken": token} if token else {})


OPERATIONS = {
    "CreateTrainingJob": create_training_job,
    "DescribeTrainingJob": describe_training_job,
    "StopTrainingJob": stop_training_job,
    "DeleteTrainingJob": delete_training_job,
    "UpdateTrainingJob": update_training_job,
    "ListTrainingJobs": list_training_jobs,
    "AddTags": add_tags,
    "ListTags": list_tags,
}


def _job(service: Service, region: str, name: str) -> TrainingJob:
    service.catch_up()
    try:
        return service.jobs[region, name]
    except KeyError:
        raise _invalid("Requested resource not found.") from None


def _by_arn(service: Service, region: str, arn: str) -> TrainingJob:
    found = next((job for job in service.jobs.values() if job.arn == arn and job.region == region), None)
    if found is None:
        raise _invalid(f"Invalid ResourceArn: {arn}")
    return found


def _is_wanted(job: TrainingJob, filters: Body) -> bool:
    created_before = filters.get("CreationTimeBefore", float("inf"))
    changed_before = filters.get("LastModifiedTimeBefore", float("inf"))
    return (
        filters.get("NameContains", "").lower() in job.name.lower()
        and filters.get("StatusEquals", job.status) == job.status
        and filters.get("CreationTimeAfter", 0) <= job.created <= created_before
        and filters.get("LastModifiedTimeAfter", 0) <= job.changed <= changed_before
    )


def _tags(job: TrainingJob) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in job.tags.items()]


def _invalid(message: str) -> Refusal:
    return Refusal("ValidationException", message)
