"""The log of a job in CloudWatch: all streams, each line once. A restart makes new streams."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from launcher.aws import Account, error_code
from launcher.cloud.patience import Ask, NoAnswer, impatient

GROUP = "/aws/sagemaker/TrainingJobs"

# A host that has a newer stream writes into the older no more. What was still on its way has come after so many reads.
QUIET_READS = 6
# A token is good for 24 hours, which a closed laptop may outlast; a page may be empty though more follow.
_TOKEN_REFUSED = "InvalidParameterException"
_EMPTY_PAGES = 20


@dataclass(frozen=True)
class LogLine:
    """One line of a container, with when it was written and in which stream."""

    ms: int  # since 1970
    stream: str
    text: str

    @property
    def time(self) -> datetime:
        return datetime.fromtimestamp(self.ms / 1000, timezone.utc)

    @property
    def host(self) -> str:
        """Such as algo-1."""
        return host_of(self.stream)


@dataclass
class _Stream:
    name: str
    token: str = ""
    last_ms: int = 0
    at_last_ms: int = 0  # lines that were read and have this time
    quiet_reads: int = 0
    read_at: int = 0  # number of the read that saw its end
    lines: list[LogLine] = field(default_factory=list)

    def take(self, events: list[dict[str, Any]]) -> None:
        for event in events:
            ms = int(event["timestamp"])
            if ms > self.last_ms:
                self.last_ms, self.at_last_ms = ms, 0
            self.at_last_ms += ms == self.last_ms
            # Sorted by the latest time so far, the lines of a stream keep their own order.
            self.lines.append(LogLine(self.last_ms, self.name, event["message"].rstrip("\r\n")))


class LogReader:
    """Reads on where it stopped. A missing log group or stream has no lines yet."""

    def __init__(self, ask: Ask, job: str) -> None:
        self._ask = ask
        self._job = job
        self._streams: dict[str, _Stream] = {}
        self._reads = 0
        self.is_complete = True  # the last read has seen all there was

    def read(self, *, to_the_end: bool = False) -> list[LogLine]:
        """The lines that are new, in order of time; `to_the_end`: those of streams that were thought finished too.

        What came before AWS stopped answering is not lost: the rest comes with the next read.
        """
        self.is_complete = True
        self._reads += 1
        try:
            self._find_streams()
            # The one that has waited longest comes first: throttling must not starve the same stream every time.
            for stream in sorted(self._streams.values(), key=lambda each: each.read_at):
                if to_the_end or not self._is_finished(stream):
                    self._read_stream(stream)
        except NoAnswer:
            self.is_complete = False
        lines = sorted((line for stream in self._streams.values() for line in stream.lines), key=lambda line: line.ms)
        for stream in self._streams.values():
            stream.lines = []
        return lines

    def _find_streams(self) -> None:
        more: dict[str, str] = {}
        found: list[dict[str, Any]] = []
        while True:
            page = self._try(
                "describe_log_streams", logStreamNamePrefix=f"{self._job}/", orderBy="LogStreamName", **more
            )
            if page is None:
                return
            found += page["logStreams"]
            if not page.get("nextToken"):
                break
            more = {"nextToken": page["nextToken"]}
        for stream in sorted(found, key=lambda each: (each.get("creationTime", 0), each["logStreamName"])):
            self._streams.setdefault(stream["logStreamName"], _Stream(stream["logStreamName"]))

    def _read_stream(self, stream: _Stream) -> None:
        empty = 0
        while empty < _EMPTY_PAGES:
            page = self._page(stream)
            if page is None:
                return
            stream.take(page["events"])
            token, stream.token = stream.token, page["nextForwardToken"]
            if token == stream.token:
                stream.read_at = self._reads
                stream.quiet_reads = 0 if stream.lines else stream.quiet_reads + 1
                return
            empty = 0 if page["events"] else empty + 1

    def _page(self, stream: _Stream) -> dict[str, Any] | None:
        from botocore.exceptions import ClientError

        place = {"logStreamName": stream.name, "startFromHead": True}
        if not stream.token:
            return self._try("get_log_events", **place)
        try:
            return self._try("get_log_events", **place, nextToken=stream.token)
        except ClientError as error:
            if error_code(error) != _TOKEN_REFUSED:
                raise
        page = self._try("get_log_events", **place, startTime=stream.last_ms)
        if page is not None:
            page["events"] = page["events"][self._known(stream, page["events"]) :]
        return page

    def _known(self, stream: _Stream, events: list[dict[str, Any]]) -> int:
        """How many lines at the head of a page were read before."""
        at_last = sum(int(event["timestamp"]) == stream.last_ms for event in events)
        return min(at_last, stream.at_last_ms)

    def _is_finished(self, stream: _Stream) -> bool:
        names = list(self._streams)
        newer = names[names.index(stream.name) + 1 :]
        return stream.quiet_reads >= QUIET_READS and any(host_of(name) == host_of(stream.name) for name in newer)

    def _try(self, operation: str, **arguments: Any) -> dict[str, Any] | None:
        """None: the log group or the stream is not there yet."""
        from botocore.exceptions import ClientError

        try:
            return self._ask("logs", operation, logGroupName=GROUP, **arguments)
        except ClientError as error:
            if error_code(error) == "ResourceNotFoundException":
                return None
            raise


def host_of(stream: str) -> str:
    """`algo-1` of JOB/algo-1-1700000000."""
    return stream.rpartition("/")[2].rpartition("-")[0]


def read_log(account: Account, job: str) -> list[LogLine]:
    """The whole log of a job as it is now. Raises UserError."""
    from launcher.aws import explained

    with explained(f"reading the log of {job}"):
        return LogReader(impatient(account), job).read(to_the_end=True)
