"""How many processes train on this host: one per GPU, one on a CPU, or as many as the job asks for."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from contract.errors import UserError

GPU_BUILD = "paddlepaddle-gpu"  # the package; the other one trains on the CPU whatever the host has
DRIVER = Path("/proc/driver/nvidia/gpus")  # one folder a GPU that this container may use
VISIBLE = "CUDA_VISIBLE_DEVICES"


def choose_processes(asked: int | None, gpus: int) -> int:
    """Raises UserError when more processes are asked for than there are GPUs. `gpus` is 0 on a CPU."""
    if asked and gpus and asked > gpus:
        has = "1 GPU" if gpus == 1 else f"{gpus} GPUs"
        raise UserError(f"processes={asked}, and this host has {has}: ask for {gpus} or less, or leave it out for all")
    return asked or max(1, gpus)


def count_gpus(environment: Mapping[str, str] = os.environ, driver: Path = DRIVER) -> int:
    """GPUs that paddle will find here, counted without it."""
    try:
        importlib.metadata.version(GPU_BUILD)
    except importlib.metadata.PackageNotFoundError:
        return 0
    visible = environment.get(VISIBLE)
    if visible is not None and visible != "all":
        named = visible.split(",") if visible else []
        return len([each for each in named if each not in ("", "-1")])
    return _listed_gpus() or (len(list(driver.iterdir())) if driver.is_dir() else 0)


def _listed_gpus() -> int:
    try:
        done = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    return sum(line.startswith("GPU ") for line in done.stdout.splitlines()) if done.returncode == 0 else 0
