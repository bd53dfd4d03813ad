"""The platforms `local` and `local_gpu`: SageMaker's own local mode, which runs the image through Docker Compose."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from contract.errors import UserError
from contract.paths import JobPaths
from launcher.engine import connect
from launcher.people import say
from launcher.plan import Plan
from launcher.platforms.compose import find_compose, put_shim
from launcher.platforms.docker_container import gone_already
from launcher.platforms.docker_platform import CHECKPOINTS_LABEL
from launcher.platforms.local_mode_container import LocalModeContainer
from launcher.platforms.local_mode_job import LocalModeJob, clean_up, write_job
from launcher.platforms.local_mode_model import take_failure, take_model
from launcher.platforms.local_mode_request import RECIPE_FOLDER, build_job, run_labels, sdk_environment
from launcher.run_folder import RunFolder

if TYPE_CHECKING:
    import docker


@dataclass(frozen=True)
class Layout:
    """What is there while a job is."""

    client: docker.DockerClient
    job: LocalModeJob
    root: Path
    environment: dict[str, str]  # of the SDK's process


class LocalModePlatform:
    """One job: the SDK's process and its container, in a private folder that is gone afterwards."""

    def __init__(self) -> None:
        self._layout: Layout | None = None

    @contextmanager
    def lay_out(self, plan: Plan) -> Iterator[JobPaths]:
        compose = find_compose(os.environ)
        with closing(connect()) as client:
            memory = _prepare_engine(client, plan)
            root = Path(tempfile.mkdtemp(prefix="ocr-local-mode-")).resolve()  # for this user only
            job = build_job(plan, root, memory)
            try:
                for name in ("bin", "output", RECIPE_FOLDER):
                    (root / name).mkdir()
                if compose.needs_shim:
                    put_shim(compose, root / "bin")
                if plan.sends_recipe:
                    shutil.copy(plan.recipe, root / RECIPE_FOLDER)
                self._layout = Layout(client, job, root, sdk_environment(os.environ, root / "bin"))
                yield JobPaths(root)
            finally:
                for problem in clean_up(job, client):
                    say(f"warning: {problem}")

    def start(self, plan: Plan, paths: JobPaths, folder: RunFolder) -> LocalModeContainer:
        layout = self._layout
        assert layout
        file = layout.root / "job.json"
        write_job(layout.job, file)
        return LocalModeContainer(
            client=layout.client,
            job_file=file,
            environment=layout.environment,
            label=layout.job.label,
            grace_s=plan.grace_s,
            locks=folder.locks,
            at_end=lambda: take_failure(layout.root / "output", paths.failure),
        )

    def collect(self, plan: Plan, paths: JobPaths) -> None:
        take_model(paths.base / "output", plan.model)


def _prepare_engine(client: docker.DockerClient, plan: Plan) -> int:
    """End what an earlier job has left, and return the engine's memory in bytes. Raises UserError.

    The run is locked: what still writes into its checkpoints has outlived its launcher and the SDK.
    """
    from docker.errors import DockerException
    from requests import RequestException

    label = f"{CHECKPOINTS_LABEL}={run_labels(plan)[CHECKPOINTS_LABEL]}"
    try:
        for container in client.containers.list(all=True, filters={"label": label}, ignore_removed=True):
            say(f"container {container.name} is left of an earlier start: it may save, then it is removed")
            with gone_already():
                container.stop(timeout=math.ceil(plan.grace_s))
                container.remove(force=True, v=True)
        return client.info()["MemTotal"]
    except (DockerException, RequestException) as error:
        raise UserError(f"the Docker engine does not answer ({error}): start it, then the same run again") from error
