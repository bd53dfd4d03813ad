"""A job on SageMaker, as DescribeTrainingJob tells it, and the jobs of a run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from contract.errors import UserError
from launcher.aws import Account, error_code, explained
from launcher.cloud.layout import is_job_name, job_stem
from launcher.settings import check_run

IN_PROGRESS, COMPLETED, FAILED, STOPPING, STOPPED = "InProgress", "Completed", "Failed", "Stopping", "Stopped"
DELETING = "Deleting"
AVAILABLE = "Available"  # of a warm pool
RUN_HYPERPARAMETER = "run_id"
ROWS = 100  # the most that ListTrainingJobs gives at once

_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
_ARN = re.compile(r"arn:aws[a-z-]*:sagemaker:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):training-job/(?P<name>.+)")


@dataclass(frozen=True)
class Transition:
    """One secondary status, and since when."""

    status: str
    start: datetime | None
    end: datetime | None
    message: str


@dataclass(frozen=True)
class Job:
    """What is known of a job; None and empty: SageMaker has not said."""

    name: str
    arn: str
    run: str  # hyperparameter run_id; empty: it names no run of ours, whose name is that of a folder too
    status: str  # InProgress, Completed, Failed, Stopping, Stopped, or one that is not known yet
    secondary: str
    reason: str  # FailureReason
    created: datetime | None
    start: datetime | None  # billing begins
    end: datetime | None
    billable_s: int | None  # of one machine; with Spot already less than training_s
    training_s: int | None
    spot: bool
    instance: str
    count: int
    image: str
    max_run_s: int | None
    max_wait_s: int | None
    model_uri: str
    checkpoint_uri: str
    output_uri: str
    hyperparameters: tuple[tuple[str, str], ...]
    channels: tuple[tuple[str, str], ...]  # name, folder in S3
    scores: tuple[tuple[str, float], ...]  # the last value of each metric of contract/events.py
    transitions: tuple[Transition, ...]
    keep_alive_s: int  # --keep-alive: for how long the machine stays after the job, and is paid
    warm_pool: str  # WarmPoolStatus: Available, Reused, InUse, Terminated; empty: there is none
    kept_s: int  # billed of the machine that stayed; of one machine
    seen: datetime = field(compare=False)  # AWS's own time of this answer: the clock of this machine may be wrong

    @property
    def is_over(self) -> bool:
        """Terminal: nothing of it will change, and nothing more is paid but for a machine that stays warm."""
        return self.status in (COMPLETED, FAILED, STOPPED, DELETING)

    @property
    def region(self) -> str:
        match = _ARN.fullmatch(self.arn)
        return match["region"] if match else ""

    @property
    def warm_until(self) -> datetime | None:
        """Until when its machine waits for another job, and is paid; None: it does not wait."""
        if self.warm_pool != AVAILABLE or self.end is None:
            return None
        return self.end.astimezone(timezone.utc) + timedelta(seconds=self.keep_alive_s)

    @property
    def interruptions(self) -> int:
        """How often Spot has taken the machine away."""
        return sum(transition.status == "Interrupted" for transition in self.transitions)

    @property
    def lacks_capacity(self) -> bool:
        """It failed because AWS has no such machine to spare now; another type or a later try may do."""
        return self.status == FAILED and self.reason.startswith("CapacityError")

    def seconds_in(self, statuses: tuple[str, ...]) -> float:
        """How long it has been in these secondary statuses, all attempts together."""
        ended = self.end if self.is_over and self.end else self.seen
        return sum(
            max(0.0, ((each.end or ended) - each.start).total_seconds())
            for each in self.transitions
            if each.status in statuses and each.start
        )


def read_job(description: Mapping[str, Any]) -> Job:
    """A Job from the answer of DescribeTrainingJob, whatever is missing in it."""
    resources = description.get("ResourceConfig") or {}
    stopping = description.get("StoppingCondition") or {}
    parameters = description.get("HyperParameters") or {}
    warm = description.get("WarmPoolStatus") or {}
    return Job(
        name=description["TrainingJobName"],
        arn=description.get("TrainingJobArn", ""),
        run=_our_run(parameters.get(RUN_HYPERPARAMETER, "")),
        status=description.get("TrainingJobStatus", ""),
        secondary=description.get("SecondaryStatus", ""),
        reason=" ".join(description.get("FailureReason", "").split()),
        created=description.get("CreationTime"),
        start=description.get("TrainingStartTime"),
        end=description.get("TrainingEndTime"),
        billable_s=description.get("BillableTimeInSeconds"),
        training_s=description.get("TrainingTimeInSeconds"),
        spot=bool(description.get("EnableManagedSpotTraining")),
        instance=resources.get("SelectedInstanceType") or resources.get("InstanceType", ""),
        count=resources.get("SelectedInstanceCount") or resources.get("InstanceCount") or 1,
        image=(description.get("AlgorithmSpecification") or {}).get("TrainingImage", ""),
        max_run_s=stopping.get("MaxRuntimeInSeconds"),
        max_wait_s=stopping.get("MaxWaitTimeInSeconds"),
        model_uri=(description.get("ModelArtifacts") or {}).get("S3ModelArtifacts", ""),
        checkpoint_uri=(description.get("CheckpointConfig") or {}).get("S3Uri", ""),
        output_uri=(description.get("OutputDataConfig") or {}).get("S3OutputPath", ""),
        hyperparameters=tuple(sorted(parameters.items())),
        channels=tuple(
            (channel.get("ChannelName", ""), source["S3Uri"])
            for channel in description.get("InputDataConfig") or ()
            if (source := (channel.get("DataSource") or {}).get("S3DataSource"))
        ),
        scores=tuple(
            (metric["MetricName"], metric["Value"])
            for metric in description.get("FinalMetricDataList") or ()
            if "MetricName" in metric and "Value" in metric
        ),
        transitions=tuple(
            Transition(
                each.get("Status", ""), each.get("StartTime"), each.get("EndTime"), each.get("StatusMessage", "")
            )
            for each in description.get("SecondaryStatusTransitions") or ()
        ),
        keep_alive_s=resources.get("KeepAlivePeriodInSeconds") or 0,
        warm_pool=warm.get("Status", ""),
        kept_s=warm.get("ResourceRetainedBillableTimeInSeconds") or 0,
        seen=_said_at(description),
    )


def describer(account: Account) -> Callable[[str], Job | None]:
    """Describes jobs by name, with one client; None: there is no such job. It raises UserError."""
    from botocore.exceptions import ClientError

    client = account.client("sagemaker")

    def describe(name: str) -> Job | None:
        with explained(f"asking SageMaker about the job {name}"):
            try:
                return read_job(client.describe_training_job(TrainingJobName=name))
            except ClientError as error:
                if is_missing(error):
                    return None
                raise

    return describe


def describe_job(account: Account, name: str) -> Job | None:
    """The job of this name; None: there is none. Raises UserError."""
    return describer(account)(name)


def jobs_of_run(account: Account, run: str) -> list[Job]:
    """All jobs of a run, the oldest first. Raises UserError."""
    names = [name for name in list_job_names(account, job_stem(run)) if is_job_name(name, run)]
    jobs = list(map(describer(account), reversed(names)))
    return [job for job in jobs if job and job.run == run]


def current_job(jobs: Sequence[Job]) -> Job:
    """The one that matters of a run's jobs, the oldest first: the newest that is not over, or else the newest."""
    return next((job for job in reversed(jobs) if not job.is_over), jobs[-1])


def find_job(account: Account, named: str) -> Job:
    """The current job of a run, or the job of this name or ARN. Raises UserError."""
    arn = _ARN.fullmatch(named)
    if arn and arn["region"] != account.region:
        raise UserError(f"{named} is a job in {arn['region']}: give --region {arn['region']}")
    if arn and arn["account"] != account.id:
        raise UserError(f"{named} belongs to the account {arn['account']}, these credentials to {account.id}")
    if not arn and (jobs := jobs_of_run(account, named)):
        return current_job(jobs)
    name = arn["name"] if arn else named
    job = describe_job(account, name) if _NAME.fullmatch(name) else None
    if job is None:
        raise UserError(
            f"there is no run and no job {named!r} in {account.region} of the account {account.id}: "
            "`python -m launcher list` shows what there is"
        )
    return job


def list_job_names(account: Account, contains: str = "") -> Iterator[str]:
    """Names of jobs, the newest first, in pages as they are needed. Raises UserError."""
    named = {"NameContains": contains} if contains else {}
    with explained("listing the training jobs"):
        pages = account.client("sagemaker").get_paginator("list_training_jobs")
        for page in pages.paginate(SortBy="CreationTime", SortOrder="Descending", MaxResults=ROWS, **named):
            for summary in page["TrainingJobSummaries"]:
                yield summary["TrainingJobName"]


def is_missing(error: Exception) -> bool:
    """SageMaker knows no such job. It says so with a ValidationException, told from others by its words alone."""
    words = str(error).lower()
    return error_code(error) == "ResourceNotFound" or (
        error_code(error) == "ValidationException" and ("not found" in words or "could not find" in words)
    )


def _our_run(named: str) -> str:
    try:
        return check_run(named)
    except UserError:
        return ""


def _said_at(answer: Mapping[str, Any]) -> datetime:
    said = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
    try:
        return parsedate_to_datetime(said)
    except ValueError:
        return datetime.now(timezone.utc)
