"""NVIDIA's forward-compatibility libraries, used only where the host's driver is older than they are.

The GPU image brings a libcuda of its CUDA line. On an older driver the trainer must load that one instead of the
host's; on the same or a newer driver it must not (CUDA_ERROR_SYSTEM_DRIVER_MISMATCH). The container runtime no longer
decides this since NVIDIA Container Toolkit 1.17.4, so it is decided here, for the trainer's environment alone.
Source: NVIDIA, "CUDA Compatibility", forward compatibility; data-center GPUs only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

DRIVER = Path("/proc/driver/nvidia/version")  # of the host's kernel module; absent without an NVIDIA driver
LIBRARIES = Path("/usr/local/cuda/compat")  # where image/cuda_compat.sh puts them; absent in the CPU image

# The first driver that runs all of a CUDA major version by itself. (NVIDIA, "CUDA Compatibility", minor versions)
OLDEST_DRIVER = {13: 580, 12: 525, 11: 450}

Version = tuple[int, ...]


def compat_variables(
    environment: Mapping[str, str], say: Callable[[str], None], driver: Path = DRIVER, libraries: Path = LIBRARIES
) -> dict[str, str]:
    """What to add to the trainer's environment; empty when the host's own driver will do."""
    host, ours = driver_version(driver), _library_version(libraries)
    if host is None or ours is None or host >= min(ours, _sufficient(ours)):
        return {}
    say(f"the host's NVIDIA driver {version_text(host)} is too old for this image's CUDA: using {libraries}")
    path = environment.get("LD_LIBRARY_PATH")
    return {"LD_LIBRARY_PATH": f"{libraries}:{path}" if path else str(libraries)}


def _sufficient(ours: Version) -> Version:
    """The first driver that runs all of our CUDA's major version by itself.

    Forward compatibility is for data-center GPUs only, so it must not be used where it is not needed.
    """
    return next(((first,) for first in OLDEST_DRIVER.values() if ours >= (first,)), ours)


def driver_version(file: Path = DRIVER) -> Version | None:
    """`NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 19:39:15 UTC 2024` → (535, 183, 1)."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    found = re.search(r"Kernel Module.*?\s(\d+(?:\.\d+)+)\s", text)
    return _numbers(found[1]) if found else None


def _library_version(folder: Path) -> Version | None:
    """libcuda.so.1 is a link to libcuda.so.560.35.05."""
    found = re.fullmatch(r"libcuda\.so\.(\d+(?:\.\d+)+)", (folder / "libcuda.so.1").resolve().name)
    return _numbers(found[1]) if found else None


def _numbers(text: str) -> Version:
    return tuple(int(part) for part in text.split("."))


def version_text(version: Version) -> str:
    """(535, 183, 1) → 535.183.1"""
    return ".".join(map(str, version))
