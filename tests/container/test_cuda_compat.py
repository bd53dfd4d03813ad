"""The decision between the host's libcuda and the image's. The lines are those of real drivers."""

from __future__ import annotations

from pathlib import Path

import pytest

from container.cuda_compat import compat_variables

PROPRIETARY = (
    "NVRM version: NVIDIA UNIX x86_64 Kernel Module  {version}  Sun May 12 19:39:15 UTC 2024\n"
    "GCC version:  gcc version 7.3.1 20180712 (Red Hat 7.3.1-17) (GCC)\n"
)
OPEN = (
    "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {version}  Release Build  (dvs-builder@U22-I3)\n"
    "GCC version:  gcc version 11.5.0 20240719 (Red Hat 11.5.0-5) (GCC)\n"
)


@pytest.fixture
def libraries(tmp_path: Path) -> Path:
    folder = tmp_path / "compat"
    folder.mkdir()
    (folder / "libcuda.so.560.35.05").touch()
    (folder / "libcuda.so.1").symlink_to("libcuda.so.560.35.05")
    return folder


@pytest.mark.parametrize("text", [PROPRIETARY, OPEN])
@pytest.mark.parametrize("version", ["450.51", "470.223.02", "525.60.13", "535.183.01", "560.35.05", "1000.1"])
def test_older_driver_only(tmp_path: Path, libraries: Path, text: str, version: str) -> None:
    uses_ours = version < "5" and version != "1000.1"  # from 525 on, CUDA 12 needs no help
    driver = tmp_path / "version"
    driver.write_text(text.format(version=version))
    said: list[str] = []
    found = compat_variables({"LD_LIBRARY_PATH": "/usr/local/nvidia/lib64"}, said.append, driver, libraries)
    assert found == ({"LD_LIBRARY_PATH": f"{libraries}:/usr/local/nvidia/lib64"} if uses_ours else {})
    assert bool(said) == uses_ours


def test_without_a_driver_or_libraries(tmp_path: Path, libraries: Path) -> None:
    said: list[str] = []
    assert compat_variables({}, said.append, tmp_path / "none", libraries) == {}
    driver = tmp_path / "version"
    driver.write_text(PROPRIETARY.format(version="470.57.02"))
    assert compat_variables({}, said.append, driver, tmp_path / "no-compat") == {}
    assert compat_variables({}, said.append, driver, libraries) == {"LD_LIBRARY_PATH": str(libraries)}
    assert len(said) == 1
