"""What this host has, read without paddle: the supervisor never imports it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from contract.machine import Gpu, Machine

CGROUP = Path("/sys/fs/cgroup")  # version 2, as the container sees its own
GPU_BUILD = "paddlepaddle-gpu"  # the package; the other one trains on the CPU whatever the host has
VISIBLE = "CUDA_VISIBLE_DEVICES"


def look_at_machine(say: Callable[[str], None]) -> Machine:
    """Cores, memory and the GPUs that the installed paddle will find."""
    return Machine(
        cpus=cpus(_read(CGROUP / "cpu.max"), _cores()),
        memory=memory(_read(CGROUP / "memory.max"), os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")),
        gpus=visible_gpus(os.environ, say) if _computes_on_gpus() else (),
    )


def cpus(quota: str, cores: int) -> int:
    """Cores that this container may keep busy. `quota`: cpu.max, such as `200000 100000` or `max 100000`."""
    share, _, period = quota.partition(" ")
    return max(1, min(cores, int(share) // int(period))) if share.isdigit() and period.strip().isdigit() else cores


def memory(limit: str, physical: int) -> int:
    """Bytes that this container may use. `limit`: memory.max, a number or `max`."""
    return min(physical, int(limit)) if limit.strip().isdigit() else physical


def visible_gpus(environment: Mapping[str, str], say: Callable[[str], None]) -> tuple[Gpu, ...]:
    """The GPUs of the driver, less those that CUDA_VISIBLE_DEVICES hides. None without a driver; a note says why."""
    import pynvml

    try:
        pynvml.nvmlInit()
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        named = {str(pynvml.nvmlDeviceGetUUID(handle)): handle for handle in handles}
        return tuple(
            Gpu(
                str(pynvml.nvmlDeviceGetName(named[uuid])),
                int(pynvml.nvmlDeviceGetMemoryInfo(named[uuid]).total),
                tuple(pynvml.nvmlDeviceGetCudaComputeCapability(named[uuid])),
            )
            for uuid in choose_visible(list(named), environment.get(VISIBLE))
        )
    except pynvml.NVMLError as error:
        say(f"note: NVIDIA's driver shows no GPU ({error}): fitted as for a CPU")
        return ()


def choose_visible(uuids: list[str], variable: str | None) -> list[str]:
    """What CUDA makes of CUDA_VISIBLE_DEVICES: numbers or beginnings of names, up to the first that is neither."""
    if variable is None:
        return uuids
    chosen: list[str] = []
    for word in (each.strip() for each in variable.split(",")):
        found = (
            uuids[int(word) : int(word) + 1] if word.isdigit() else [uuid for uuid in uuids if uuid.startswith(word)]
        )
        if not word or len(found) != 1:
            break
        chosen += found
    return chosen


def _computes_on_gpus() -> bool:
    try:
        version(GPU_BUILD)
        return True
    except PackageNotFoundError:
        return False


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return ""
