"""What the user asked `build` or `push` for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from contract.errors import UserError
from contract.hyperparameters import did_you_mean
from launcher.flags import VERBS
from launcher.sources import gather, path_of

DEVICES = ("cpu", "gpu")
CUDA_LINES = ("cu126", "cu118")
TREES = ("pypi", "git")
NETWORKS = ("host", "default", "none")  # what BuildKit's RUN can have


@dataclass(frozen=True)
class ImageSettings:
    """One call of `build` or `push`, typed. Empty and None mean: not given."""

    device: str
    cuda: str  # empty in a cpu image
    tree: str
    tree_url: str
    base_image: str
    index_url: str  # may hold a password
    ca_bundle: Path | None
    debian_mirror: str
    paddle_index: str  # this and the next: gpu images only; empty: the Dockerfile's own
    cuda_repository: str
    network: str
    repository: str  # this and the next three: push only
    tag: str  # empty: the content's own
    region: str
    profile: str
    json: bool
    debug: bool
    argv: tuple[str, ...]


def load_image_settings(
    verb: str, argv: list[str], environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> ImageSettings:
    """Read and type the settings of one call of `build` or `push`. Raises UserError."""
    given = gather(VERBS[verb], argv, environment, folder)

    def text(key: str) -> str:
        return str(given[key].raw) if key in given else ""

    device = _one_of("device", text("device"), DEVICES)
    cuda = _one_of("cuda", text("cuda"), CUDA_LINES)
    return ImageSettings(
        device=device,
        cuda=cuda if device == "gpu" else "",
        tree=_one_of("tree", text("tree") or ("git" if device == "gpu" else "pypi"), TREES),
        tree_url=_public("tree_url", text("tree_url")),
        base_image=_reference("base_image", text("base_image")),
        index_url=_address("index_url", text("index_url")),
        ca_bundle=_file("ca_bundle", path_of(given["ca_bundle"])) if "ca_bundle" in given else None,
        debian_mirror=_public("debian_mirror", _address("debian_mirror", text("debian_mirror"))),
        paddle_index=_public("paddle_index", _address("paddle_index", text("paddle_index"))).rstrip("/"),
        cuda_repository=_public("cuda_repository", _address("cuda_repository", text("cuda_repository"))).rstrip("/"),
        network=_one_of("network", text("network"), NETWORKS),
        repository=text("repository"),
        tag=text("tag"),
        region=text("region"),
        profile=text("profile"),
        json=bool(text("json")),
        debug=bool(text("debug")),
        argv=tuple(argv),
    )


def _flag(key: str) -> str:
    return "--" + key.replace("_", "-")


def _one_of(key: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise UserError(f"{_flag(key)} is one of {', '.join(known)}, not {value!r}{did_you_mean(value, list(known))}")
    return value


def _address(key: str, value: str) -> str:
    if value and (not re.fullmatch(r"https?://[^\s/]+\S*", value)):
        raise UserError(f"{_flag(key)} is an address that begins with https:// or http://")
    return value


def _public(key: str, value: str) -> str:
    """Build arguments can be read in the finished image: none may hold a password."""
    if re.search(r"\s", value) or value.startswith("-"):
        raise UserError(f"{_flag(key)} {value!r} is no address")
    parts = urlsplit(value)
    if parts.password or (parts.username and parts.scheme.startswith("http")):  # a token stands where the name does
        raise UserError(f"{_flag(key)} holds a password, which the image would keep: name an address without one")
    return value


def _reference(key: str, value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._:/@-]*", value):
        raise UserError(f"{_flag(key)} {value!r} is no name of an image: write it like debian:bookworm-slim")
    return value


def _file(key: str, path: Path) -> Path:
    if not path.is_file():
        raise UserError(f"{_flag(key)} {path}: there is no such file")
    return path
