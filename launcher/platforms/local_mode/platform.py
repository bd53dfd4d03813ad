"""The platforms `local` and `local_gpu`: SageMaker's own local mode, which runs the image through Docker Compose."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from contract.paths import JobPaths
from launcher import engine
from launcher.people import say
from launcher.plan import Plan
from launcher.platforms.leftovers import end_leftovers
from launcher.platforms.local_mode.clean_up import clean_up
from launcher.platforms.local_mode.compose import find_compose, put_shim
from launcher.platforms.local_mode.container import LocalModeContainer
from launcher.platforms.local_mode.job import LocalModeJob, write_job
from launcher.platforms.local_mode.model import take_failure, take_model
from launcher.platforms.local_mode.request import (
    OUTPUT_FOLDER,
    RECIPE_FOLDER,
    ROOT_PREFIX,
    build_job,
    sdk_environment,
)
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
        with closing(engine.connect()) as client:
            with engine.explained():
                end_leftovers(client, plan)
                info = client.info()
            root = Path(tempfile.mkdtemp(prefix=ROOT_PREFIX)).resolve()  # for this user only
            job = build_job(plan, root, info)
            try:
                for name in ("bin", OUTPUT_FOLDER, RECIPE_FOLDER):
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
            at_end=lambda: take_failure(layout.root / OUTPUT_FOLDER, paths.failure),
        )

    def collect(self, plan: Plan, paths: JobPaths) -> None:
        take_model(paths.base / OUTPUT_FOLDER, plan.model)
