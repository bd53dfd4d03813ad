"""The log of a job: all streams, each line once, whatever CloudWatch does."""

from __future__ import annotations

import itertools
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from launcher.aws import open_account
from launcher.cloud.logs import GROUP, LogReader, host_of, read_log
from launcher.cloud.patience import NoAnswer, impatient
from tests.launcher.aws_stand_in import run_aws, use_aws
from tests.launcher.following import JOB, TWICE_INTERRUPTED, request, service_of
from tests.service import Service


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    with service_of(monkeypatch) as service:
        yield service


def texts_of(service: Service) -> list[str]:
    return service.job(JOB).lines


def test_everything_comes_once_and_in_order_over_restarts(service: Service) -> None:
    service.seed(JOB, TWICE_INTERRUPTED, **request())
    reader = LogReader(impatient(open_account()), JOB)
    read = []
    for _ in range(70):
        read += reader.read()
        service.clock.advance(30)
    assert [line.text for line in read] == texts_of(service)
    assert len({line.stream for line in read}) == 3
    assert [line.ms for line in read] == sorted(line.ms for line in read)
    assert {line.host for line in read} == {"algo-1"}


def test_a_log_that_is_not_there_yet_is_empty(service: Service) -> None:
    assert read_log(open_account(), "nobody-261122100000") == []


def test_old_streams_are_left_alone_until_the_end(service: Service) -> None:
    service.seed(JOB, TWICE_INTERRUPTED, **request())
    service.run_to_end(JOB)
    reader = LogReader(impatient(open_account()), JOB)
    reader.read()
    before = len(service.requests("GetLogEvents"))
    for _ in range(10):
        reader.read()
    assert len(service.requests("GetLogEvents")) - before < 10 * 3
    before = len(service.requests("GetLogEvents"))
    reader.read(to_the_end=True)
    assert len(service.requests("GetLogEvents")) - before == 3


def test_what_was_read_before_aws_stopped_answering_is_not_lost(service: Service) -> None:
    service.seed(JOB, TWICE_INTERRUPTED, **request())
    service.run_to_end(JOB)
    ask = impatient(open_account())
    calls = itertools.count()

    def sometimes(which: str, operation: str, **arguments: Any) -> dict[str, Any]:
        if next(calls) % 5 == 4:
            raise NoAnswer
        return ask(which, operation, **arguments)

    reader = LogReader(sometimes, JOB)
    read = []
    complete = []
    for _ in range(12):
        read += reader.read(to_the_end=True)
        complete.append(reader.is_complete)
    assert sorted(line.text for line in read) == sorted(texts_of(service))
    assert {True, False} == set(complete)


def test_a_token_that_is_too_old_neither_loses_nor_repeats_lines(service: Service) -> None:
    service.seed(JOB, TWICE_INTERRUPTED, **request())
    ask = impatient(open_account())
    refused = []

    def forgetful(which: str, operation: str, **arguments: Any) -> dict[str, Any]:
        if arguments.get("nextToken") and operation == "get_log_events" and len(read) > 20 and not refused:
            refused.append(arguments)
            raise ClientError({"Error": {"Code": "InvalidParameterException", "Message": "expired"}}, operation)
        return ask(which, operation, **arguments)

    reader = LogReader(forgetful, JOB)
    read: list[Any] = []
    for _ in range(70):
        read += reader.read()
        service.clock.advance(30)
    assert refused
    assert [line.text for line in read] == texts_of(service)


def test_many_streams_and_long_streams_come_in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    with run_aws() as aws:
        use_aws(aws, monkeypatch)
        client: Any = aws.client("logs")
        client.create_log_group(logGroupName=GROUP)
        now = int(time.time() * 1000) - 100_000
        for host in range(60):
            name = f"j-261122100000/algo-{host}-1700000000"
            client.create_log_stream(logGroupName=GROUP, logStreamName=name)
            events = [{"timestamp": now + number, "message": f"{host}:{number}"} for number in range(5)]
            client.put_log_events(logGroupName=GROUP, logStreamName=name, logEvents=events)
        long = "j-261122100000/algo-7-1700000001"
        client.create_log_stream(logGroupName=GROUP, logStreamName=long)
        for start in range(0, 12_000, 4_000):
            events = [{"timestamp": now + 50, "message": f"long:{start + number}"} for number in range(4_000)]
            client.put_log_events(logGroupName=GROUP, logStreamName=long, logEvents=events)
        other = "j-2611221000001/algo-1-1"
        client.create_log_stream(logGroupName=GROUP, logStreamName=other)
        client.put_log_events(
            logGroupName=GROUP, logStreamName=other, logEvents=[{"timestamp": now, "message": "another job"}]
        )
        lines = [line.text for line in read_log(open_account(), "j-261122100000")]
    assert len(lines) == len(set(lines)) == 60 * 5 + 12_000
    assert [line for line in lines if line.startswith("long")] == [f"long:{number}" for number in range(12_000)]


def test_the_host_of_a_stream() -> None:
    assert host_of("my-job-1/algo-12-1700000000") == "algo-12"
