"""What an image of ours is made of, and the tag that says so: the same content has the same tag on any machine."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from contract.errors import UserError
from launcher.engine import CONTRACT_LABEL, LABEL_PREFIX, REPOSITORY, LocalImage, local_images

if TYPE_CHECKING:
    import docker

ROOT = Path(__file__).resolve().parents[2]  # the folder of the Dockerfile
CONTRACT_VERSION = "1"  # raised when a launcher could no longer run older images
SHOWN_DIGITS = 12  # of a hash, in a tag

DOCKERFILE, IGNORE = "Dockerfile", ".dockerignore"
LOCKS = "requirements"
SOURCE_PATHS = (DOCKERFILE, IGNORE, "image", "contract", "container", "configs")  # what a build sees, and a lock
SOURCE_LABEL = LABEL_PREFIX + "source"


@dataclass(frozen=True)
class ImageSpec:
    """Everything that goes into one image. `tag` is a hash of it."""

    device: str
    cuda: str  # empty in a cpu image
    tree: str  # pypi or git
    release: str  # of PaddleOCR
    tree_url: str  # of a git tree, else empty
    tree_pin: str  # what the release is: the commit of a git tree, or the sha256 of the source distribution
    base_image: str  # its name
    base: str  # what this name means: NAME@DIGEST, or an ID where no registry knows the image
    lock: str  # below ROOT
    source: str  # hash of the files

    @property
    def tag(self) -> str:
        """`cpu-0123456789ab`, `gpu-cu126-0123456789ab`."""
        tree = (self.tree, self.release, self.tree_url, self.tree_pin)
        parts = (self.source, self.device, self.cuda, *tree, self.base)
        digits = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:SHOWN_DIGITS]
        return "-".join(part for part in (self.device, self.cuda, digits) if part)

    @property
    def name(self) -> str:
        return f"{REPOSITORY}:{self.tag}"

    @property
    def tree_revision(self) -> str:
        """The name of the release in the tree's own place: a tag of the repository, a version on PyPI."""
        return f"v{self.release}" if self.tree == "git" else self.release

    def labels(self, version: str, commit: str, paddle: str) -> dict[str, str]:
        """`version` and `commit`: ours, empty when unknown; `paddle`: its version in the lock."""
        ours = {
            CONTRACT_LABEL: CONTRACT_VERSION,
            SOURCE_LABEL: self.source,
            LABEL_PREFIX + "device": self.device,
            LABEL_PREFIX + "cuda": self.cuda,
            LABEL_PREFIX + "tree": f"{self.tree}-{self.tree_revision}",
            LABEL_PREFIX + "tree-revision": self.tree_pin,
            LABEL_PREFIX + "paddle": paddle,
            LABEL_PREFIX + "base": self.base_image,
            LABEL_PREFIX + "base-id": self.base,
        }
        theirs = {"title": REPOSITORY, "version": version, "licenses": "MIT", "revision": commit}
        return ours | {f"org.opencontainers.image.{name}": text for name, text in theirs.items() if text}

    def arguments(self, debian_mirror: str, paddle_index: str, cuda_repository: str) -> dict[str, str]:
        """The build arguments; an image keeps them readable, so none is a secret."""
        everywhere = {
            "BASE_IMAGE": self.base if "@" in self.base else self.base_image,
            "DEVICE": self.device,
            "LOCK": Path(self.lock).name,
            "TREE": self.tree,
            "TREE_REVISION": self.tree_revision,
            "DEBIAN_MIRROR": debian_mirror,
        }
        gpu = {"CUDA": self.cuda, "PADDLE_INDEX": paddle_index, "CUDA_REPOSITORY": cuda_repository}
        git = {"TREE_URL": self.tree_url, "TREE_COMMIT": self.tree_pin} if self.tree == "git" else {}
        return {name: text for name, text in (everywhere | (gpu if self.cuda else {}) | git).items() if text}


def check_lock(device: str, cuda: str, root: Path) -> str:
    """The lock file of an image, below its root. Raises UserError when it is missing."""
    lock = lock_of(device, cuda)
    if not (root / lock).is_file():
        target = f"lock-gpu CUDA={cuda}" if device == "gpu" else "lock"
        make = "make" if Path.cwd() == root else f"make -C {shlex.quote(str(root))}"
        raise UserError(f"{root / lock} is missing, and a {device} image installs what it names: run `{make} {target}`")
    return lock


def lock_of(device: str, cuda: str) -> str:
    """The lock file of an image, below its root."""
    return f"{LOCKS}/gpu-{cuda}.lock" if device == "gpu" else f"{LOCKS}/train.lock"


def source_hash(root: Path, lock: str) -> str:
    """sha256 over the paths and contents of all files that the build can see; of the locks over `lock` alone.

    What .dockerignore leaves out does not count, nor do dates, owners and permissions: the Dockerfile sets those.
    """
    digest = hashlib.sha256()
    for path in context_files(root):
        if path.startswith(f"{LOCKS}/") and path != lock:
            continue
        file = root / path
        try:
            content = str(file.readlink()).encode() if file.is_symlink() else file.read_bytes()
        except OSError as error:
            raise UserError(
                f"{file} cannot be read ({error.strerror}): an image is made of it, make it readable"
            ) from None
        digest.update(f"{path}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def context_files(root: Path) -> Iterator[str]:
    """The files that a build can see, by docker-py's reading of .dockerignore, sorted; with / on every system."""
    from docker.utils.build import PatternMatcher

    try:
        lines = (root / IGNORE).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise UserError(f"{root / IGNORE} is missing: without it a build would take in this whole folder") from None
    patterns = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    try:
        seen = list(PatternMatcher([*patterns, f"!{DOCKERFILE}"]).walk(str(root)))
    except OSError as error:
        raise UserError(f"{error.filename} cannot be read ({error.strerror}): make it readable") from None
    files = (path for path in seen if (root / path).is_symlink() or (root / path).is_file())
    yield from sorted(Path(path).as_posix() for path in files)


def image_for(client: docker.DockerClient, device: str, root: Path = ROOT) -> LocalImage:
    """The newest image in this engine that today's sources make. Raises UserError when there is none.

    Without a GPU (`cpu`) an image for GPUs will do as well.
    """
    fitting = [image for image in local_images(client) if image.device in (device, "gpu")]
    today = {
        lock: source_hash(root, lock)
        for lock in {_lock_of(image.labels) for image in fitting}
        if (root / lock).is_file()
    }
    current = [image for image in fitting if image.labels.get(SOURCE_LABEL) == today.get(_lock_of(image.labels), "")]
    command = "make image" if device == "cpu" else f"python -m launcher build --device {device}"
    if current:
        return min(current, key=lambda image: image.device != device)  # stays newest first
    if fitting:
        raise UserError(f"image {fitting[0].name} was built from other sources than today's: run `{command}`")
    raise UserError(f"there is no {device} image of these sources in this Docker engine: run `{command}`")


def doubt_about(labels: Mapping[str, str], root: Path = ROOT) -> str:
    """What people should know of an image that they named themselves; empty: it is of today's sources.

    Raises UserError when it speaks another contract than this launcher.
    """
    contract = labels.get(CONTRACT_LABEL)
    if contract is None:
        return "was not built by this project: it must understand `train` and the contract of docs/architecture.md"
    if contract != CONTRACT_VERSION:
        raise UserError(
            f"the image speaks version {contract} of the contract and this launcher {CONTRACT_VERSION}: build it again"
        )
    lock = _lock_of(labels)
    is_today = (root / lock).is_file() and labels.get(SOURCE_LABEL) == source_hash(root, lock)
    return "" if is_today else "was built from other sources than today's"


def pinned_tree(root: Path) -> tuple[str, str]:
    """Release and sha256 of PaddleOCR's source distribution, which the container pins."""
    text = (root / "container/tree.py").read_text(encoding="utf-8")
    found = [re.search(rf'^{name} = "([^"]+)"$', text, re.MULTILINE) for name in ("VERSION", "SHA256")]
    if not all(found):
        raise UserError(f"{root / 'container/tree.py'} no longer names VERSION and SHA256 of PaddleOCR: restore it")
    release, sha256 = (match.group(1) for match in found if match)
    return release, sha256


def paddle_of(root: Path, lock: str) -> str:
    """Paddle's version in a lock; empty when it names none."""
    match = re.search(r"^paddlepaddle(?:-gpu)?==(\S+)", (root / lock).read_text(encoding="utf-8"), re.MULTILINE)
    return match.group(1) if match else ""


def version_of(root: Path) -> str:
    """Our version, as in pyproject.toml; empty when it is not there."""
    file = root / "pyproject.toml"
    match = (
        re.search(r'^version = "([^"]+)"$', file.read_text(encoding="utf-8"), re.MULTILINE) if file.is_file() else None
    )
    return match.group(1) if match else ""


def _lock_of(labels: Mapping[str, str]) -> str:
    """The lock file of an image that is there, by its labels."""
    return lock_of(labels.get(LABEL_PREFIX + "device", ""), labels.get(LABEL_PREFIX + "cuda", ""))
