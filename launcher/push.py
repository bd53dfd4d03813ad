"""`python -m launcher push`: the image in ECR, built and pushed unless it is there, and its digest noted."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from contract.errors import UserError
from launcher.entry import enter
from launcher.flags import PUSH
from launcher.image_settings import ImageSettings, load_image_settings
from launcher.people import answer, say
from launcher.progress import clock, size_text
from launcher.sources import gather

if TYPE_CHECKING:
    import docker

    from launcher.images.ecr import Repository, StoredImage
    from launcher.images.image import ImageSpec


@dataclass(frozen=True)
class ImageInEcr:
    """An image that SageMaker can pull."""

    uri: str  # ADDRESS@sha256:…
    tag: str
    digest: str
    repository: str  # its name
    pushed: bool  # now; else it was there
    size: int  # bytes, compressed
    seconds: float


def main(argv: list[str] | None = None, root: Path | None = None) -> int:
    """One call. Returns the exit code. `root` is the folder of the Dockerfile (default: this project's)."""
    from launcher.images.buildkit import BuildFailed

    return enter(argv, partial(push, root=root), (BuildFailed,))


def push(argv: list[str], root: Path | None = None) -> int:
    """Where to, what, is it there already, build, push, note."""
    began = time.monotonic()
    settings = load_image_settings("push", argv)
    # Imported here: --help and a wrong flag need none of this (boto3, docker).
    from launcher.aws import open_account
    from launcher.engine import session
    from launcher.images.ecr import check_address, check_tag, find_image, open_repository, parse_address
    from launcher.images.image import ROOT
    from launcher.images.pushed_images import check_readable, pushed_now, record_pushed
    from launcher.next_steps import after_push

    root = root or ROOT
    address = parse_address(settings.repository)
    check_tag(settings.tag)
    check_readable(root)
    account = open_account(settings.profile, settings.region)
    check_address(address, account)
    with session() as client:
        spec = _describe_spec(settings, client, root)
        tag = settings.tag or spec.tag
        repository = open_repository(account, address.name)
        _tell(repository)
        stored = find_image(repository, tag)
        if stored:
            _check_stored(client, spec, repository, tag, stored)
            is_pushed = False
        else:
            stored, is_pushed = _build_and_push(settings, client, spec, repository, tag, root)
    uri = f"{repository.uri}@{stored.digest}"
    record_pushed(root, spec.source, spec.device, account.id, account.region, pushed_now(uri, tag))
    seconds = round(time.monotonic() - began, 1)
    image = ImageInEcr(uri, tag, stored.digest, repository.name, is_pushed, stored.size, seconds)
    say(_describe(image))
    say(str(after_push(gather(PUSH, argv), spec.device, spec.cuda)))
    return answer(json.dumps(asdict(image)) if settings.json else image.uri, 0)


def _describe_spec(settings: ImageSettings, client: docker.DockerClient, root: Path) -> ImageSpec:
    from launcher.images.describe import describe_image
    from launcher.status_line import status_line

    with status_line() as view:
        return describe_image(settings, client, root, view)


def _build_and_push(
    settings: ImageSettings,
    client: docker.DockerClient,
    spec: ImageSpec,
    repository: Repository,
    tag: str,
    root: Path,
) -> tuple[StoredImage, bool]:
    """The image in ECR, and whether it is this call that pushed it."""
    from launcher.build import build_image
    from launcher.images.ecr import find_image, log_in, wait_for_image
    from launcher.images.push_layers import TagTaken, push_image
    from launcher.images.push_progress import follow_push

    built = build_image(settings, client, root, spec)
    say(f"pushing {repository.uri}:{tag}")
    try:
        with follow_push() as view:
            digest = push_image(client, built.image, repository.uri, tag, partial(log_in, repository), view)
        return wait_for_image(repository, tag, digest), True
    except TagTaken as error:
        stored = find_image(repository, tag)
        if stored is None:
            raise UserError(f"{repository.name} takes no image as {tag} ({error}): push again") from error
        return stored, _check_stored(client, spec, repository, tag, stored)


def _check_stored(
    client: docker.DockerClient, spec: ImageSpec, repository: Repository, tag: str, stored: StoredImage
) -> bool:
    """The image that has the tag in ECR may stand for these sources. Returns whether it is the very one built here.

    A tag of ours names its sources, so any build of it will do; one that the user chose may be on anything.
    """
    from launcher.engine import find_image
    from launcher.images.ecr import find_image as find_stored

    local = find_image(client, spec.name)
    is_same = local is not None and _is_same(local, repository, stored)
    if tag == spec.tag:
        if local is not None and not is_same:
            say(f"{spec.name} here is another build of the same sources than {tag} in ECR, which stays")
        return is_same
    if is_same:
        return True
    ours = find_stored(repository, spec.tag)
    if ours is None or ours.digest != stored.digest:
        raise UserError(
            f"{repository.name}:{tag} is another image already ({stored.digest}): name another --tag, or give none"
        )
    return False


def _is_same(local: docker.models.images.Image, repository: Repository, stored: StoredImage) -> bool:
    """Docker's ID of an image is the digest of its configuration, or in its containerd store that of its manifest."""
    from launcher.images.ecr import config_digest

    return local.id in (stored.digest, config_digest(repository, stored.digest))


def _tell(repository: Repository) -> None:
    if repository.created:
        say(f"created the ECR repository {repository.name}: tags cannot be moved, images are scanned on push")
    for note in repository.notes:
        say(f"note: {note}")


def _describe(image: ImageInEcr) -> str:
    if image.pushed:
        done = f"{image.tag} is in ECR now: {size_text(image.size)} compressed, {clock(image.seconds)}"
    else:
        done = f"{image.tag} is in ECR already: {size_text(image.size)} compressed; nothing was pushed"
    return f"{done}\n  noted in .images.json, by digest"


if __name__ == "__main__":
    raise SystemExit(main())
