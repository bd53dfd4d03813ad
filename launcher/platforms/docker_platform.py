"""Docker on this machine, by its SDK alone: what SageMaker's local mode cannot do, above all be interrupted."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contract.errors import UserError
from contract.paths import BASE_DIR_VARIABLE, DEFAULT_BASE_DIR, FIRST_HOST, LIFELINE_VARIABLE, JobPaths
from launcher import engine
from launcher.inputs import RECIPE_CHANNEL
from launcher.plan import LOCAL_GPU, Plan
from launcher.platforms.docker_container import DockerContainer
from launcher.platforms.engine_info import NO_SELINUX_LABEL, host_users, is_rootless, shared_memory
from launcher.platforms.gpu import gpu_request
from launcher.platforms.job_folder import private_folder, write_job
from launcher.platforms.leftovers import end_leftovers, run_labels
from launcher.run_folder import RunFolder

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.errors import DockerException
    from docker.types import Mount

STDIN = "0"  # of the container: its lifeline

INSIDE = JobPaths(Path(DEFAULT_BASE_DIR))
_MOUNT_REFUSED = ("bind source path does not exist", "mounts denied", "is not shared", "invalid mount")
_NO_GPU = ("device driver", "nvidia", "cdi ")


class DockerPlatform:
    """The image as SageMaker runs it, with less: no network, no capabilities, its own files read-only."""

    def __init__(self) -> None:
        self._client: DockerClient
        self._image = ""  # its ID: all executions of a call use the same image, whatever happens to its name

    @contextmanager
    def lay_out(self, plan: Plan) -> Iterator[JobPaths]:
        """The mount points are made here: those that Docker would make belong to root."""
        with closing(engine.connect()) as self._client, private_folder() as folder:
            with engine.explained():
                end_leftovers(self._client, plan)
            image = engine.find_image(self._client, plan.image)
            if image is None:
                raise UserError(_image_gone(plan))
            self._image = image.id
            paths = JobPaths(folder / "opt-ml")
            write_job(plan, paths)
            for point in (*map(paths.channel, plan.channels), paths.checkpoints, paths.model):
                point.mkdir(parents=True)
            if plan.sends_recipe:
                channel = paths.channel(RECIPE_CHANNEL)
                channel.mkdir()
                shutil.copyfile(plan.recipe, channel / plan.recipe.name)
            yield paths

    def start(self, plan: Plan, paths: JobPaths, folder: RunFolder) -> DockerContainer:
        import docker
        import requests

        scratch = paths.base.with_name("tmp")  # empty at every start, as on a new machine
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        try:
            container = self._client.containers.create(
                self._image, **_options(plan, paths, scratch, self._client.info())
            )
            return DockerContainer(container)
        except (docker.errors.DockerException, requests.RequestException) as error:
            raise UserError(_why_not_started(error, plan)) from error

    def collect(self, plan: Plan, paths: JobPaths) -> None:
        """The job has written into plan.model itself."""


def _options(plan: Plan, paths: JobPaths, scratch: Path, info: dict[str, Any]) -> dict[str, Any]:
    """How the container is made; `info` is what the engine says about itself."""
    request = gpu_request(info) if plan.instance == LOCAL_GPU else None
    return {
        "command": list(plan.command),
        "name": f"paddleocr-{plan.run}-{secrets.token_hex(2)}",
        "hostname": FIRST_HOST,
        "environment": plan.environment | {BASE_DIR_VARIABLE: DEFAULT_BASE_DIR, LIFELINE_VARIABLE: STDIN},
        "labels": run_labels(plan),
        "mounts": _mounts(plan, paths, scratch),
        "stdin_open": True,  # open for as long as this process stays attached, and no longer
        "auto_remove": True,
        "init": False,  # the supervisor is PID 1, as on SageMaker
        "stop_signal": "SIGTERM",
        "network_mode": "none",
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges", NO_SELINUX_LABEL],
        "shm_size": shared_memory(info),
        "device_requests": [request] if request else None,
        **_identity(info),
    }


def _mounts(plan: Plan, paths: JobPaths, scratch: Path) -> list[Mount]:
    from docker.types import Mount

    def mount(source: Path, target: Path, *, read_only: bool = False) -> Mount:
        return Mount(str(target), os.path.realpath(source), type="bind", read_only=read_only)

    return [
        mount(paths.base, INSIDE.base),
        *(mount(folder, INSIDE.channel(name), read_only=True) for name, folder in plan.channels.items()),
        mount(plan.checkpoints, INSIDE.checkpoints),
        mount(plan.model, INSIDE.model),
        mount(scratch, Path("/tmp")),
    ]


def _identity(info: dict[str, Any]) -> dict[str, Any]:
    """Who the container is, so that what it writes belongs to the user."""
    if is_rootless(info):
        return {"user": "0:0"}
    identity = {"user": f"{os.getuid()}:{os.getgid()}", "group_add": [str(group) for group in os.getgroups()]}
    return identity | host_users(info)


def _why_not_started(error: DockerException | Exception, plan: Plan) -> str:
    """What Docker refuses, in one sentence with its remedy."""
    import docker

    text = " ".join(str(getattr(error, "explanation", None) or error).split())
    if isinstance(error, docker.errors.ImageNotFound):
        return _image_gone(plan)
    if any(words in text.lower() for words in _MOUNT_REFUSED):
        return (
            f"Docker cannot mount a folder of this job ({text}): share the folder in Docker Desktop's settings; "
            "an engine on another machine can mount none of this one's"
        )
    if plan.instance == LOCAL_GPU and any(words in text.lower() for words in _NO_GPU):
        return f"Docker cannot give the container a GPU ({text}): mend the NVIDIA Container Toolkit"
    if not isinstance(error, docker.errors.APIError):
        return f"the Docker engine does not answer ({text}): start it, then start the same run again"
    return (
        f"Docker could not start the container of image {plan.image} ({text}): mend that, then start the same run again"
    )


def _image_gone(plan: Plan) -> str:
    return f"image {plan.image} is no longer in this Docker engine: build it with `make image`, or pull it"
