"""The record of one training job: what was asked for, and what has become of it. Scripts write it, calls read it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from tests.service.timeline import MESSAGES

ACCOUNT = "123456789012"
FAILURE_REASON_LIMIT = 1024

ON_A_MACHINE = ("Downloading", "Training", "Uploading", "Stopping")  # Stopping only where there was one before
STATUS_AT_THE_END = {
    "Completed": "Completed",
    "Failed": "Failed",
    "Stopped": "Stopped",
    "MaxRuntimeExceeded": "Stopped",
    "MaxWaitTimeExceeded": "Stopped",
}

# Of the request, what DescribeTrainingJob does not repeat.
_NOT_REPEATED = ("Tags", "SessionChainingConfig")


@dataclass(frozen=True)
class LogEvent:
    at: float
    shown_at: float
    text: str


@dataclass(eq=False)
class LogStream:
    """The output of one container on one host."""

    name: str
    created: float
    events: list[LogEvent] = field(default_factory=list)

    def shown(self, now: float) -> list[LogEvent]:
        return [event for event in self.events if event.shown_at <= now]


@dataclass
class Transition:
    status: str
    start: float
    message: str
    end: float | None = None


class TrainingJob:
    """A job from its creation to its end. Every method is called with the service's lock held."""

    def __init__(self, request: dict[str, Any], region: str, created: float) -> None:
        self.request = request
        self.name: str = request["TrainingJobName"]
        self.region = region
        self.arn = f"arn:aws:sagemaker:{region}:{ACCOUNT}:training-job/{self.name}"
        self.created = self.changed = created
        self.status = "InProgress"
        self.reason = ""
        self.transitions: list[Transition] = []
        self.streams: list[LogStream] = []
        self.metrics: dict[str, tuple[float, float]] = {}  # name: the last value, and when
        self.tags: dict[str, str] = {tag["Key"]: tag["Value"] for tag in request.get("Tags", ())}
        self.spot_saving = 0.0
        self.left_a_model = False
        self.warm_until: float | None = None
        self._patterns = [
            (definition["Name"], re.compile(definition["Regex"]))
            for definition in request.get("AlgorithmSpecification", {}).get("MetricDefinitions", ())
        ]

    # ---- what scripts write

    def enter(self, status: str, at: float, message: str = "") -> None:
        """A new secondary status begins; the one before it ends."""
        if self.transitions:
            self.transitions[-1].end = at
        self.transitions.append(Transition(status, at, message or MESSAGES.get(status, status)))
        self.changed = at
        if status == "Stopping":
            self.status = "Stopping"

    def open_streams(self, at: float) -> None:
        """Containers start: one stream per host, named after the second."""
        second = int(at)
        while any(stream.name.endswith(f"-{second}") for stream in self.streams):
            second += 1
        hosts = self.request["ResourceConfig"].get("InstanceCount", 1)
        for host in range(1, hosts + 1):
            self.streams.append(LogStream(f"{self.name}/algo-{host}-{second}", at))
            if host > 1:
                self.streams[-1].events.append(LogEvent(at, at, f"algo-{host} of {hosts} hosts"))

    def say(self, text: str, at: float, delay_s: float = 0.0) -> None:
        """A line of the newest container of the first host."""
        stream = next(each for each in reversed(self.streams) if "/algo-1-" in each.name)
        stream.events.append(LogEvent(at, at + delay_s, text))
        for name, pattern in self._patterns:
            if (found := pattern.search(text)) and (value := _number(found[1])) is not None:
                self.metrics[name] = (value, at)

    def finish(self, status: str, at: float, reason: str = "", *, left_a_model: bool = True) -> None:
        """The last secondary status."""
        self.enter(status, at)
        self.transitions[-1].end = at
        self.status = STATUS_AT_THE_END[status]
        self.reason = reason[:FAILURE_REASON_LIMIT]
        self.left_a_model = left_a_model and self.status != "Failed" and self.started is not None
        keep_alive = self.request["ResourceConfig"].get("KeepAlivePeriodInSeconds")
        if keep_alive and self.status == "Completed":
            self.warm_until = at + keep_alive

    # ---- what calls and tests read

    @property
    def is_over(self) -> bool:
        return self.status in STATUS_AT_THE_END.values()

    @property
    def secondary(self) -> str:
        return self.transitions[-1].status if self.transitions else "Starting"

    @property
    def statuses(self) -> list[str]:
        """The secondary statuses so far, in order."""
        return [transition.status for transition in self.transitions]

    @property
    def spot(self) -> bool:
        return bool(self.request.get("EnableManagedSpotTraining"))

    @property
    def started(self) -> float | None:
        """When the first machine was there."""
        return next((each.start for each in self.transitions if each.status in ON_A_MACHINE[:3]), None)

    @property
    def ended(self) -> float | None:
        return self.transitions[-1].end if self.is_over else None

    @property
    def lines(self) -> list[str]:
        """Everything that the first host's containers have printed, all restarts joined."""
        return [event.text for stream in self.streams if "/algo-1-" in stream.name for event in stream.events]

    @property
    def artifact(self) -> str:
        """The S3 URI of model.tar.gz."""
        return f"{self.request['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{self.name}/output/model.tar.gz"

    def seconds_on_machines(self) -> int:
        """TrainingTimeInSeconds of a job that is over."""
        if self.started is None:
            return 0
        times = ((each.end or each.start) - each.start for each in self.transitions if each.status in ON_A_MACHINE)
        return round(sum(times))

    def billable_seconds(self) -> int:
        trained = self.seconds_on_machines()
        return round(trained * (1 - self.spot_saving)) if self.spot else trained

    def description(self, now: float) -> dict[str, Any]:
        """The answer of DescribeTrainingJob."""
        answer: dict[str, Any] = {key: value for key, value in self.request.items() if key not in _NOT_REPEATED}
        answer |= {
            "TrainingJobArn": self.arn,
            "TrainingJobStatus": self.status,
            "SecondaryStatus": self.secondary,
            "CreationTime": self.created,
            "LastModifiedTime": self.changed,
            "SecondaryStatusTransitions": [_transition(each) for each in self.transitions],
        }
        answer["InputDataConfig"] = [
            {"CompressionType": "None", "RecordWrapperType": "None"} | channel
            for channel in self.request.get("InputDataConfig", ())
        ]
        algorithm = self.request.get("AlgorithmSpecification", {})
        answer["AlgorithmSpecification"] = {
            "EnableSageMakerMetricsTimeSeries": bool(algorithm.get("MetricDefinitions"))
        } | algorithm
        if self.started is not None:
            answer["TrainingStartTime"] = self.started
        if self.ended is not None:
            answer["TrainingEndTime"] = self.ended
            if self.started is not None:
                answer["TrainingTimeInSeconds"] = self.seconds_on_machines()
                answer["BillableTimeInSeconds"] = self.billable_seconds()
        if self.reason:
            answer["FailureReason"] = self.reason
        if self.left_a_model:
            answer["ModelArtifacts"] = {"S3ModelArtifacts": self.artifact}
        if self.metrics:
            answer["FinalMetricDataList"] = [
                {"MetricName": name, "Value": value, "Timestamp": at} for name, (value, at) in self.metrics.items()
            ]
        if self.warm_until is not None:
            answer["WarmPoolStatus"] = {
                "Status": "Available" if now < self.warm_until else "Terminated",
                "ResourceRetainedBillableTimeInSeconds": round(min(now, self.warm_until) - (self.ended or now)),
            }
        return answer

    def summary(self) -> dict[str, Any]:
        """One row of ListTrainingJobs."""
        row = {
            "TrainingJobName": self.name,
            "TrainingJobArn": self.arn,
            "CreationTime": self.created,
            "LastModifiedTime": self.changed,
            "TrainingJobStatus": self.status,
            "SecondaryStatus": self.secondary,
        }
        return row if self.ended is None else row | {"TrainingEndTime": self.ended}


def _number(text: str) -> float | None:
    """CloudWatch takes numbers; what a pattern has caught may be none."""
    try:
        return float(text)
    except ValueError:
        return None


def _transition(each: Transition) -> dict[str, Any]:
    row = {"Status": each.status, "StartTime": each.start, "StatusMessage": each.message}
    return row if each.end is None else row | {"EndTime": each.end}
