"""Jobs that really train: our container as a process on a machine that SageMaker takes away."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from contract.paths import MODEL_FILES
from tests.container.jobs import draw_dataset
from tests.service import Service, TrainingInstance, scripted_service
from tests.service.digits import BUCKET, checkpoints, create, events, model_of, put_dataset
from tests.service.s3_folders import Prefix

STARTS_WITHIN_S = 120
ENDS_WITHIN_S = 240


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_dataset(tmp_path_factory.mktemp("data") / "digits", train=20, val=6)


@pytest.fixture
def service(dataset: Path) -> Iterator[Service]:
    with scripted_service(TrainingInstance()) as service:
        put_dataset(service, dataset)
        yield service


def wait_until(true: Callable[[], object]) -> None:
    ends = time.monotonic() + STARTS_WITHIN_S
    while not true():
        assert time.monotonic() < ends, "it has not come"
        time.sleep(0.1)


@pytest.mark.slow
def test_interrupted_and_killed_it_ends_with_the_weights_of_a_run_that_was_not(service: Service):
    service.plan(TrainingInstance(interrupt_at=(3,), kill_at=(6,), spot_saving=0.6), TrainingInstance())
    job = service.wait_for(create(service, "cut"), timeout_s=ENDS_WITHIN_S)
    assert job.status == "Completed", job.reason
    assert job.statuses == [
        "Starting", "Pending", "Downloading", "Training", "Interrupted",
        "Starting", "Pending", "Downloading", "Training", "Interrupted",
        "Starting", "Pending", "Downloading", "Training", "Uploading", "Completed",
    ]  # fmt: skip
    assert len(job.streams) == 3
    first, second = (event["step"] for event in events(job, "resume"))
    assert first >= 3, "the step under way was finished, saved and copied"
    assert 3 <= second <= 6, "nobody told the second machine: what S3 had by then is what is left"
    assert {event["step"] for event in events(job, "train")} == set(range(1, 10))
    described = service.client("sagemaker").describe_training_job(TrainingJobName=job.name)
    assert described["BillableTimeInSeconds"] == round(described["TrainingTimeInSeconds"] * 0.4)
    assert {"train:loss", "eval:acc"} <= {metric["MetricName"] for metric in described["FinalMetricDataList"]}

    whole = service.wait_for(create(service, "whole"), timeout_s=ENDS_WITHIN_S)
    assert whole.status == "Completed", whole.reason
    ours, theirs = model_of(service, job), model_of(service, whole)
    assert {name.partition("/")[0] for name in ours} == set(MODEL_FILES)
    weights = "best_accuracy.pdparams"
    assert hashlib.sha256(ours[weights]).digest() == hashlib.sha256(theirs[weights]).digest()
    # a machine that was killed before it had saved anything is known to nobody
    assert json.loads(ours["run.json"])["resumes"] == sorted({first, second})

    found = checkpoints(service, "cut")
    assert {f"step-000000009/{name}" for name in ("model.pdparams", "state.json", "MANIFEST.json")} <= found
    assert len({name.partition("/")[0] for name in found if name.startswith("step-")}) == 2, (
        "the older ones are deleted"
    )
    assert not [name for name in found if name.startswith(".tmp")]


@pytest.mark.slow
@pytest.mark.parametrize("by", ["stop", "limit"])
def test_a_job_that_must_end_saves_and_leaves_what_it_has(service: Service, by: str):
    name = create(service, "long", epochs="400", eval_steps="2")
    wait_until(lambda: events(service.job(name), "eval"))
    sagemaker = service.client("sagemaker")
    if by == "stop":
        sagemaker.stop_training_job(TrainingJobName=name)
        assert sagemaker.describe_training_job(TrainingJobName=name)["TrainingJobStatus"] == "Stopping"
    else:
        service.clock.advance(3600)
    job = service.wait_for(name, timeout_s=ENDS_WITHIN_S)
    assert (job.status, job.secondary) == ("Stopped", "Stopped" if by == "stop" else "MaxRuntimeExceeded")
    saved = events(job, "interrupted")[-1]["step"]
    assert f"step-{saved:09d}/MANIFEST.json" in checkpoints(service, "long")
    assert json.loads(model_of(service, job)["run.json"])["status"] == "stopped"


def test_a_refusal_of_the_container_is_the_failure_reason(service: Service):
    job = service.wait_for(create(service, "typo", batchsize="8"), timeout_s=ENDS_WITHIN_S)
    assert job.status == "Failed"
    assert job.reason.startswith("AlgorithmError: ")
    assert "batch_size" in job.reason
    assert job.reason.endswith(", exit code: 1")
    assert not list(Prefix.of(job.artifact).keys(service.own_client("s3")))


@pytest.mark.parametrize("bucket", [BUCKET, "no-such-bucket"])
def test_a_channel_without_data_fails_the_job(service: Service, bucket: str):
    uri = f"s3://{bucket}/nowhere/"
    job = service.wait_for(create(service, "nothing", uri=uri), timeout_s=ENDS_WITHIN_S)
    assert job.status == "Failed"
    assert job.reason.startswith(f'ClientError: Data download failed:No S3 objects found under S3 URL "{uri}"')
    assert job.lines == []


def test_a_job_that_waits_for_capacity_can_be_stopped(service: Service):
    service.plan(TrainingInstance(waits_s=600))
    name = create(service, "waits")
    wait_until(lambda: service.job(name).secondary == "Pending")
    service.client("sagemaker").stop_training_job(TrainingJobName=name)
    job = service.wait_for(name, timeout_s=10)
    assert (job.status, job.started, job.left_a_model) == ("Stopped", None, False)


def test_a_job_that_waits_too_long_is_given_up(service: Service):
    service.plan(TrainingInstance(waits_s=100_000))
    name = create(service, "waits")
    wait_until(lambda: service.job(name).secondary == "Pending")
    service.clock.advance(7201)
    assert service.wait_for(name, timeout_s=10).secondary == "MaxWaitTimeExceeded"


def test_nothing_of_a_job_outlives_the_service(dataset: Path):
    with scripted_service(TrainingInstance(waits_s=600)) as service:
        service.make_bucket(BUCKET)
        name = create(service, "left")
        run = service.runs[service.region, name]
    assert not run.is_alive()


def test_what_machines_do_is_not_counted_as_the_clients(service: Service):
    service.wait_for(create(service, "typo", batchsize="8"), timeout_s=ENDS_WITHIN_S)
    assert [request.operation for request in service.requests()] == ["CreateTrainingJob"]
