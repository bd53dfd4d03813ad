"""The platform `process`: the container's code as a child process of this machine, without Docker or AWS."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contract.paths import MEETING_VARIABLE, JobPaths
from launcher.plan import Plan
from launcher.platforms.container_process import ContainerProcess
from launcher.platforms.host_group import HostGroup
from launcher.platforms.job_folder import private_folder, write_job
from launcher.platforms.platform import RunningContainer
from launcher.run_folder import RunFolder


class ProcessPlatform:
    """Data, checkpoints and model are links to where they really are: nothing is copied."""

    @contextmanager
    def lay_out(self, plan: Plan) -> Iterator[JobPaths]:
        with private_folder() as base:
            first, *others = (JobPaths(base / host) for host in plan.hosts)
            for host, paths in zip(plan.hosts, (first, *others), strict=True):
                write_job(plan, paths, host)
                for name, folder in plan.channels.items():
                    _link(folder, paths.channel(name))
            _link(plan.checkpoints, first.checkpoints)
            _link(plan.model, first.model)
            for paths in others:  # theirs stay empty
                paths.checkpoints.mkdir()
                paths.model.mkdir()
            yield first

    def start(self, plan: Plan, paths: JobPaths, folder: RunFolder) -> RunningContainer:
        def start_on(host: str) -> ContainerProcess:
            base = paths.base.with_name(host)
            return ContainerProcess(plan.command, base, plan.environment | meeting, folder.locks)

        if len(plan.hosts) == 1:
            meeting: dict[str, str] = {}
            return start_on(plan.hosts[0])
        meeting = {MEETING_VARIABLE: f"127.0.0.1:{_free_port()}"}  # their names mean nothing on this machine
        return HostGroup(plan.hosts, start_on)

    def collect(self, plan: Plan, paths: JobPaths) -> None:
        """The job has written into plan.model itself."""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _link(target: Path, link: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(target, target_is_directory=True)
