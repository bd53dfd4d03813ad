"""The hosts of one job: they meet before training, and each knows until the end whether the others are still there.

The first host of `resourceconfig.json` leads. Every other host opens one connection to it, which stays open: JSON
objects, one a line. What ends one host ends all, with the same cause; a host whose connection closes without a word
is gone. Addresses come from these connections, so a host need not know its own (SageMaker gives several).
"""

from __future__ import annotations

import json
import select
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from container.explain import explain
from container.job import Job
from container.stop import Stopped
from contract.errors import UserError
from contract.paths import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_REFUSED,
    MEETING_SECONDS_VARIABLE,
    MEETING_VARIABLE,
)

DEFAULT_PORT = 7411
DEFAULT_SECONDS = 600.0  # hosts of one job start some minutes apart
LOOPBACK = "127.0.0.1"
RETRY_S = 1.0  # names of peers come late on SageMaker, and so do their ports
SILENT_S = 10  # keep-alive probes find a dead machine after about three times this
WHERE_TO_LOOK = "look at its log; the job's security group must let its hosts reach each other on all TCP ports"


class HostFailed(Exception):
    """Another host ended, and with it the job. The text is its name and its cause."""


@dataclass(frozen=True)
class Place:
    """This host among those of the job, as paddle.distributed.launch wants it. Addresses are IPv4."""

    rank: int
    counts: tuple[int, ...]  # processes of each host
    address: str
    master: str  # ip:port where the launchers of the hosts meet

    @property
    def world(self) -> int:
        return sum(self.counts)

    @property
    def processes(self) -> int:
        return self.counts[self.rank]

    @property
    def first_rank(self) -> int:
        return sum(self.counts[: self.rank])

    @property
    def leads(self) -> bool:
        return self.rank == 0


class Hosts:
    """The other hosts, met. As a context it tells them when this one ends in an error."""

    def __init__(self, name: str, place: Place, lines: dict[str, Line]):
        self.name = name
        self.place = place
        self._lines = lines
        self._leader_ended: int | None = None  # its exit code, when all is done there

    def __enter__(self) -> Hosts:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if isinstance(error, Stopped):
            self._tell(exit_code=EXIT_INTERRUPTED, left=True)
        elif isinstance(error, UserError):
            self._tell(exit_code=EXIT_REFUSED, reason=self._signed(str(error)))
        elif error is not None:
            known = type(error).__module__.partition(".")[0] == "container"
            self._tell(exit_code=EXIT_FAILED, reason=self._signed(str(error) if known else explain(error)))
        for line in self._lines.values():
            line.close()

    def check(self) -> None:
        """Raise what has ended another host before its time, if anything has. Never waits."""
        for name, line in self._lines.items():
            for message in line.received():
                self._heed(name, message)

    def finish(self, exit_code: int) -> int:
        """All is done here. The first host tells how the job ended; the others wait for its word and return it."""
        if self.place.leads:
            self._tell(exit_code=exit_code)
            return exit_code
        ((leader, line),) = self._lines.items()
        while self._leader_ended is None:
            for message in line.received(wait_s=None):
                self._heed(leader, message)
        return self._leader_ended

    def _heed(self, name: str, message: dict[str, Any] | None) -> None:
        if message is None and self._leader_ended is None:
            raise HostFailed(
                f"host {name} is gone without a word, lost or killed: look at its log, and start the run again, it "
                "continues from its checkpoint"
            )
        if message is None:
            return
        if message.get("left"):
            raise Stopped
        if message.get("reason") and message["exit_code"] == EXIT_REFUSED:
            raise UserError(message["reason"])
        if message.get("reason"):
            raise HostFailed(message["reason"])
        self._leader_ended = message["exit_code"]

    def _tell(self, **message: Any) -> None:
        for line in self._lines.values():
            line.send(message)

    def _signed(self, reason: str) -> str:
        return reason if not self._lines or reason.startswith("host ") else f"host {self.name}: {reason}"


@dataclass(frozen=True)
class MeetingPoint:
    """Where the hosts of a job meet, and how long they wait for each other."""

    address: str = ""  # of the first host; empty: what its name in resourceconfig.json resolves to
    port: int = DEFAULT_PORT
    seconds: float = DEFAULT_SECONDS

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> MeetingPoint:
        """Raises UserError."""
        place, seconds = environment.get(MEETING_VARIABLE, ""), environment.get(MEETING_SECONDS_VARIABLE, "")
        try:
            address, _, port = place.partition(":")
            return cls(address, int(port or DEFAULT_PORT), float(seconds or DEFAULT_SECONDS))
        except ValueError:
            raise UserError(
                f"{MEETING_VARIABLE}={place!r} must be like 10.0.0.1:{DEFAULT_PORT}, and "
                f"{MEETING_SECONDS_VARIABLE}={seconds!r} a number of seconds"
            ) from None


def meet(job: Job, processes: int, point: MeetingPoint, say: Callable[[str], None]) -> Hosts:
    """Wait until all hosts are there. Raises UserError when one does not appear in time."""
    if len(job.hosts) == 1:
        return Hosts(job.host, Place(0, (processes,), LOOPBACK, f"{LOOPBACK}:{_free_port(LOOPBACK)}"), {})
    meeting = _Meeting(job, processes, point, say)
    return meeting.as_leader() if job.host == job.hosts[0] else meeting.as_follower()


class Line:
    """A connection to another host: JSON objects, one a line."""

    def __init__(self, connection: socket.socket):
        self._socket = connection
        self._open = True
        self._bytes = b""
        self._messages: list[dict[str, Any] | None] = []
        connection.settimeout(SILENT_S)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in (("TCP_KEEPIDLE", SILENT_S), ("TCP_KEEPINTVL", SILENT_S), ("TCP_KEEPCNT", 2)):
            if hasattr(socket, name):  # not all of them everywhere
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

    @property
    def own_address(self) -> str:
        return self._socket.getsockname()[0]

    @property
    def other_address(self) -> str:
        return self._socket.getpeername()[0]

    def send(self, message: dict[str, Any]) -> None:
        """To a host that is gone, nothing is sent: `received` tells of it."""
        try:
            self._socket.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            pass

    def received(self, wait_s: float | None = 0) -> list[dict[str, Any] | None]:
        """What has come since the last time; a None at the end when the other side has closed.

        `wait_s`: at most so long for something to come; None waits for ever.
        """
        while self._open and select.select([self._socket], [], [], 0 if self._messages else wait_s)[0]:
            self._read()
        messages, self._messages = self._messages, []
        return messages

    def next(self, wait_s: float) -> dict[str, Any] | None:
        """The next message; None when the other side closes, or says nothing that is one in time."""
        messages = self.received(wait_s)
        self._messages = messages[1:]
        return messages[0] if messages else None

    def _read(self) -> None:
        try:
            piece = self._socket.recv(1 << 16)
            *whole, self._bytes = (self._bytes + piece).split(b"\n")
            messages = [json.loads(line) for line in whole]
            if not all(isinstance(message, dict) for message in messages):
                raise ValueError("a message is an object")
            self._messages += messages
        except (OSError, ValueError):  # broken off, or not one of us
            piece = b""
        if not piece:
            self._open = False
            self._messages.append(None)

    def close(self) -> None:
        self._open = False
        self._socket.close()


class _Meeting:
    def __init__(self, job: Job, processes: int, point: MeetingPoint, say: Callable[[str], None]):
        self.job, self.processes, self.point, self.say = job, processes, point, say
        self.deadline = time.monotonic() + point.seconds
        self.hello = {"host": job.host, "run": job.parameters.run_id, "processes": processes}

    def as_leader(self) -> Hosts:
        """Wait for every other host, then tell each where it stands."""
        hosts, point = self.job.hosts, self.point
        counts, lines = {self.job.host: self.processes}, dict[str, Line]()
        self.say(f"waiting for {', '.join(hosts[1:])} (at most {point.seconds:g} s)")
        with socket.create_server((point.address or "", point.port)) as server:
            while missing := [host for host in hosts if host not in counts]:
                left = self.deadline - time.monotonic()
                if left <= 0 or not select.select([server], [], [], left)[0]:
                    reason = (
                        f"{' and '.join(missing)} did not appear within {point.seconds:g} s, and the job needs all "
                        f"of its {len(hosts)} hosts: {WHERE_TO_LOOK}"
                    )
                    for line in lines.values():
                        line.send({"reason": reason})
                    raise UserError(reason)
                line = Line(server.accept()[0])
                hello = line.next(SILENT_S)
                if hello is None or hello.get("host") not in missing or hello.get("run") != self.hello["run"]:
                    line.close()  # a port scan, or a host of another job
                    continue
                counts[hello["host"]], lines[hello["host"]] = hello["processes"], line
        address = lines[hosts[1]].own_address
        place = Place(0, tuple(counts[host] for host in hosts), address, f"{address}:{_free_port(address)}")
        for line in lines.values():
            line.send({"counts": place.counts, "master": place.master})
        return Hosts(self.job.host, place, lines)

    def as_follower(self) -> Hosts:
        """Find the first host, however late its name and its port come, and wait for its word."""
        leader, point = self.job.hosts[0], self.point
        self.say(f"looking for {leader} (at most {point.seconds:g} s)")
        problem = "it did not answer"
        while time.monotonic() < self.deadline:
            try:
                address = (point.address or socket.gethostbyname(leader), point.port)
                line = Line(socket.create_connection(address, timeout=SILENT_S))
            except OSError as error:
                problem = str(error)
                time.sleep(RETRY_S)
                continue
            line.send(self.hello)
            answer = line.next(max(0, self.deadline - time.monotonic()))
            if answer and "reason" in answer:
                raise UserError(answer["reason"])
            if answer:
                rank = self.job.hosts.index(self.job.host)
                place = Place(rank, tuple(answer["counts"]), line.own_address, answer["master"])
                return Hosts(self.job.host, place, {leader: line})
            line.close()
            time.sleep(RETRY_S)
        raise UserError(
            f"{leader}, the first of the job's {len(self.job.hosts)} hosts, could not be reached at port "
            f"{point.port} within {point.seconds:g} s ({problem}): {WHERE_TO_LOOK}"
        )


def _free_port(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        return probe.getsockname()[1]
