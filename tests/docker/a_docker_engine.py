"""A Docker engine and a base image for the tests, from what the machine has."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
from docker.errors import APIError, DockerException, ImageNotFound

BASE_IMAGE = "debian:bookworm-slim"
START_S = 60  # dockerd needs a few seconds; more on a busy machine
ROOM_GIB = 10  # of memory, for images and containers

# What bookworm-slim leaves out of bookworm, roughly.
NOT_IN_SLIM = ("usr/share/doc", "usr/share/man", "usr/share/locale", "var/cache/apt", "var/lib/apt/lists")


class NoEngine(Exception):
    """The text says what is missing."""


@contextmanager
def docker_engine() -> Iterator[docker.DockerClient]:
    """The engine that answers already; else, for root, one of its own that ends with the tests. Raises NoEngine."""
    try:
        client = docker.from_env(timeout=600)
    except DockerException as error:
        if os.geteuid() != 0 or not shutil.which("dockerd"):
            raise NoEngine(f"no Docker engine answers, and none can be started here ({error})") from None
    else:
        yield client
        client.close()
        return
    with (
        tempfile.TemporaryDirectory(prefix="ocr-dockerd-") as folder,
        _in_memory(Path(folder) / "root", ROOM_GIB),
        _dockerd(Path(folder)) as address,
    ):
        Path(folder).chmod(0o711)  # the group docker may use the socket, as it may elsewhere
        os.environ["DOCKER_HOST"] = address  # for the commands under test
        client = docker.DockerClient(base_url=address, timeout=600)
        try:
            yield client
        finally:
            client.close()
            del os.environ["DOCKER_HOST"]


@contextmanager
def _in_memory(folder: Path, gib: int) -> Iterator[None]:
    """A new folder, in memory where there is enough: some disks take minutes to write an image and to forget it."""
    folder.mkdir()
    available = next(line for line in Path("/proc/meminfo").read_text().splitlines() if "MemAvailable" in line)
    enough = int(available.split()[1]) * 2 >= 3 * gib * 2**20  # KiB; the tests want some, too
    mount = ["mount", "-t", "tmpfs", "-o", f"size={gib}g", "ocr-tests", str(folder)]
    is_mounted = enough and subprocess.run(mount, stderr=subprocess.DEVNULL, check=False).returncode == 0
    try:
        yield
    finally:
        if is_mounted:
            subprocess.run(["umount", "--recursive", "--lazy", str(folder)], check=True)


@contextmanager
def _dockerd(folder: Path) -> Iterator[str]:
    address = f"unix://{folder}/docker.sock"
    command = ["dockerd", "--host", address, "--data-root", f"{folder}/root", "--exec-root", f"{folder}/exec"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, "--pidfile", f"{folder}/pid"], stdout=log, stderr=log)
        try:
            give_up = time.monotonic() + START_S
            while not _answers(address):
                if process.poll() is not None or time.monotonic() > give_up:
                    last = (folder / "log").read_text(errors="replace").strip().splitlines()[-1:]
                    raise NoEngine(f"dockerd does not start ({' '.join(last)})")
                time.sleep(0.2)
            yield address
        finally:
            process.terminate()
            process.wait(60)


def _answers(address: str) -> bool:
    try:
        docker.DockerClient(base_url=address).close()  # it asks for the engine's version
    except DockerException:
        return False
    return True


def have_base_image(client: docker.DockerClient) -> str:
    """The base image: there already, pulled, or made with debootstrap where no registry is reachable."""
    try:
        client.images.get(BASE_IMAGE)
    except ImageNotFound:
        try:
            client.images.pull(BASE_IMAGE)
        except APIError as error:
            _make_base_image(client, str(error))
    return BASE_IMAGE


def _make_base_image(client: docker.DockerClient, why: str) -> None:
    if os.geteuid() != 0 or not shutil.which("debootstrap"):
        raise NoEngine(f"{BASE_IMAGE} cannot be pulled ({why}), and without root and debootstrap not be made")
    with tempfile.TemporaryDirectory(prefix="ocr-base-") as folder, _in_memory(Path(folder) / "room", 2):
        root = Path(folder) / "room" / "root"
        command = ["debootstrap", "--variant=minbase", "bookworm", str(root)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        for name in NOT_IN_SLIM:
            shutil.rmtree(root / name, ignore_errors=True)
        packed = subprocess.run(["tar", "-C", root, "-c", "."], check=True, stdout=subprocess.PIPE)
        name, tag = BASE_IMAGE.split(":")
        client.api.import_image_from_data(packed.stdout, repository=name, tag=tag)


def tiny_image(client: docker.DockerClient, dockerfile: str, tag: str, **files: bytes) -> str:
    """An image made from a few lines, in moments, by the engine's own builder."""
    import tarfile

    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        for name, data in {"Dockerfile": dockerfile.encode(), **files}.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o755
            tar.addfile(entry, io.BytesIO(data))
    context.seek(0)
    client.images.build(fileobj=context, custom_context=True, tag=tag, rm=True)
    return tag
