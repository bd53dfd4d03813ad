"""CloudWatch Logs of scripted jobs, through boto3."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.service import (
    Line,
    Service,
    completed,
    interrupted,
    pending,
    scripted_service,
    timeline,
    training,
)

GROUP = "/aws/sagemaker/TrainingJobs"
SCRIPT = timeline(
    pending(60),
    training(100, ["one", "two", "three"]),
    interrupted(60),
    training(100, [Line(0, "four"), Line(99, "five")]),
    completed(),
    log_delay_s=10,
)


@pytest.fixture
def service() -> Iterator[Service]:
    with scripted_service(SCRIPT, speed=0) as service:
        service.seed("job-1")
        yield service


@pytest.fixture
def logs(service: Service) -> Any:
    return service.client("logs")


def messages(answer: dict[str, Any]) -> list[str]:
    return [event["message"] for event in answer["events"]]


def test_there_is_no_group_before_the_first_line(service: Service, logs: Any):
    service.clock.advance(60 + 25 + 9)  # the first line comes after 25 s, and is shown 10 s later
    with pytest.raises(logs.exceptions.ResourceNotFoundException, match="The specified log group does not exist"):
        logs.describe_log_streams(logGroupName=GROUP)
    service.clock.advance(1)
    assert len(logs.describe_log_streams(logGroupName=GROUP)["logStreams"]) == 1
    with pytest.raises(logs.exceptions.ResourceNotFoundException, match="log group"):
        logs.describe_log_streams(logGroupName="/aws/other")
    with pytest.raises(ClientError, match="The specified log group does not exist"):
        service.client("logs", "us-east-1").describe_log_streams(logGroupName=GROUP)
    with pytest.raises(logs.exceptions.ResourceNotFoundException, match="log stream"):
        logs.get_log_events(logGroupName=GROUP, logStreamName="job-1/algo-1-1")


def test_each_container_has_its_stream(service: Service, logs: Any):
    service.run_to_end()
    rows = logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix="job-1/")["logStreams"]
    created = int(service.job("job-1").created)
    assert [row["logStreamName"] for row in rows] == [f"job-1/algo-1-{created + late}" for late in (60, 220)]
    read = [logs.get_log_events(logGroupName=GROUP, logStreamName=row["logStreamName"]) for row in rows]
    assert [messages(answer) for answer in read] == [["one", "two", "three"], ["four"]]
    service.clock.advance(10)  # the last line is shown after the job has ended
    last = logs.get_log_events(logGroupName=GROUP, logStreamName=rows[-1]["logStreamName"])
    assert messages(last) == ["four", "five"]
    event = last["events"][0]
    assert event["ingestionTime"] - event["timestamp"] == 10_000


def test_tokens_go_forward_and_stay_at_the_end(service: Service, logs: Any):
    service.clock.advance(60 + 60 + 10)
    where = {"logGroupName": GROUP, "logStreamName": service.job("job-1").streams[0].name}
    first = logs.get_log_events(**where, startFromHead=True, limit=1)
    assert messages(first) == ["one"]
    second = logs.get_log_events(**where, nextToken=first["nextForwardToken"])
    assert messages(second) == ["two"]
    end = logs.get_log_events(**where, nextToken=second["nextForwardToken"])
    assert (messages(end), end["nextForwardToken"]) == ([], second["nextForwardToken"])
    service.clock.advance(25)
    assert messages(logs.get_log_events(**where, nextToken=end["nextForwardToken"])) == ["three"]
    with pytest.raises(logs.exceptions.InvalidParameterException, match="nextToken"):
        logs.get_log_events(**where, nextToken="made up")


def test_tokens_go_backward(service: Service, logs: Any):
    service.run_to_end()
    where = {"logGroupName": GROUP, "logStreamName": service.job("job-1").streams[0].name}
    newest = logs.get_log_events(**where, limit=2)
    assert messages(newest) == ["two", "three"]
    assert messages(logs.get_log_events(**where, nextToken=newest["nextBackwardToken"])) == ["one"]


def test_a_page_holds_at_most_a_megabyte():
    long = timeline(training(10, ["x" * 250_000] * 9), completed())
    with scripted_service(long, speed=0) as service:
        service.seed("job-1")
        service.run_to_end()
        where = {"logGroupName": GROUP, "logStreamName": service.job("job-1").streams[0].name}
        logs, sizes, token = service.client("logs"), [], {}
        while not sizes or sizes[-1]:
            answer = logs.get_log_events(**where, startFromHead=True, **token)
            sizes.append(len(answer["events"]))
            token = {"nextToken": answer["nextForwardToken"]}
        assert sizes == [4, 4, 1, 0]


def test_times_filter(service: Service, logs: Any):
    service.run_to_end()
    created = int(service.job("job-1").created * 1000)
    found = logs.filter_log_events(logGroupName=GROUP, startTime=created + 110_000, endTime=created + 221_000)
    assert messages(found) == ["two", "three", "four"]


def test_lines_are_found_in_all_streams(service: Service, logs: Any):
    service.run_to_end()
    service.clock.advance(10)
    service.seed("job-2")
    service.clock.advance(100)
    prefix = {"logGroupName": GROUP, "logStreamNamePrefix": "job-1/"}
    pages = logs.get_paginator("filter_log_events").paginate(**prefix, PaginationConfig={"PageSize": 2})
    assert [messages(page) for page in pages] == [["one", "two"], ["three", "four"], ["five"]]
    assert messages(logs.filter_log_events(**prefix, filterPattern="?five ?one")) == ["one", "five"]
    assert messages(logs.filter_log_events(**prefix, filterPattern='"t" -w')) == ["three"]
    names = [service.job("job-2").streams[0].name]
    assert messages(logs.filter_log_events(logGroupName=GROUP, logStreamNames=names)) == ["one"]


def test_wrong_requests(service: Service, logs: Any):
    service.run_to_end()
    wrong = logs.exceptions.InvalidParameterException
    with pytest.raises(wrong, match="Cannot order by LastEventTime"):
        logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix="job-1", orderBy="LastEventTime")
    with pytest.raises(wrong, match="less than or equal to 50"):
        logs.describe_log_streams(logGroupName=GROUP, limit=51)
    with pytest.raises(wrong, match="less than or equal to 10000"):
        logs.filter_log_events(logGroupName=GROUP, limit=10_001)


def test_streams_are_listed_in_pages(service: Service, logs: Any):
    service.run_to_end()
    pages = logs.get_paginator("describe_log_streams").paginate(
        logGroupName=GROUP, orderBy="LastEventTime", descending=True, PaginationConfig={"PageSize": 1}
    )
    names = [row["logStreamName"] for page in pages for row in page["logStreams"]]
    assert names == [stream.name for stream in reversed(service.job("job-1").streams)]


def test_every_host_has_a_stream():
    with scripted_service(timeline(training(10, ["one"]), completed()), speed=0) as service:
        service.seed("job-1", ResourceConfig={"InstanceType": "ml.g5.xlarge", "InstanceCount": 2, "VolumeSizeInGB": 30})
        service.run_to_end()
        rows = service.client("logs").describe_log_streams(logGroupName=GROUP)["logStreams"]
        assert [row["logStreamName"].split("-")[-2] for row in rows] == ["1", "2"]
