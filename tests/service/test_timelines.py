"""Scripts of jobs, told by DescribeTrainingJob as time passes."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from contract.events import METRIC_DEFINITIONS, parse_event
from tests.service import (
    Line,
    Service,
    capacity_error,
    completed,
    curve,
    downloading,
    failed,
    interrupted,
    max_wait_exceeded,
    pending,
    phase,
    scripted_service,
    starting,
    timeline,
    training,
    uploading,
)
from tests.service.service import plain_request

SPOT = {
    "EnableManagedSpotTraining": True,
    "StoppingCondition": {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200},
}
INTERRUPTED_ONCE = timeline(
    starting(5),
    pending(60),
    downloading(30),
    training(300, curve(1, 30, total=60)),
    interrupted(120),
    starting(5),
    downloading(20),
    training(400, curve(26, 60, resumed=25)),
    uploading(10),
    completed(),
    spot_saving=0.7,
)


def describe(service: Service, name: str = "job-1") -> dict[str, Any]:
    return service.client("sagemaker").describe_training_job(TrainingJobName=name)


def test_a_spot_job_from_start_to_end():
    with scripted_service(INTERRUPTED_ONCE, speed=0) as service:
        metrics = plain_request("")["AlgorithmSpecification"] | {"MetricDefinitions": list(METRIC_DEFINITIONS)}
        service.client("sagemaker").create_training_job(
            **plain_request("job-1") | SPOT | {"AlgorithmSpecification": metrics}
        )
        seen = []
        for seconds in (0, 5, 60, 30, 300, 120, 5, 20, 400):
            service.clock.advance(seconds)
            seen.append(describe(service)["SecondaryStatus"])
        assert seen == [
            "Starting", "Pending", "Downloading", "Training", "Interrupted", "Starting", "Downloading", "Training",
            "Uploading",
        ]  # fmt: skip
        service.clock.advance(10)
        job = describe(service)
        assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Completed", "Completed")
        assert job["TrainingTimeInSeconds"] == 30 + 300 + 20 + 400 + 10
        assert job["BillableTimeInSeconds"] == round(760 * 0.3)
        assert (job["TrainingEndTime"] - job["CreationTime"]).total_seconds() == pytest.approx(950)
        assert (job["TrainingStartTime"] - job["CreationTime"]).total_seconds() == pytest.approx(65)
        assert job["ModelArtifacts"]["S3ModelArtifacts"].endswith("/output/job-1/output/model.tar.gz")
        scores = {metric["MetricName"]: metric["Value"] for metric in job["FinalMetricDataList"]}
        names = {definition["Name"] for definition in METRIC_DEFINITIONS}
        assert set(scores) == {name for name in names if not name.startswith("gpu:")}  # no card's line is in the curve
        assert scores["train:epoch"] == 6
        transitions = job["SecondaryStatusTransitions"]
        assert [each["Status"] for each in transitions] == [*seen, "Completed"]
        assert all(a["EndTime"] == b["StartTime"] for a, b in pairwise(transitions))


def test_on_demand_is_billed_in_full():
    with scripted_service(timeline(downloading(10), training(90), completed()), speed=0) as service:
        service.seed("job-1")
        service.run_to_end()
        assert describe(service)["BillableTimeInSeconds"] == describe(service)["TrainingTimeInSeconds"] == 100


@pytest.mark.parametrize(
    ("end", "status", "reason"),
    [
        (
            failed("AlgorithmError: no such label, exit code: 1"),
            "Failed",
            "AlgorithmError: no such label, exit code: 1",
        ),
        (capacity_error(), "Failed", "CapacityError: Unable to provision requested ML compute capacity."),
        (max_wait_exceeded(), "Stopped", None),
    ],
)
def test_ends(end: Any, status: str, reason: str | None):
    with scripted_service(timeline(starting(5), pending(600), end), speed=0) as service:
        service.seed("job-1")
        service.run_to_end()
        job = describe(service)
        assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == (status, end.status)
        assert job.get("FailureReason", "").startswith(reason or "")
        assert not {"TrainingStartTime", "BillableTimeInSeconds", "ModelArtifacts"} & set(job), "no machine was there"


def test_jobs_follow_the_scripts_in_order():
    with scripted_service(timeline(pending(1), capacity_error()), timeline(training(1), completed())) as service:
        assert [service.seed(name).request["TrainingJobName"] for name in ("a", "b", "c")] == ["a", "b", "c"]
        assert [service.run_to_end(name).status for name in ("a", "b", "c")] == ["Failed", "Completed", "Completed"]
        service.plan(timeline(failed("ClientError: planned")))
        assert service.seed("d").reason == "ClientError: planned"


def test_stop_is_honoured():
    script = timeline(training(100, curve(1, 60)), completed(), stop_s=20, on_stop=(Line(5, "saved"),))
    with scripted_service(script, speed=0) as service:
        sagemaker = service.client("sagemaker")
        service.seed("job-1")
        service.clock.advance(50)
        sagemaker.stop_training_job(TrainingJobName="job-1")
        sagemaker.stop_training_job(TrainingJobName="job-1")  # again: no harm
        job = describe(service)
        assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopping", "Stopping")
        service.clock.advance(20)
        job = describe(service)
        assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "Stopped")
        assert job["TrainingTimeInSeconds"] == 70
        assert service.job("job-1").lines[-1] == "saved"
        with pytest.raises(sagemaker.exceptions.ClientError, match="because the training job is in status Stopped"):
            sagemaker.stop_training_job(TrainingJobName="job-1")


@pytest.mark.parametrize(
    ("conditions", "status", "after"),
    [
        ({"MaxRuntimeInSeconds": 200}, "MaxRuntimeExceeded", 95 + 170),  # 30 s of downloading count
        ({"MaxRuntimeInSeconds": 200, "MaxWaitTimeInSeconds": 250}, "MaxWaitTimeExceeded", 250),
        ({"MaxRuntimeInSeconds": 400}, "MaxRuntimeExceeded", 95 + 300 + 120 + 5 + 20 + 50),
    ],
)
def test_limits_end_a_job_that_is_too_long(conditions: dict[str, int], status: str, after: float):
    with scripted_service(INTERRUPTED_ONCE.but(stop_s=7), speed=0) as service:
        service.seed("job-1", EnableManagedSpotTraining=True, StoppingCondition=conditions)
        service.run_to_end()
        job = describe(service)
        assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", status)
        assert (job["TrainingEndTime"] - job["CreationTime"]).total_seconds() == pytest.approx(after + 7)


def test_the_clock_runs_as_fast_as_one_likes():
    with scripted_service(timeline(training(600), completed()), speed=3000) as service:
        service.seed("job-1")
        assert service.wait_for("job-1", timeout_s=10).seconds_on_machines() == 600


def test_every_look_at_a_job_may_move_the_clock():
    with scripted_service(
        timeline(pending(60), training(60), completed()), speed=0, seconds_per_describe=30
    ) as service:
        service.seed("job-1")
        seen = [describe(service)["SecondaryStatus"] for _ in range(4)]
        assert seen == ["Pending", "Training", "Training", "Completed"]


def test_the_date_header_is_the_services_time():
    with scripted_service(speed=0) as service:
        service.clock.advance(86400 * 365)
        answer = service.client("sts").get_caller_identity()
        assert "2027" in answer["ResponseMetadata"]["HTTPHeaders"]["date"]


def test_statuses_of_the_future():
    with scripted_service(timeline(phase("Levitating", 60, message="up"), completed()), speed=0) as service:
        service.seed("job-1")
        assert describe(service)["SecondaryStatus"] == "Levitating"
        assert describe(service)["SecondaryStatusTransitions"][0]["StatusMessage"] == "up"


def test_a_curve_has_the_same_numbers_after_an_interruption():
    def steps(lines: list[str]) -> dict[Any, Any]:
        events = [event for event in map(parse_event, lines) if event and event["event"] in ("train", "eval")]
        return {(event["event"], event["step"]): event for event in events}

    whole, first, second = curve(1, 60), curve(1, 30, total=60), curve(26, 60, resumed=25)
    assert steps(first) | steps(second) == steps(whole)
    assert {step for kind, step in steps(whole) if kind == "train"} == set(range(1, 61))
    assert [parse_event(line)["event"] for line in second[:2]] == ["job", "resume"]
    assert parse_event(whole[-1])["event"] == "done"


def test_a_timeline_needs_an_end():
    with pytest.raises(TypeError, match="one end"):
        timeline(training(5))
