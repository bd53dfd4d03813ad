"""What this host has, read without paddle: the supervisor never imports it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from contract.machine import Gpu, Machine

SHARED_MEMORY = Path("/dev/shm")
CGROUP = Path("/sys/fs/cgroup")  # version 2, as the container sees its own
GPU_PACKAGE = "paddlepaddle-gpu"
QUERY = ("nvidia-smi", "--query-gpu=name,memory.total,compute_cap", "--format=csv,noheader,nounits")
QUERY_SECONDS = 30.0  # a GPU that sleeps takes some to answer


def look_at_machine(say: Callable[[str], None]) -> Machine:
    """Cores, memory, /dev/shm and the GPUs that the installed paddle can use. Says what it could not ask."""
    return Machine(
        cpus=cpus(_read(CGROUP / "cpu.max"), _cores()),
        memory=memory(_read(CGROUP / "memory.max"), os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")),
        shared_memory=shutil.disk_usage(SHARED_MEMORY).free if SHARED_MEMORY.is_dir() else 0,
        gpus=_gpus(say),
    )


def cpus(quota: str, cores: int) -> int:
    """Cores that this container may keep busy. `quota`: cpu.max, such as `200000 100000` or `max 100000`."""
    share, _, period = quota.partition(" ")
    return max(1, min(cores, int(share) // int(period))) if share.isdigit() and period.strip().isdigit() else cores


def memory(limit: str, physical: int) -> int:
    """Bytes that this container may use. `limit`: memory.max, a number or `max`."""
    return min(physical, int(limit)) if limit.strip().isdigit() else physical


def parse_gpus(answer: str, environment: Mapping[str, str]) -> tuple[Gpu, ...]:
    """The GPUs that nvidia-smi lists, a line each: `Tesla T4, 15360, 7.5`, memory in MiB.

    CUDA_VISIBLE_DEVICES hides GPUs from paddle, not from nvidia-smi; it counts here where it lists numbers.
    """
    found = []
    for line in answer.splitlines():
        name, mebibytes, capability = (cell.strip() for cell in line.rsplit(",", 2))
        major, minor = capability.split(".")
        found.append(Gpu(name, int(mebibytes) << 20, (int(major), int(minor))))
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return tuple(found)
    numbers = [word.strip() for word in visible.split(",") if word.strip()]
    if not all(number.isdigit() for number in numbers):  # names of GPUs, which are not listed here
        return tuple(found)
    return tuple(found[int(number)] for number in numbers if int(number) < len(found))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _gpus(say: Callable[[str], None]) -> tuple[Gpu, ...]:
    try:
        version(GPU_PACKAGE)
    except PackageNotFoundError:
        return ()
    try:
        answer = subprocess.run(QUERY, capture_output=True, text=True, timeout=QUERY_SECONDS, check=True).stdout
        return parse_gpus(answer, os.environ)
    except FileNotFoundError:
        return ()
    except (subprocess.SubprocessError, ValueError) as error:
        say(f"note: nvidia-smi does not say what GPU there is ({error}): fitted as for none")
        return ()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return ""
