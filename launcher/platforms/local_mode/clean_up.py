"""Everything that a job in local mode leaves behind in Docker and on disk, taken away.

`python -m launcher.platforms.local_mode.clean_up JOB.json` is what a job becomes whose launcher was killed.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from launcher.engine import connect
from launcher.platforms.docker_container import gone_already
from launcher.platforms.engine_info import NO_SELINUX_LABEL, host_users, is_rootless
from launcher.platforms.local_mode.job import JOB_LABEL, LocalModeJob, read_job

if TYPE_CHECKING:
    import docker

# The SDK gives every job's network this name, and leaves it behind.
NETWORK = "sagemaker-local"
COMPOSE_NETWORK_LABEL = "com.docker.compose.network"

COMPOSE_ENDS_WITHIN_S = 10.0


def clean_up(job: LocalModeJob, client: docker.DockerClient) -> list[str]:
    """End and remove what is left of a job. Returns a sentence for each thing that could not be done."""
    root = Path(job.root)
    try:
        remove_containers(client, job)
    except Exception as error:  # it may still run: its files stay where they are
        return [
            f"a container of this job may be left: docker ps -a --filter label={job.label} ({_words(error)})",
            f"its private folder stays until it has ended: sudo rm -r {root}",
        ]
    folders = [folder for folder in (Path(job.checkpoints), root) if folder.is_dir()]
    steps: list[tuple[Callable[[], None], str]] = [
        (
            lambda: give_back(client, job.image, folders, os.getuid(), os.getgid()),
            f"files that the container wrote belong to root: sudo chown -R $USER {' '.join(map(str, folders))}",
        ),
        (lambda: remove_network(client), f"a network may be left: docker network rm {NETWORK}"),
        (lambda: shutil.rmtree(root), f"a private folder is left: sudo rm -r {root}"),
    ]
    problems = []
    for step, remedy in steps:
        try:
            step()
        except Exception as error:  # the other steps are still to be done
            problems.append(f"{remedy} ({_words(error)})")
    return problems


def _words(error: Exception) -> str:
    return " ".join(str(error).split())


def remove_containers(client: docker.DockerClient, job: LocalModeJob) -> None:
    """End (SIGKILL) and remove the containers of a job."""
    for container in client.containers.list(all=True, filters={"label": job.label}, ignore_removed=True):
        with gone_already():
            container.remove(force=True, v=True)


def give_back(client: docker.DockerClient, image: str, folders: list[Path], user: int, group: int) -> None:
    """Make files that a container wrote as root the user's own, by a container that may do nothing else."""
    folders = [folder for folder in folders if _holds_files_of_others(folder, user)]
    if not folders:
        return
    info = client.info()
    owner = "0:0" if is_rootless(info) else f"{user}:{group}"
    places = {str(folder): {"bind": f"/folders/{number}", "mode": "rw"} for number, folder in enumerate(folders)}
    client.containers.run(
        image,
        entrypoint=["chown"],
        command=["-hR", owner, *(place["bind"] for place in places.values())],
        user="0:0",
        volumes=places,
        network_mode="none",
        read_only=True,
        cap_drop=["ALL"],
        cap_add=["CHOWN", "DAC_OVERRIDE"],
        security_opt=["no-new-privileges", NO_SELINUX_LABEL],
        remove=True,
        **host_users(info),
    )


def _holds_files_of_others(folder: Path, user: int) -> bool:
    """Something in it belongs to somebody else. With rootless Docker, and on macOS, nothing ever does."""
    if folder.lstat().st_uid != user:
        return True
    for parent, names, files in os.walk(folder):
        if any(os.lstat(os.path.join(parent, name)).st_uid != user for name in (*names, *files)):  # noqa: PTH118
            return True
    return False


def remove_network(client: docker.DockerClient) -> None:
    """Remove the network of the SDK's jobs, unless another job is there.

    Compose finds the network, makes its container, and only then starts it: the engine itself calls a network unused
    until that last step.
    """
    import docker

    others = ({"network": NETWORK}, {"label": JOB_LABEL})
    if any(client.containers.list(all=True, filters=other, ignore_removed=True) for other in others):
        return
    for network in client.networks.list(names=[NETWORK], filters={"label": COMPOSE_NETWORK_LABEL}):
        if network.name != NETWORK:  # the engine's filter takes a part of a name too
            continue
        try:
            network.remove()
        except docker.errors.NotFound:
            pass
        except docker.errors.APIError as error:
            if error.status_code != 403:  # 403: in use
                raise


def main(argv: list[str] | None = None) -> int:
    """Clean up after a job whose launcher is gone. Nobody reads what this prints; the run's locks are held meanwhile.

    Compose, started by this process when it still ran the SDK, may be about to start the container: it is told to
    end, and whatever it has started goes before it is waited for.
    """
    job = read_job(Path((sys.argv[1:] if argv is None else argv)[0]))
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)
    client = connect()
    give_up = time.monotonic() + COMPOSE_ENDS_WITHIN_S
    while _has_children() and time.monotonic() < give_up:
        remove_containers(client, job)
        time.sleep(0.2)
    return 1 if clean_up(job, client) else 0


def _has_children() -> bool:
    """Some process that this one started still runs."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


if __name__ == "__main__":
    raise SystemExit(main())
