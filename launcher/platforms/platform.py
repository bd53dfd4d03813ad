"""What every platform offers the loop in run_job.py: a job's folder, one execution after the other, its model."""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Protocol

from contract.paths import JobPaths
from launcher.plan import PROCESS, Plan, build_request
from launcher.run_folder import RunFolder


class ContainerLost(Exception):
    """What runs the container can no longer be asked about it. The text is one sentence: cause and remedy."""


class RunningContainer(Protocol):
    """One execution of the container. Its context ends it, whatever happened inside, and leaves nothing behind.

    Every member may raise ContainerLost.
    """

    @property
    def name(self) -> str:
        """What people look for while it runs: `process 4711`, `container paddleocr-…`. Empty: not there yet."""

    @property
    def started(self) -> float:
        """When it was started (time.monotonic())."""

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative when a signal ended it (Docker's 137 is -9 here)."""

    @property
    def reason(self) -> str:
        """What the platform itself knows about its end, such as `out of memory`; mostly nothing."""

    @property
    def finished(self) -> bool:
        """It has ended and every line has been handed out."""

    def next_line(self, wait_s: float) -> bytes | None:
        """The next line as printed; None when none came within `wait_s`."""

    def terminate(self) -> None:
        """SIGTERM to the supervisor alone, as SageMaker does. Nothing to do when it has ended."""

    def kill(self) -> None:
        """SIGKILL to everything in it. Nothing to do when it has ended."""

    def __enter__(self) -> RunningContainer: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None: ...


class Platform(Protocol):
    """Where a job runs. Whatever cannot be done before a container runs raises UserError, one sentence."""

    def lay_out(self, plan: Plan) -> AbstractContextManager[JobPaths]:
        """A private /opt/ml for all executions of one call; it is removed afterwards.

        Of the paths it yields, the loop uses `failure` alone: cleared before an execution, read after it if it is
        there.
        """

    def start(self, plan: Plan, paths: JobPaths, folder: RunFolder) -> RunningContainer:
        """Start one execution. It finds the run's checkpoints (plan.checkpoints) and adds to them."""

    def collect(self, plan: Plan, paths: JobPaths) -> None:
        """After the last execution, however it ended: what it left as a model is in plan.model now. Raises OSError."""


def platform_of(plan: Plan) -> Platform:
    """The platform of a plan. Each is imported only when it is used: they need different packages."""
    if plan.instance == PROCESS:
        from launcher.platforms.process_platform import ProcessPlatform

        return ProcessPlatform()
    if _is_local_mode(plan):
        from launcher.platforms.local_mode.platform import LocalModePlatform

        return LocalModePlatform()
    from launcher.platforms.docker_platform import DockerPlatform

    return DockerPlatform()


def request_of(plan: Plan) -> dict[str, Any]:
    """The request as the job's platform is given it, for a dry run to show."""
    if not _is_local_mode(plan):
        return build_request(plan)
    from launcher.platforms.local_mode.request import build_local_request, planned_root

    return build_local_request(plan, planned_root())


def _is_local_mode(plan: Plan) -> bool:
    """SageMaker's own. It knows no interruptions."""
    return plan.instance != PROCESS and not plan.interruptions
