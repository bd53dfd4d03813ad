"""`python -m launcher build`: the image on this machine, built unless nothing of it has changed."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from launcher.entry import enter
from launcher.image_settings import ImageSettings, load_image_settings
from launcher.people import answer, say
from launcher.progress import clock, size_text

if TYPE_CHECKING:
    import docker
    from docker.models.images import Image

    from launcher.images.image import ImageSpec
    from launcher.status_line import PlainStatus


@dataclass(frozen=True)
class BuiltImage:
    """An image of today's sources in this engine."""

    image: str  # paddleocr-sagemaker:TAG
    id: str
    tag: str
    built: bool  # now; else it was there
    size: int  # bytes, unpacked
    layers: int
    seconds: float
    labels: Mapping[str, str]


def main(argv: list[str] | None = None, root: Path | None = None) -> int:
    """One call. Returns the exit code. `root` is the folder of the Dockerfile (default: this project's)."""
    from launcher.images.buildkit import BuildFailed

    return enter(argv, partial(build, root=root), (BuildFailed,))


def build(argv: list[str], root: Path | None = None) -> int:
    """Build and say what there is now."""
    settings = load_image_settings("build", argv)
    from launcher.engine import session

    with session() as client:
        built = build_image(settings, client, root)
    return answer(json.dumps(asdict(built)) if settings.json else built.image, 0)


def build_image(
    settings: ImageSettings, client: docker.DockerClient, root: Path | None = None, spec: ImageSpec | None = None
) -> BuiltImage:
    """The image of these settings and today's sources: the one that is there, else a new one. Raises UserError.

    `spec`: what was described before, and must still hold.
    """
    from launcher.engine import find_image
    from launcher.images.describe import describe_image
    from launcher.images.image import ROOT, SOURCE_LABEL
    from launcher.status_line import status_line

    began = time.monotonic()
    root = root or ROOT
    with status_line() as view:
        spec = spec or describe_image(settings, client, root, view)
        image = find_image(client, spec.name)
        is_there = image is not None and image.labels.get(SOURCE_LABEL) == spec.source
        if not is_there:
            view.say(f"building {spec.name}: {_in_words(spec)}")
            image = _build(settings, client, spec, root, view)
    assert image is not None
    built = _built(image, spec, not is_there, time.monotonic() - began)
    say(_describe(built))
    return built


def _build(
    settings: ImageSettings, client: docker.DockerClient, spec: ImageSpec, root: Path, view: PlainStatus
) -> Image:
    """Build it, and make sure that the result is what was meant."""
    from launcher.engine import check_platform, context_name, find_image
    from launcher.images.build_secrets import build_secrets
    from launcher.images.buildkit import Build, BuildFailed, find_build_client, run_build
    from launcher.images.git import own_commit
    from launcher.images.image import SOURCE_PATHS, paddle_of, source_hash, version_of

    program = find_build_client(context_name())
    secrets = build_secrets(settings)
    for note in secrets.notes:
        view.say(note)
    labels = spec.labels(version_of(root), own_commit(root, [*SOURCE_PATHS, spec.lock]), paddle_of(root, spec.lock))
    build = Build(
        context=root,
        name=spec.name,
        labels=labels,
        arguments=spec.arguments(settings.debian_mirror, settings.paddle_index, settings.cuda_repository),
        network=settings.network,
        log=root / "build" / f"{spec.tag}.log",
        secrets=secrets.files,
        hidden=secrets.hidden,
    )
    run_build(program, build, view)
    image = find_image(client, spec.name)
    missing = [name for name, text in labels.items() if image is None or image.labels.get(name) != text]
    if image is None or missing:
        what = f"lacks the label {missing[0]}" if image else "is not in this engine"
        raise BuildFailed(
            f"{' '.join(program.command)} ended well, but {spec.name} {what}: its output is in {build.log}"
        )
    check_platform(image, spec.name)
    if source_hash(root, spec.lock) != spec.source:
        image.client.images.remove(spec.name)  # the name says what is not in it
        raise BuildFailed("a file of the image was changed while it was built: build again")
    return image


def _built(image: Image, spec: ImageSpec, built: bool, seconds: float) -> BuiltImage:
    return BuiltImage(
        image=spec.name,
        id=image.id,
        tag=spec.tag,
        built=built,
        size=image.attrs["Size"],
        layers=len(image.attrs["RootFS"]["Layers"]),
        seconds=round(seconds, 1),
        labels=image.labels,
    )


def _in_words(spec: ImageSpec) -> str:
    device = f"for GPUs with CUDA {spec.cuda}" if spec.cuda else "for CPUs"
    return f"{device}, PaddleOCR {spec.release} from {spec.tree}, on {spec.base_image} (the first time takes minutes)"


def _describe(built: BuiltImage) -> str:
    figures = f"{size_text(built.size)} unpacked, {built.layers} layers"
    if built.built:
        return f"{built.image} is built: {figures}, {clock(built.seconds)}"
    return f"{built.image} is up to date: {figures}"


if __name__ == "__main__":
    raise SystemExit(main())
