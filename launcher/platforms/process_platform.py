"""The platform `process`: the container's code as a child process of this machine, without Docker or AWS."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contract.paths import JobPaths
from launcher.plan import Plan
from launcher.platforms.container_process import ContainerProcess
from launcher.platforms.job_folder import private_folder, write_job
from launcher.run_folder import RunFolder


class ProcessPlatform:
    """Data, checkpoints and model are links to where they really are: nothing is copied."""

    @contextmanager
    def lay_out(self, plan: Plan) -> Iterator[JobPaths]:
        with private_folder() as base:
            paths = JobPaths(base)
            write_job(plan, paths)
            for name, folder in plan.channels.items():
                _link(folder, paths.channel(name))
            _link(plan.checkpoints, paths.checkpoints)
            _link(plan.model, paths.model)
            yield paths

    def start(self, plan: Plan, paths: JobPaths, folder: RunFolder) -> ContainerProcess:
        return ContainerProcess(plan.command, paths.base, plan.environment, folder.locks)

    def collect(self, plan: Plan, paths: JobPaths) -> None:
        """The job has written into plan.model itself."""


def _link(target: Path, link: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(target, target_is_directory=True)
