"""One execution in local mode: the SDK's process, and the container that it starts, which is spoken to directly.

What the SDK itself passes on of a container's output has lost lines and got prefixes.
"""

from __future__ import annotations

import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from contract.paths import EXIT_FAILED, EXIT_REFUSED, LIFELINE_VARIABLE
from launcher.platforms.docker_container import OUT_OF_MEMORY, as_process, engine_lost, send_signal
from launcher.platforms.local_mode.complaints import (
    complaint_in,
    lines_to_keep,
    our_error_in,
    read_log,
    why_not_started,
)
from launcher.platforms.platform import ContainerLost

if TYPE_CHECKING:
    import docker
    from docker.models.containers import Container

LOOK_EVERY_S = 0.2  # for the container, until the SDK has started it
SETTLE_S = 3.0  # between the end of the SDK's process and the last news of its container, when all is well
NOT_STARTED = "0001-01-01"  # Docker's way to say never

ALMOST_NOTHING = 1 << 20  # bytes


class LocalModeContainer:
    """The SDK's process is alone in its session: Ctrl-C reaches the launcher only.

    It holds the read end of a pipe whose write end only this process has, and the run's locks: when the launcher is
    killed, it ends the container and cleans up, and nobody else uses the run before that.
    """

    def __init__(
        self,
        client: docker.DockerClient,
        job_file: Path,
        environment: Mapping[str, str],
        label: str,
        grace_s: float,
        locks: Sequence[int],
        at_end: Callable[[], None],
    ) -> None:
        self._client = client
        self._label = label
        self._grace_s = grace_s
        self._at_end = at_end
        self._container: Container | None = None  # once it has been started
        self._lines: queue.Queue[bytes] = queue.Queue()
        self._heard = False
        self._ending = False  # kill() was called
        self._sdk_ended: float | None = None
        self._abandoned = False  # by the SDK: it ended first
        self._code: int | None = None
        self._reason = ""
        self._lost: ContainerLost | None = None
        self._log = job_file.with_name("sdk.log")
        self._process, self._held = _start_sdk(job_file, environment, self._log, locks)
        self.started = time.monotonic()
        self._watcher = threading.Thread(target=self._watch, daemon=True, name="local mode")
        self._watcher.start()

    def __enter__(self) -> LocalModeContainer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """Nothing is left running, whatever happened here."""
        with suppress(ContainerLost):  # what cannot be ended now is named when the job is cleaned up
            self.kill()
        self._process.wait()
        os.close(self._held)

    @property
    def name(self) -> str:
        return f"container {self._container.name}" if self._container else ""

    @property
    def exit_code(self) -> int | None:
        """None until the container has ended and the SDK has packed its model; negative when a signal ended it."""
        return self._code

    @property
    def reason(self) -> str:
        return self._reason

    @property
    def finished(self) -> bool:
        self._raise_if_lost()
        return self._code is not None and self._lines.empty()

    def next_line(self, wait_s: float) -> bytes | None:
        self._end_with_the_sdk()
        try:
            return self._lines.get(timeout=wait_s)
        except queue.Empty:
            self._raise_if_lost()
            return None

    def terminate(self) -> None:
        """SIGTERM to the container, once it can hear it: before its first line nothing is lost with it.

        Linux keeps signals from a container's first process as long as it has no handler for them.
        """
        if self._container is None or not self._heard:
            self.kill()
        else:
            send_signal(self._container, "SIGTERM")

    def kill(self) -> None:
        if self._code is not None:
            return
        self._ending = True
        if self._container is not None:
            send_signal(self._container, "SIGKILL")
        with suppress(ProcessLookupError, PermissionError):  # macOS: EPERM for a group of zombies
            os.killpg(self._process.pid, signal.SIGKILL)

    def _watch(self) -> None:
        from docker.errors import DockerException
        from requests import RequestException

        try:
            container = self._find()
            if container is not None:
                self._container = container
                if self._ending:  # it was started in the moment of the kill
                    send_signal(container, "SIGKILL")
                for line in _lines_of(container):
                    self._heard = True
                    self._lines.put(line)
                code = container.wait()["StatusCode"]
                container.reload()
            self._process.wait()
            self._at_end()
            self._reason, code = self._judge(None if container is None else code)
            self._code = code  # last: it says that all is known
        except ContainerLost as error:
            self._lost = error
        except (DockerException, RequestException) as error:
            self._lost = ContainerLost(engine_lost(error))
        except Exception as error:  # a thread's end would otherwise go unnoticed, and the job be waited for for ever
            self._lost = ContainerLost(f"local mode could not be followed ({error}): start the same run again")

    def _find(self) -> Container | None:
        """The job's container once it has started; None when the SDK ended without that."""
        while True:
            is_last_look = self._process.poll() is not None
            for container in self._client.containers.list(
                all=True, filters={"label": self._label}, ignore_removed=True
            ):
                if not container.attrs["State"]["StartedAt"].startswith(NOT_STARTED):
                    return container
                self._reason = container.attrs["State"]["Error"]
            if is_last_look:
                return None
            time.sleep(LOOK_EVERY_S)

    def _judge(self, code: int | None) -> tuple[str, int]:
        """Why and how it ended."""
        sdk = self._process.returncode
        if self._ending and sdk < 0:
            return "", sdk
        text = read_log(self._log)
        if code is None:
            self._keep(text)
            return why_not_started(self._reason or complaint_in(text)), EXIT_REFUSED
        said = our_error_in(text) or _full_disk(self._log.parent) or f"exit code {sdk}"
        if self._abandoned:
            self._keep(text)
            return f"SageMaker's local mode ended before its container ({said}): start the same run again", EXIT_FAILED
        if code == 0 and sdk != 0 and not self._log.with_name("output").joinpath("model.tar.gz").exists():
            self._keep(text)
            return f"SageMaker's local mode did not pack the model ({said}): start the same run again", EXIT_FAILED
        state = self._container.attrs["State"] if self._container else {}
        return OUT_OF_MEMORY if state.get("OOMKilled") else "", as_process(code)

    def _keep(self, text: str) -> None:
        """Hand out what local mode itself printed, for job.log: its own file goes with the private folder."""
        for line in lines_to_keep(text, container_ran=self._container is not None):
            self._lines.put(f"local mode: {line}\n".encode())

    def _end_with_the_sdk(self) -> None:
        """A container whose SDK has ended would train a model that nobody packs: let it save and end."""
        if self._process.poll() is None or self._code is not None or self._container is None or self._ending:
            return
        self._sdk_ended = self._sdk_ended or time.monotonic()
        if self._abandoned or time.monotonic() - self._sdk_ended < SETTLE_S:
            return
        self._abandoned = send_signal(self._container, "SIGTERM")
        if self._abandoned:
            timer = threading.Timer(self._grace_s, self._kill_container)
            timer.daemon = True
            timer.start()

    def _kill_container(self) -> None:
        if self._container is not None:
            with suppress(ContainerLost):  # the watcher finds that, too
                send_signal(self._container, "SIGKILL")

    def _raise_if_lost(self) -> None:
        if self._lost and self._lines.empty():
            raise self._lost


def _start_sdk(
    job_file: Path, environment: Mapping[str, str], log: Path, locks: Sequence[int]
) -> tuple[subprocess.Popen[bytes], int]:
    """The process, and the end of its lifeline that this process holds."""
    lifeline, held = os.pipe()
    try:
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "launcher.platforms.local_mode.sdk", str(job_file)],
                cwd=job_file.parent,
                env={**environment, LIFELINE_VARIABLE: str(lifeline)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(lifeline, *locks),
            )
    except BaseException:
        os.close(held)
        raise
    finally:
        os.close(lifeline)
    return process, held


def _lines_of(container: Container) -> Iterator[bytes]:
    """The container's output as it was written: the SDK gives it a terminal, which ends lines with CR LF."""
    line = bytearray()
    for piece in container.logs(stream=True, follow=True):
        line += piece
        while (end := line.find(b"\n")) >= 0:
            yield bytes(line[:end]).rstrip(b"\r") + b"\n"
            del line[: end + 1]
    if line:
        yield bytes(line)


def _full_disk(folder: Path) -> str:
    """The SDK packs the model in the private folder; when that is full, its log is cut short, too."""
    if shutil.disk_usage(folder).free > ALMOST_NOTHING:
        return ""
    return f"no space is left in {folder.parent}; TMPDIR can name another folder"
