"""Can containers of this machine have a GPU, and how are they given it?"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contract.errors import UserError

if TYPE_CHECKING:
    from docker.types import DeviceRequest

# Either is there when the kernel has NVIDIA's driver: Linux, or Linux inside Windows (WSL).
DRIVERS = (Path("/proc/driver/nvidia/version"), Path("/dev/dxg"))
HOOK = "nvidia-container-runtime-hook"  # with it on its PATH, an engine needs no runtime named nvidia
CDI_VENDOR = "nvidia.com"


def check_gpu(info: Mapping[str, Any]) -> None:
    """`info`: what the engine says about itself. Raises UserError when no container can have a GPU."""
    if not any(driver.exists() for driver in DRIVERS):
        raise UserError("--instance local_gpu needs a GPU, and this machine has no NVIDIA driver: use --instance local")
    if gpu_request(info) is None:
        raise UserError(
            "--instance local_gpu: this Docker engine can give containers no GPU: install the NVIDIA Container "
            "Toolkit and restart Docker, or use --instance local"
        )


def gpu_request(info: Mapping[str, Any]) -> DeviceRequest | None:
    """All GPUs, in the way that this engine knows; None when it knows none."""
    from docker.types import DeviceRequest

    if "nvidia" in (info.get("Runtimes") or {}) or shutil.which(HOOK):
        return DeviceRequest(count=-1, capabilities=[["gpu"]])
    if _has_cdi(info):
        return DeviceRequest(driver="cdi", device_ids=[f"{CDI_VENDOR}/gpu=all"])
    return None


def _has_cdi(info: Mapping[str, Any]) -> bool:
    """The Container Device Interface knows NVIDIA's GPUs: newer engines list the devices, older ones the folders."""
    devices = info.get("DiscoveredDevices") or []
    files = [file for folder in info.get("CDISpecDirs") or [] for file in Path(folder).glob("*nvidia*")]
    return any(str(device.get("ID")).startswith(CDI_VENDOR) for device in devices) or bool(files)
