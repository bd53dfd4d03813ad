"""Jobs as SageMaker describes them, and how those of a run are found."""

from __future__ import annotations

from datetime import timedelta

import pytest

from contract.errors import UserError
from launcher.aws import open_account
from launcher.cloud.job import Job, find_job, jobs_of_run, read_job
from tests.launcher.following import JOB, RUN, TWICE_INTERRUPTED, request, service_of
from tests.service import REGION, Service, capacity_error, phase, starting, timeline


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    with service_of(monkeypatch) as service:
        yield service


def described(service: Service, name: str = JOB) -> Job:
    return read_job(service.own_client("sagemaker").describe_training_job(TrainingJobName=name))


def test_a_finished_spot_job(service: Service) -> None:
    service.seed(JOB, TWICE_INTERRUPTED, **request())
    service.run_to_end(JOB)
    job = described(service)
    assert (job.run, job.status, job.is_over, job.spot, job.interruptions) == (RUN, "Completed", True, True, 2)
    assert (job.instance, job.count, job.max_run_s, job.max_wait_s) == ("ml.g4dn.xlarge", 1, 3600, 7200)
    assert job.billable_s is not None
    assert job.training_s is not None
    assert job.billable_s < job.training_s
    assert job.model_uri.endswith(f"/{JOB}/output/model.tar.gz")
    assert dict(job.scores)["best:acc"] == pytest.approx(0.9502, abs=1e-4)
    assert job.seconds_in(("Training",)) == pytest.approx(1000)
    assert job.region == REGION


def test_time_under_way_is_measured_by_the_services_clock(service: Service) -> None:
    service.seed(JOB, TWICE_INTERRUPTED, **request())
    service.clock.advance(110 + 90)
    assert described(service).seconds_in(("Training",)) == pytest.approx(90, abs=2)


def test_a_job_that_says_next_to_nothing_can_be_read() -> None:
    job = read_job({"TrainingJobName": "j"})
    assert (job.name, job.run, job.status, job.count, job.billable_s, job.transitions) == ("j", "", "", 1, None, ())
    assert not job.is_over


def test_statuses_of_the_future_are_kept_as_they_are(service: Service) -> None:
    service.seed(JOB, timeline(starting(5), phase("Defragmenting", 60), capacity_error()), **request())
    service.clock.advance(10)
    assert described(service).secondary == "Defragmenting"
    service.run_to_end(JOB)
    assert described(service).lacks_capacity


def test_the_jobs_of_a_run_are_found_among_look_alikes(service: Service) -> None:
    service.seed("lines-261122090000", **request())
    service.clock.advance(timedelta(hours=1).total_seconds())
    service.seed(JOB, **request())
    for name, run in (
        ("lines-2-261122100000", "lines-2"),
        ("more-lines-261122100000", "more-lines"),
        ("lines-261122100001", "lines_"),  # the same stem, another run
        ("lines-unstamped", "lines"),
    ):
        service.seed(name, **request(run))
    account = open_account()
    assert [job.name for job in jobs_of_run(account, RUN)] == ["lines-261122090000", JOB]
    assert find_job(account, RUN).name == JOB
    assert find_job(account, "lines_").name == "lines-261122100001"
    assert find_job(account, "lines-261122090000").name == "lines-261122090000"
    assert find_job(account, find_job(account, RUN).arn).name == JOB


def test_many_jobs_come_in_pages(service: Service) -> None:
    for number in range(130):
        service.seed(f"lines-{261122100000 + number}", **request())
    assert len(jobs_of_run(open_account(), RUN)) == 130


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ("nothing", "there is no run and no job 'nothing' in ap-southeast-1"),
        ("not a name!", "there is no run and no job"),
        ("arn:aws:sagemaker:eu-west-1:123456789012:training-job/x", "give --region eu-west-1"),
        ("arn:aws:sagemaker:ap-southeast-1:999999999999:training-job/x", "belongs to the account 999999999999"),
    ],
)
def test_what_is_not_there_is_said(service: Service, named: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        find_job(open_account(), named)
