"""How a container is made for engines that differ: who it is, and how it is given a GPU. Starts none."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from contract.errors import UserError
from launcher.platforms import gpu
from launcher.platforms.docker_platform import _identity

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="users and groups")


def test_the_container_is_the_user_however_the_engine_counts_them() -> None:
    me = f"{os.getuid()}:{os.getgid()}"
    assert _identity({"SecurityOptions": ["name=seccomp,profile=default"]})["user"] == me
    assert "userns_mode" not in _identity({"SecurityOptions": None})
    assert _identity({"SecurityOptions": ["name=userns"]})["userns_mode"] == "host"
    assert _identity({"SecurityOptions": ["name=seccomp", "name=rootless"]}) == {"user": "0:0"}


def test_all_gpus_in_the_way_that_the_engine_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "cdi").mkdir()
    assert gpu.gpu_request({}) is None
    assert gpu.gpu_request({"Runtimes": {"runc": {}}, "CDISpecDirs": [str(tmp_path / "cdi")]}) is None
    by_runtime = gpu.gpu_request({"Runtimes": {"runc": {}, "nvidia": {}}})
    assert by_runtime
    assert (by_runtime["Count"], by_runtime["Capabilities"]) == (-1, [["gpu"]])
    by_cdi = {"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=all"]}
    listed = gpu.gpu_request({"DiscoveredDevices": [{"Source": "cdi", "ID": "nvidia.com/gpu=0"}]})
    assert listed
    assert listed.items() >= by_cdi.items()
    (tmp_path / "cdi/nvidia.yaml").touch()
    found = gpu.gpu_request({"CDISpecDirs": [str(tmp_path / "cdi")]})
    assert found
    assert found.items() >= by_cdi.items()
    (tmp_path / gpu.HOOK).touch(mode=0o755)
    by_hook = gpu.gpu_request({})
    assert by_hook
    assert by_hook["Count"] == -1


def test_no_gpu_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(gpu, "DRIVERS", (tmp_path / "version",))
    with pytest.raises(UserError, match="this machine has no NVIDIA driver: use --instance local"):
        gpu.check_gpu({"Runtimes": {"nvidia": {}}})
    (tmp_path / "version").touch()
    with pytest.raises(UserError, match="install the NVIDIA Container Toolkit and restart Docker"):
        gpu.check_gpu({"Runtimes": {"runc": {}}})
    gpu.check_gpu({"Runtimes": {"nvidia": {}}})
