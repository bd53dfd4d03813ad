"""One execution of the container in Docker, its output as one stream of lines."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any

from launcher.platforms.platform import ContainerLost

if TYPE_CHECKING:
    from docker.models.containers import Container

# PID 1 ignores SIGTERM until it has a handler. Ours has one before it prints anything; one that prints nothing gets
# this long.
HEARS_AFTER_S = 2.0

NOT_FOUND, CONFLICT = 404, 409  # the container has ended, or is being removed already
SIGNAL_BASE = 128  # Docker's exit code of a process that a signal ended is this and the signal's number
SIGNALS = 64

OUT_OF_MEMORY = "the container ran out of memory: use a smaller batch_size or fewer workers, or give Docker more memory"


class DockerContainer:
    """A container that removes itself when it ends.

    Its stdin is its lifeline: only this process holds the other end, and Docker closes it when this process is gone.
    """

    def __init__(self, container: Container) -> None:
        """Start a container that has been created. Raises DockerException; then it is removed."""
        self._container = container
        self._api = container.client.api
        self._lines: queue.Queue[bytes] = queue.Queue()
        self._partial: dict[int, bytes] = {}  # what stdout and stderr have printed of their next line
        self._exit_code: int | None = None
        self._lost = ""
        self._has_spoken = False
        self._out_of_memory = False
        self._terminate_at: float | None = None
        try:
            # Both before the start, so that neither a line nor the end is missed, however short the job.
            self._events = self._api.events(
                since=_second_of(container.attrs["Created"]),  # by the engine's clock, which may differ from ours
                filters={"type": "container", "container": container.id, "event": ["die", "oom"]},
                decode=True,
            )
            self._socket = self._api.attach_socket(container.id, {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
            container.start()
        except BaseException:
            self._remove()
            raise
        self.started = time.monotonic()
        self._reader = threading.Thread(target=self._read, daemon=True, name="container output")
        self._reader.start()

    def __enter__(self) -> DockerContainer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """Nothing of the container is left, whatever happened here."""
        self._remove()
        self._socket.close()

    @property
    def name(self) -> str:
        return f"container {self._container.name}"

    @property
    def exit_code(self) -> int | None:
        """None while it runs or has lines left; negative when a signal ended it."""
        return self._exit_code

    @property
    def reason(self) -> str:
        return OUT_OF_MEMORY if self._out_of_memory else ""

    @property
    def finished(self) -> bool:
        return self._exit_code is not None and self._lines.empty()

    def next_line(self, wait_s: float) -> bytes | None:
        """The next line as printed; None when none came within `wait_s`. Raises ContainerLost."""
        self._send_what_is_due()
        try:
            return self._lines.get(timeout=wait_s)
        except queue.Empty:
            if self._lost:
                raise ContainerLost(self._lost) from None
            return None

    def terminate(self) -> None:
        """SIGTERM to PID 1, as soon as it can hear it; `next_line` sees to that."""
        self._terminate_at = self.started + HEARS_AFTER_S
        self._send_what_is_due()

    def kill(self) -> None:
        """SIGKILL to PID 1, which takes every other process of the container along."""
        self._terminate_at = None
        send_signal(self._container, "SIGKILL")

    def _send_what_is_due(self) -> None:
        if self._terminate_at is not None and (self._has_spoken or time.monotonic() >= self._terminate_at):
            self._terminate_at = None
            send_signal(self._container, "SIGTERM")

    def _read(self) -> None:
        """Hand out lines until the container has closed its output, then learn how it ended."""
        from docker.utils.socket import frames_iter

        try:
            for stream, data in frames_iter(self._socket, tty=False):
                self._take(stream, data)
            for rest in filter(None, self._partial.values()):
                self._lines.put(rest)
            self._exit_code = self._wait_for_end()
        except Exception as error:  # whatever it is, the loop must hear of it, or it would wait for ever
            self._lost = engine_lost(error)

    def _take(self, stream: int, data: bytes) -> None:
        self._has_spoken = True
        *lines, self._partial[stream] = (self._partial.get(stream, b"") + data).split(b"\n")
        for line in lines:
            self._lines.put(line + b"\n")

    def _wait_for_end(self) -> int:
        for event in self._events:
            if event["Action"] == "oom":
                self._out_of_memory = True
            if event["Action"] == "die":
                return as_process(int(event["Actor"]["Attributes"]["exitCode"]))
        raise ConnectionError("it has closed the connection")

    def _remove(self) -> None:
        """End the container if it runs, and wait until it is gone."""
        import docker
        import requests

        try:
            with gone_already():
                self._container.remove(v=True, force=True)
            with gone_already():
                self._container.wait(condition="removed")
        except (docker.errors.DockerException, requests.RequestException):
            # Without its engine it cannot be removed from here: it has ended with it, or its lifeline ends it, and an
            # engine removes at its next start what should have gone.
            pass


def send_signal(container: Container, name: str) -> bool:
    """Send a signal to PID 1. False: it has ended already. Raises ContainerLost."""
    import docker
    import requests

    try:
        container.kill(name)
    except docker.errors.APIError as error:
        if error.status_code in (NOT_FOUND, CONFLICT):
            return False
        raise ContainerLost(engine_lost(error)) from error
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise ContainerLost(engine_lost(error)) from error
    return True


@contextlib.contextmanager
def gone_already() -> Iterator[None]:
    import docker

    try:
        yield
    except docker.errors.APIError as error:
        if error.status_code not in (NOT_FOUND, CONFLICT):
            raise


def as_process(code: int) -> int:
    """Docker's exit code as Python gives that of a child: negative when a signal ended it."""
    return SIGNAL_BASE - code if SIGNAL_BASE < code <= SIGNAL_BASE + SIGNALS else code


def _second_of(created: str) -> int:
    """`2026-11-22T10:20:30.123456789Z` as seconds since 1970."""
    return int(datetime.fromisoformat(created[:19] + "+00:00").timestamp())


def engine_lost(error: Any) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return f"the Docker engine has gone away while the job ran ({text}): start it, then start the same run again"
