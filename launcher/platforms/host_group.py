"""Several containers on this machine that train together: to the loop in run_job.py they are one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType

from launcher.platforms.platform import RunningContainer


class HostGroup:
    """One container for each host, started, told to stop and killed together. The first one's lines are the job's;
    those of the others begin with the host's name."""

    def __init__(self, hosts: Sequence[str], start: Callable[[str], RunningContainer]) -> None:
        self._containers: dict[str, RunningContainer] = {}
        try:
            for host in hosts:
                self._containers[host] = start(host)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        self._first, *self._others = self._containers.values()

    def __enter__(self) -> HostGroup:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for container in self._containers.values():
            container.__exit__(kind, error, tb)

    @property
    def name(self) -> str:
        return ", ".join(f"{host} {container.name}" for host, container in self._containers.items())

    @property
    def started(self) -> float:
        return self._first.started

    @property
    def exit_code(self) -> int | None:
        """None while one of them runs; then the first one's, or that of another which failed although it did not."""
        codes = [container.exit_code for container in self._containers.values()]
        if None in codes:
            return None
        return next((code for code in codes if code), 0)

    @property
    def reason(self) -> str:
        return self._first.reason

    @property
    def finished(self) -> bool:
        return all(container.finished for container in self._containers.values())

    def next_line(self, wait_s: float) -> bytes | None:
        for host, container in list(self._containers.items())[1:]:
            line = container.next_line(0)
            if line is not None:
                return f"{host}: ".encode() + line
        return self._first.next_line(wait_s)

    def terminate(self) -> None:
        for container in self._containers.values():
            if container.exit_code is None:
                container.terminate()

    def kill(self) -> None:
        for container in self._containers.values():
            container.kill()
