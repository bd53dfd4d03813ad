"""What a host has, with the limits of a container; GPUs come from NVML: a stand-in for its library, no card is here."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from container.machine import choose_visible, cpus, look_at_machine, memory
from contract.machine import GIB, Gpu
from tests.container.jobs import ROOT
from tests.container.test_gpu_monitor import COMPILER, library  # noqa: F401 (a fixture)

UUIDS = ["GPU-8a56", "GPU-8b12", "GPU-77aa"]


@pytest.mark.parametrize(
    ("quota", "cores", "here"),
    [("max 100000\n", 8, 8), ("200000 100000\n", 8, 2), ("50000 100000\n", 8, 1), ("900000 100000", 4, 4), ("", 4, 4)],
)
def test_cores_that_the_container_may_use(quota: str, cores: int, here: int):
    assert cpus(quota, cores) == here


def test_memory_that_the_container_may_use():
    assert [memory(limit, 16 * GIB) for limit in ("max\n", str(2 * GIB), "", str(99 * GIB))] == [
        16 * GIB,
        2 * GIB,
        16 * GIB,
        16 * GIB,
    ]


@pytest.mark.parametrize(
    ("variable", "chosen"),
    [
        (None, UUIDS),
        ("", []),
        ("-1", []),
        ("1", ["GPU-8b12"]),
        ("2, 0", ["GPU-77aa", "GPU-8a56"]),
        ("0,9,1", ["GPU-8a56"]),
        ("GPU-77", ["GPU-77aa"]),
        ("GPU-8", []),  # of two
    ],
)
def test_cuda_visible_devices(variable: str | None, chosen: list[str]):
    assert choose_visible(UUIDS, variable) == chosen


def test_this_machine():
    machine = look_at_machine(print)
    assert machine.cpus >= 1
    assert machine.memory > GIB // 4
    assert machine.gpus == (), "a paddle for the CPU uses none"


@pytest.mark.skipif(COMPILER is None, reason="there is no C compiler for the stand-in library")
@pytest.mark.parametrize(
    ("environment", "gpus", "said"),
    [
        ({}, [Gpu("Tesla T4", 15360 << 20, (7, 5))] * 2, ""),
        ({"CUDA_VISIBLE_DEVICES": "1"}, [Gpu("Tesla T4", 15360 << 20, (7, 5))], ""),
        ({"NVML_FAULT": "driver not loaded"}, [], "note: NVIDIA's driver shows no GPU ("),
    ],
)
def test_gpus_as_the_driver_lists_them(library, environment: dict[str, str], gpus: list[Gpu], said: str):  # noqa: F811
    pytest.importorskip("pynvml", reason="nvidia-ml-py is not installed: make dev")
    script = "import os; from container.machine import visible_gpus; print(repr(visible_gpus(os.environ, print)))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=os.environ | {"LD_LIBRARY_PATH": str(library)} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    *notes, found = done.stdout.splitlines()
    assert found == repr(tuple(gpus))
    assert "".join(notes).startswith(said)
