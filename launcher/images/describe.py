"""What an image would be made of right now, and so its tag: asked before anything is built or pushed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from launcher.image_settings import ImageSettings
from launcher.images.base_image import base_image
from launcher.images.build_secrets import ca_bundle
from launcher.images.git import commit_of_tag
from launcher.images.image import ImageSpec, check_lock, pinned_tree, source_hash
from launcher.status_line import PlainStatus

if TYPE_CHECKING:
    import docker
    from docker.models.images import Image


def describe_image(settings: ImageSettings, client: docker.DockerClient, root: Path, view: PlainStatus) -> ImageSpec:
    """The image of these settings and today's sources. Pulls the base image if it is not here. Raises UserError."""
    lock = check_lock(settings.device, settings.cuda, root)
    release, pin = pinned_tree(root)
    is_git = settings.tree == "git"
    if is_git:
        trusted, _ = ca_bundle(settings, os.environ)
        view.set(f"asking which commit PaddleOCR {release} is")
        pin = commit_of_tag(settings.tree_url, f"v{release}", trusted)
    return ImageSpec(
        device=settings.device,
        cuda=settings.cuda,
        tree=settings.tree,
        release=release,
        tree_url=settings.tree_url if is_git else "",
        tree_pin=pin,
        base_image=settings.base_image,
        base=_meaning_of(base_image(client, settings.base_image, view), settings.base_image),
        lock=lock,
        source=source_hash(root, lock),
    )


def _meaning_of(base: Image, name: str) -> str:
    """The digest under which a registry knows the image, the same on every machine; else its ID in this engine."""
    from docker.utils import parse_repository_tag

    repository, _ = parse_repository_tag(name)
    digests = [each for each in base.attrs.get("RepoDigests") or [] if each.partition("@")[0] == repository]
    return digests[0] if digests else base.id
