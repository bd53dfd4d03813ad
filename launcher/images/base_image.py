"""The image that ours begins with: taken from the engine, or pulled into it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contract.errors import UserError
from launcher.engine import CONTRACT_LABEL, PLATFORM, check_platform, find_image, platform_of
from launcher.status_line import PlainStatus

if TYPE_CHECKING:
    import docker
    from docker.models.images import Image


def base_image(client: docker.DockerClient, name: str, view: PlainStatus) -> Image:
    """The base image for linux/amd64. One that is here is not pulled again: our tag would change. Raises UserError."""
    image = find_image(client, name)
    if image is not None and CONTRACT_LABEL in image.labels:
        raise UserError(f"--base-image {name} is an image that this project has built: name one to build on")
    if image is None or platform_of(image) != PLATFORM:
        if image is not None:
            view.say(f"the base image {name} is here for {platform_of(image)} only")
        _pull(client, name, view)
        image = find_image(client, name)
    if image is None:
        raise UserError(f"the base image {name} was pulled, but the engine does not have it under that name: try again")
    check_platform(image, name)
    return image


def _pull(client: docker.DockerClient, name: str, view: PlainStatus) -> None:
    from docker.errors import APIError

    view.say(f"pulling the base image {name}")
    layers: dict[str, tuple[int, int]] = {}  # bytes there, bytes in all
    try:
        for message in client.api.pull(name, platform=PLATFORM, stream=True, decode=True):
            if "error" in message:
                raise UserError(_why_not(name, message["error"]))
            detail = message.get("progressDetail") or {}
            if message.get("status") == "Downloading" and detail.get("total"):
                layers[message["id"]] = (detail["current"], detail["total"])
                there, total = (sum(column) for column in zip(*layers.values(), strict=True))
                view.set(f"pulling {name}: {there / 1e6:.0f} of {total / 1e6:.0f} MB")
    except APIError as error:
        raise UserError(_why_not(name, error.explanation or str(error))) from error


def _why_not(name: str, said: str) -> str:
    return (
        f"the base image {name} is not in this engine and cannot be pulled ({' '.join(said.split())}): check its name "
        "and the engine's network, load it with docker load, or name another with --base-image"
    )
