"""The Docker engine of this machine: reaching it, finding images in it, and refusing those that no job can run."""

from __future__ import annotations

import contextlib
import os
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from contract.errors import UserError

if TYPE_CHECKING:
    import docker
    from docker.models.containers import Container
    from docker.models.images import Image

REPOSITORY = "paddleocr-sagemaker"  # the name of our images in an engine

# An image built from our Dockerfile says so, and what went into it, in labels that begin like this.
LABEL_PREFIX = "paddleocr-sagemaker."
CONTRACT_LABEL = LABEL_PREFIX + "contract"

PLATFORM = "linux/amd64"  # the only one SageMaker trains on
TIMEOUT_S = 120.0  # of one request to the engine; an answer may take long while its disk is busy
LINKS_FOLLOWED = 8
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class LocalImage:
    """An image of ours in this engine."""

    name: str  # paddleocr-sagemaker:TAG
    id: str
    created: int  # seconds since 1970
    labels: Mapping[str, str]

    @property
    def device(self) -> str:
        return self.labels.get(LABEL_PREFIX + "device", "")


def connect(timeout_s: float = TIMEOUT_S) -> docker.DockerClient:
    """The engine that DOCKER_HOST, or else the user's docker context, names. Raises UserError."""
    try:
        from docker import DockerClient
        from docker.errors import DockerException
    except ImportError:
        raise UserError("the Python package docker is not installed here: run bash setup.sh --launch") from None
    address, options = _endpoint()
    try:
        client = DockerClient(base_url=address, version="auto", timeout=timeout_s, **options)
        system = client.version().get("Os", "linux")
    except DockerException as error:
        raise UserError(_why_unreachable(address, error)) from error
    if system != "linux":
        client.close()
        raise UserError(f"the Docker engine at {address} runs {system} containers: switch it to Linux containers")
    return client


@contextlib.contextmanager
def session() -> Iterator[docker.DockerClient]:
    """A client for some questions. Whatever the engine fails with on the way is one sentence. Raises UserError."""
    with contextlib.closing(connect()) as client, explained():
        yield client


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Turns what the engine fails with inside into a UserError."""
    from docker.errors import DockerException
    from requests import RequestException

    try:
        yield
    except (DockerException, RequestException) as error:
        said = " ".join(str(getattr(error, "explanation", None) or error).split())
        raise UserError(f"the Docker engine failed ({said}): see that it runs (docker info), then try again") from error


def find_image(client: docker.DockerClient, reference: str) -> Image | None:
    """The image of this name or ID, if the engine has it."""
    from docker.errors import APIError, ImageNotFound

    try:
        return client.images.get(reference)
    except ImageNotFound:
        return None
    except APIError as error:
        raise UserError(f"{reference!r} is no name of an image ({error.explanation})") from error


def local_images(client: docker.DockerClient) -> list[LocalImage]:
    """Our images in this engine, newest first. One that was made from ours has its labels, but another name."""
    found = []
    for each in client.api.images(name=REPOSITORY, filters={"label": CONTRACT_LABEL}):
        name = next((name for name in each["RepoTags"] or [] if name.startswith(f"{REPOSITORY}:")), "")
        if not name:
            continue
        found.append(LocalImage(name, each["Id"], each["Created"], each["Labels"]))
    return sorted(found, key=lambda image: image.created, reverse=True)


def check_image(image: Image, name: str) -> None:
    """Refuse an image that SageMaker could not run with `docker run IMAGE train`. Starts nothing. Raises UserError."""
    check_platform(image, name)
    config = image.attrs.get("Config") or {}
    if CONTRACT_LABEL in image.labels or config.get("Entrypoint"):
        return
    searched = _path_of(config).split(":")
    with _container_of(image) as container:
        if not any(_is_executable(container, posixpath.join(folder, "train")) for folder in searched if folder):
            raise UserError(
                f"image {name} cannot run `train`: it has no entry point and no executable `train` in "
                f"{_path_of(config)}; use an image that `make image` has built"
            )


def check_platform(image: Image, name: str) -> None:
    """Refuse an image for another kind of machine. Raises UserError."""
    platform = platform_of(image)
    if platform != PLATFORM:
        raise UserError(f"image {name} is for {platform}, and SageMaker runs {PLATFORM} only: build it for {PLATFORM}")


def platform_of(image: Image) -> str:
    """The kind of machine that an image is for, such as linux/amd64."""
    return f"{image.attrs.get('Os')}/{image.attrs.get('Architecture')}"


def context_name() -> str:
    """Docker's current context, by the rules of its own client; `default` where DOCKER_HOST names the engine."""
    from docker.context.config import get_current_context_name

    if os.environ.get("DOCKER_HOST"):
        return "default"
    return os.environ.get("DOCKER_CONTEXT") or get_current_context_name()


def _endpoint() -> tuple[str, dict[str, Any]]:
    """Address and options of the engine, by the rules of Docker's own client. docker-py alone knows no contexts."""
    from docker.context import ContextAPI
    from docker.utils import kwargs_from_env

    options = kwargs_from_env()
    address = options.pop("base_url", "")
    if not address:
        name = context_name()
        try:
            context = ContextAPI.get_context(name)
        except Exception as error:  # a damaged context is reported as a plain Exception
            raise UserError(f"Docker's context cannot be read ({error}): choose one with docker context use") from error
        if context is None:
            raise UserError(f"Docker has no context {name!r}: choose one of docker context ls with docker context use")
        address = context.Host
        if context.TLSConfig:
            options["tls"] = context.TLSConfig
    if address.startswith("ssh://"):  # docker-py needs a package more for it, and its mounts would be there, not here
        raise UserError(
            f"the Docker engine at {address} is on another machine: name one of this machine in DOCKER_HOST"
        )
    return address, options


def _why_unreachable(address: str, error: Exception) -> str:
    causes = list(_causes(error))
    if any(isinstance(cause, PermissionError) for cause in causes):
        return (
            f"the Docker engine at {address} is not open to this user: "
            "join its group (sudo usermod -aG docker $USER), then log in again"
        )
    if any(isinstance(cause, FileNotFoundError) for cause in causes):
        return f"there is no Docker engine at {address}: install Docker, or start it (sudo systemctl start docker)"
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return f"the Docker engine at {address} does not run: start it (sudo systemctl start docker, or Docker Desktop)"
    return f"the Docker engine at {address} does not answer ({error}): check DOCKER_HOST and docker context ls"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what led to it: requests and urllib3 hide the system's own error below theirs."""
    seen: list[BaseException] = []
    left: list[BaseException | None] = [error]
    while left:
        each = left.pop()
        if each is not None and each not in seen:
            seen.append(each)
            left += [each.__cause__, each.__context__, *(arg for arg in each.args if isinstance(arg, BaseException))]
            yield each


def _path_of(config: Mapping[str, Any]) -> str:
    variables = dict(entry.partition("=")[::2] for entry in config.get("Env") or [])
    return variables.get("PATH") or DEFAULT_PATH


@contextlib.contextmanager
def _container_of(image: Image) -> Iterator[Container]:
    """A container that is never started, to look into the image's files."""
    container = image.client.containers.create(image.id, command=["train"], network_mode="none")
    try:
        yield container
    finally:
        container.remove(force=True)


def _is_executable(container: Container, path: str) -> bool:
    """A file that may be executed, at the end of its links. Reads its entry only, not the file."""
    from docker.errors import APIError

    for _ in range(LINKS_FOLLOWED):
        try:
            stream, entry = container.get_archive(path)
        except APIError:  # not there; or a link to itself, which the engine answers with 500
            return False
        stream.close()
        if entry["linkTarget"]:  # already resolved inside the image
            path = entry["linkTarget"]
            continue
        # Go's os.FileMode: the permissions are the lowest nine bits, the highest says folder
        return bool(entry["mode"] & 0o111) and not entry["mode"] >> 31
    return False
