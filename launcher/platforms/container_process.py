"""One execution of the container as a child process, its output as one stream of lines."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from contract.paths import BASE_DIR_VARIABLE, CHECKPOINTS_VARIABLE, LIFELINE_VARIABLE

DRAIN_S = 15.0  # a process that outlives the container may hold its output open; it is not waited for longer

ROOT = Path(__file__).resolve().parents[2]


class ContainerProcess:
    """The container, alone in its session: Ctrl-C reaches the launcher only, SIGKILL reaches the whole group.

    It holds the read end of a pipe whose write end only this process has (its lifeline), so it cannot outlive the
    launcher; and it inherits the run's locks, so nobody else uses the run while it lives.
    """

    def __init__(
        self, command: Sequence[str], base: Path, environment: Mapping[str, str], locks: Sequence[int] = ()
    ) -> None:
        variables = child_environment(os.environ) | dict(environment) | {BASE_DIR_VARIABLE: str(base)}
        lifeline, self._held = os.pipe()
        variables[LIFELINE_VARIABLE] = str(lifeline)
        try:
            self._process = subprocess.Popen(
                list(command),
                cwd=base,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(lifeline, *locks),
            )
        except BaseException:
            os.close(self._held)
            raise
        finally:
            os.close(lifeline)
        self.started = time.monotonic()
        self._lines: queue.Queue[bytes] = queue.Queue()
        self._ended: float | None = None
        self._reader = threading.Thread(target=self._read, daemon=True, name="container output")
        self._reader.start()

    def __enter__(self) -> ContainerProcess:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """Nothing of the container is left running, whatever happened here."""
        self.kill()
        self._process.wait()
        os.close(self._held)

    @property
    def name(self) -> str:
        return f"process {self._process.pid}"

    @property
    def reason(self) -> str:
        """The system says no more than the exit code."""
        return ""

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative when a signal ended it."""
        return self._process.poll()

    @property
    def finished(self) -> bool:
        """It has ended and every line has been handed out (or what still holds the output open was given up on)."""
        if self.exit_code is None:
            return False
        if self._ended is None:
            self._ended = time.monotonic()
        drained = not self._reader.is_alive() or time.monotonic() - self._ended > DRAIN_S
        return drained and self._lines.empty()

    def next_line(self, wait_s: float) -> bytes | None:
        """The next line as printed, newline included; None when none came within `wait_s`."""
        try:
            return self._lines.get(timeout=wait_s)
        except queue.Empty:
            return None

    def terminate(self) -> None:
        """SIGTERM to the supervisor alone, as SageMaker does; it passes it on."""
        self._process.terminate()

    def kill(self) -> None:
        """SIGKILL to every process of the container's group."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):  # macOS: EPERM for a group of zombies
            pass

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._lines.put(line)


def child_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of this process, made fit for another current folder.

    The container starts in its private folder, so that a `container/` of the user's current folder is not imported.
    """
    variables = dict(environment)
    variables.pop(CHECKPOINTS_VARIABLE, None)
    variables["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), variables.get("PYTHONPATH"))))
    if variables.get("PADDLEOCR_HOME"):
        variables["PADDLEOCR_HOME"] = str(Path(variables["PADDLEOCR_HOME"]).expanduser().absolute())
    variables["PYTHONUNBUFFERED"] = "1"
    variables["PYTHONIOENCODING"] = "utf-8"  # the log is UTF-8 whatever the locale
    return variables
