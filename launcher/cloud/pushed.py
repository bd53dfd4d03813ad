"""The image of a job that names none: the last one pushed of today's sources; or the command that pushes one."""

from __future__ import annotations

import shlex
from pathlib import Path

from launcher.cloud.instances import instance_facts
from launcher.images.image import ROOT, lock_of, source_hash
from launcher.images.pushed_images import find_pushed, regions_with

CPU, GPU, GPU_BEFORE_TURING = ("cpu", ""), ("gpu", "cu126"), ("gpu", "cu118")  # device and CUDA line


def pushed_for(instance: str, root: Path, region: str, account: str = "") -> str:
    """Its address by digest; empty: there is none in this region. `account`: empty when AWS cannot be asked.

    An image for GPUs runs without one too, and an older CUDA line on newer GPUs.
    """
    for device, cuda in _fitting(instance):
        lock = lock_of(device, cuda)
        if (root / lock).is_file() and (found := find_pushed(root, source_hash(root, lock), device, region, account)):
            return found.uri
    return ""


def why_none(instance: str, root: Path, region: str) -> str:
    """What to say of an instance that no image was pushed for."""
    elsewhere: set[str] = set()
    for device, cuda in _fitting(instance):
        lock = lock_of(device, cuda)
        if (root / lock).is_file():
            elsewhere.update(regions_with(root, source_hash(root, lock), device))
    others = f" (only to {', '.join(sorted(elsewhere - {region}))})" if elsewhere - {region} else ""
    return f"no image of these sources was pushed to {region} that runs on {instance}{others}"


def push_command(instance: str, *words: str, root: Path = ROOT, folder: Path | None = None) -> str:
    """The command line that pushes the image of an instance; `words`: more flags for it.

    `folder`: where the user is. `make` works in the project's own folder alone, and launcher.yml is read elsewhere too.
    """
    device, cuda = _fitting(instance)[0]
    flags = shlex.join([*_flags(device, cuda), *words])
    is_at_home = (folder or Path.cwd()).resolve() == root
    if is_at_home:
        push = "make push" + (f" ARGS={shlex.quote(flags)}" if flags else "")
    else:
        push = "python -m launcher.push" + (f" {flags}" if flags else "")
    if (root / lock_of(device, cuda)).is_file():
        return push
    target = "lock" if device == "cpu" else "lock-gpu" + ("" if (device, cuda) == GPU else f" CUDA={cuda}")
    return f"make {'' if is_at_home else f'-C {shlex.quote(str(root))} '}{target} && {push}"


def needs_old_cuda(instance: str) -> bool:
    """Newer CUDA lines have left its GPU behind."""
    gpu = instance_facts(instance).gpu
    return gpu is not None and float(gpu.compute_capability) < 7.5


def _fitting(instance: str) -> list[tuple[str, str]]:
    """The images that run on an instance, the best one first."""
    fitting = [GPU_BEFORE_TURING]
    if not needs_old_cuda(instance):
        fitting.insert(0, GPU)
    if instance_facts(instance).gpus == 0:
        fitting.insert(0, CPU)
    return fitting


def _flags(device: str, cuda: str) -> list[str]:
    """What makes `push` take this one: an image for GPUs with the newer CUDA line is what it takes by itself."""
    return ["--device", "cpu"] if device == "cpu" else ["--cuda", cuda] if (device, cuda) != GPU else []
