"""What check-gpu says about driver, paddle and cards; and what it really finds on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from container.gpu_check import check_gpus, has_gpu
from container.gpu_report import Card, GpuReport

T4 = Card(0, "Tesla T4", (7, 5), 15360, None)
SOUND = GpuReport((535, 183, 1), "3.3.0", "12.6", (75, 80, 86, 90), None, None, (T4,))


def test_a_sound_machine_has_no_problem() -> None:
    assert SOUND.problems == []
    assert SOUND.table()[-1] == "GPU 0    Tesla T4, sm_75, 15,360 MB, computes"
    assert replace(SOUND, driver=(470, 1)).problems == [], "with cuda-compat an old driver will do"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"cuda": None, "driver": None, "cards": ()}, "no NVIDIA GPU here, and paddle 3.3.0 is a build for the CPU"),
        ({"cuda": None, "cards": ()}, "driver (535.183.1), but paddle 3.3.0 is a build for the CPU: use the GPU image"),
        ({"driver": None, "cards": ()}, "built for CUDA 12.6, but there is no NVIDIA driver: use a GPU instance"),
        ({"driver": (470, 57, 2), "cards": ()}, "470.57.2 is too old for CUDA 12.6, which needs 525 or newer: update"),
        ({"cards": (), "visible_devices": ""}, "shows no GPU (CUDA_VISIBLE_DEVICES is ''): start the container"),
        ({"cards": (), "failure": "CUDA error(999)"}, "shows no GPU (CUDA error(999)): start the container"),
        ({"cards": (T4, Card(1, "Tesla V100", (7, 0), 16384, None))},
         "GPU 1 (Tesla V100) is of architecture sm_70, and this paddle holds code for sm_75, sm_80, sm_86, sm_90 only: "
         "build the image with `python -m launcher push --cuda cu118`"),
        ({"cards": (replace(T4, failure="CUDA error(2)"),)}, "GPU 0 (Tesla T4) cannot compute (CUDA error(2)): start"),
    ],
)  # fmt: skip
def test_each_problem_is_a_sentence_with_a_remedy(changed: dict, said: str) -> None:
    (problem,) = replace(SOUND, **changed).problems
    assert said in problem


@pytest.mark.skipif(Path("/proc/driver/nvidia/version").exists(), reason="this machine has an NVIDIA driver")
def test_a_machine_without_a_gpu_is_told_so() -> None:
    done = subprocess.run([sys.executable, "-m", "container", "check-gpu", "--json"], capture_output=True, text=True)
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert (found["driver"], found["cuda"], found["cards"]) == (None, None, [])
    assert done.stderr.splitlines()[-1] == f"error: {found['problems'][0]}"
    assert "is a build for the CPU" in found["problems"][0]


@pytest.mark.parametrize(
    ("instance", "gpu"),
    [
        *(("ml.g4dn.xlarge", True), ("ml.p5.48xlarge", True), ("ml.g6e.xlarge", True), ("local_gpu", True)),
        *(("ml.c5.xlarge", False), ("ml.m5.large", False), ("local", False), ("process", False), ("", False)),
    ],
)
def test_instances_that_are_paid_for_their_gpu(instance: str, gpu: bool) -> None:
    assert has_gpu(instance) is gpu


def test_a_job_on_a_machine_with_a_driver_asks_before_it_trains(tmp_path: Path) -> None:
    """The paddle of the tests is a build for the CPU: with a driver beside it, that is worth a note, and no refusal."""
    said: list[str] = []
    check_gpus({}, said.append, driver=tmp_path / "none")
    assert said == [], "no driver, no question"
    driver = tmp_path / "version"
    driver.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 19:39:15 UTC 2024\n")
    check_gpus({"PATH": os.environ["PATH"]}, said.append, driver=driver)
    assert [line for line in said if line.startswith(("note", "error"))] == said[-1:]
    assert said[-1].startswith("note: there is no NVIDIA GPU here")
