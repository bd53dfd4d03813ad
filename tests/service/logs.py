"""CloudWatch Logs: the streams of training jobs."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from tests.service.paging import page_of
from tests.service.refusal import Refusal
from tests.service.training_job import ACCOUNT, LogEvent, LogStream

if TYPE_CHECKING:
    from tests.service.service import Service

NAME = "logs"
GROUP = "/aws/sagemaker/TrainingJobs"
STREAMS_PER_PAGE = 50
EVENTS_PER_PAGE = 10_000
BYTES_PER_PAGE = 1 << 20
BYTES_PER_EVENT = 26  # that AWS counts besides the text

Body = dict[str, Any]


def describe_log_streams(service: Service, region: str, body: Body) -> Body:
    streams = _streams(service, region, body)
    prefix, by_time = body.get("logStreamNamePrefix", ""), body.get("orderBy") == "LastEventTime"
    if prefix and by_time:
        raise _invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
    rows = [_stream_row(stream, shown, region) for stream, shown in streams.items() if stream.name.startswith(prefix)]
    rows.sort(
        key=lambda row: row["lastEventTimestamp"] if by_time else row["logStreamName"],
        reverse=body.get("descending", False),
    )
    page, token = page_of(rows, body.get("nextToken"), body.get("limit", STREAMS_PER_PAGE), _bad_token())
    return {"logStreams": list(page)} | ({"nextToken": token} if token else {})


def get_log_events(service: Service, region: str, body: Body) -> Body:
    streams = _streams(service, region, body)
    shown = next((shown for stream, shown in streams.items() if stream.name == body["logStreamName"]), None)
    if shown is None:
        raise _missing("The specified log stream does not exist.")
    limit = body.get("limit", EVENTS_PER_PAGE)
    token = body.get("nextToken")
    if token is None:
        forward, position = (True, 0) if body.get("startFromHead") else (False, len(shown))
    else:
        forward, position = _read_token(token)
    if forward:
        first, last = position, position + _that_fit(shown[position:], limit)
    else:
        first, last = position - _that_fit(shown[:position][::-1], limit), position
    wanted = [event for event in shown[first:last] if _in_time(event, body)]
    return {
        "events": [{"timestamp": _ms(e.at), "ingestionTime": _ms(e.shown_at), "message": e.text} for e in wanted],
        "nextForwardToken": f"f/{last:056d}",
        "nextBackwardToken": f"b/{first:056d}",
    }


def filter_log_events(service: Service, region: str, body: Body) -> Body:
    prefix, names = body.get("logStreamNamePrefix", ""), body.get("logStreamNames")
    if prefix and names:
        raise _invalid("Only one of logStreamNamePrefix and logStreamNames may be given.")
    found = sorted(
        (
            (event, stream.name, number)
            for stream, shown in _streams(service, region, body).items()
            if stream.name.startswith(prefix) and (names is None or stream.name in names)
            for number, event in enumerate(shown)
            if _in_time(event, body) and _matches(event.text, body.get("filterPattern", ""))
        ),
        key=lambda row: row[0].at,
    )
    page, token = page_of(found, body.get("nextToken"), body.get("limit", EVENTS_PER_PAGE), _bad_token())
    events = [
        {
            "eventId": f"{_ms(event.at):020d}{number:036d}",
            "logStreamName": name,
            "timestamp": _ms(event.at),
            "ingestionTime": _ms(event.shown_at),
            "message": event.text,
        }
        for event, name, number in page
    ]
    return {"events": events, "searchedLogStreams": []} | ({"nextToken": token} if token else {})


OPERATIONS = {
    "DescribeLogStreams": describe_log_streams,
    "GetLogEvents": get_log_events,
    "FilterLogEvents": filter_log_events,
}


def _streams(service: Service, region: str, body: Body) -> dict[LogStream, list[LogEvent]]:
    """The streams that show something by now. The group begins with the first line of the region's first job."""
    service.catch_up()
    now = service.clock.now()
    streams = {
        stream: shown
        for job in service.all_jobs
        if job.region == region
        for stream in job.streams
        if (shown := stream.shown(now))
    }
    group = body.get("logGroupName") or body.get("logGroupIdentifier", "").rpartition(":log-group:")[2].split(":")[0]
    if group != GROUP or not streams:
        raise _missing("The specified log group does not exist.")
    return streams


def _stream_row(stream: LogStream, shown: list[LogEvent], region: str) -> Body:
    return {
        "logStreamName": stream.name,
        "creationTime": _ms(stream.created),
        "firstEventTimestamp": _ms(shown[0].at),
        "lastEventTimestamp": _ms(shown[-1].at),
        "lastIngestionTime": _ms(shown[-1].shown_at),
        "uploadSequenceToken": "0",
        "arn": f"arn:aws:logs:{region}:{ACCOUNT}:log-group:{GROUP}:log-stream:{stream.name}",
        "storedBytes": 0,
    }


def _that_fit(events: list[LogEvent], limit: int) -> int:
    """How many of the first events go into one page."""
    size = count = 0
    for event in events[:limit]:
        size += len(event.text.encode()) + BYTES_PER_EVENT
        if size > BYTES_PER_PAGE:
            break
        count += 1
    return count


def _in_time(event: LogEvent, body: Body) -> bool:
    return body.get("startTime", 0) <= _ms(event.at) < body.get("endTime", float("inf"))


def _matches(text: str, pattern: str) -> bool:
    """Terms and "quoted terms" must all be there; of those with ? one is enough."""
    terms = shlex.split(pattern)
    either = [term[1:] for term in terms if term.startswith("?")]
    every = [term for term in terms if not term.startswith(("?", "-"))]
    none = [term[1:] for term in terms if term.startswith("-")]
    return (
        all(term in text for term in every)
        and not any(term in text for term in none)
        and (not either or any(term in text for term in either))
    )


def _read_token(token: str) -> tuple[bool, int]:
    way, _, number = token.partition("/")
    if way not in ("f", "b") or not number.isdigit():
        raise _bad_token()
    return way == "f", int(number)


def _ms(seconds: float) -> int:
    return int(seconds * 1000)


def _missing(message: str) -> Refusal:
    return Refusal("ResourceNotFoundException", message)


def _invalid(message: str) -> Refusal:
    return Refusal("InvalidParameterException", message)


def _bad_token() -> Refusal:
    return _invalid("The specified nextToken is invalid.")
