"""GPU events of a real job: NVIDIA's own Python bindings on a stand-in for the driver's library; no card is here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from contract.events import METRIC_DEFINITIONS, parse_event
from tests.container.jobs import Base, Finished, draw_dataset

pytest.importorskip("pynvml", reason="nvidia-ml-py is not installed: make dev")
COMPILER = shutil.which("cc")
pytestmark = pytest.mark.skipif(COMPILER is None, reason="there is no C compiler for the stand-in library")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nvml")
    source, target = Path(__file__).with_name("nvml.c"), folder / "libnvidia-ml.so.1"
    subprocess.run([COMPILER, "-shared", "-fPIC", "-o", str(target), str(source)], check=True)
    return folder


@pytest.fixture(scope="module")
def job(library: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Base, Finished]:
    dataset = draw_dataset(tmp_path_factory.mktemp("data") / "digits", train=8, val=2)
    base = Base(tmp_path_factory.mktemp("ml"), dataset, config="rec/demo_digits.yml", epochs=1, workers=0)
    finished = base.run("train", env={"LD_LIBRARY_PATH": str(library)})
    assert finished.code == 0, finished.errors
    return base, finished


def test_a_job_says_what_its_gpus_did(job: tuple[Base, Finished]) -> None:
    _, finished = job
    first, second = finished.of("gpu")[:2]
    assert first == {
        "event": "gpu", "device": 0, "utilization": 50, "memory_used_mb": 1024, "memory_total_mb": 15360,
        "temperature_c": 61, "power_w": 65.2,
    }  # fmt: skip
    assert second["device"] == 1
    assert "power_w" not in second, "this one does not tell"
    assert finished.events[-1]["event"] == "done"


def test_run_json_sums_it_up(job: tuple[Base, Finished]) -> None:
    base, _ = job
    first, second = base.report()["gpu"]
    assert first["samples"] == second["samples"] >= 1
    assert 50 <= first["utilization"]["mean"] <= 75
    assert first["utilization"]["max"] in (50, 100)
    assert first["memory_mb"] == {"peak": 1024, "total": 15360}
    assert (first["name"], first["temperature_c"], first["power_w"]) == ("Tesla T4", {"max": 61}, {"max": 65.2})
    assert (second["utilization"], second["power_w"]) == ({"mean": 0.0, "max": 0}, {"max": None})


def test_cloudwatch_reads_the_events(job: tuple[Base, Finished]) -> None:
    _, finished = job
    for name in ("utilization", "memory_used_mb"):
        regex = next(each["Regex"] for each in METRIC_DEFINITIONS if each["Name"] == f"gpu:{name}")
        found = [match for match in (re.search(regex, line) for line in finished.lines) if match]
        assert [float(match[1]) for match in found] == [event[name] for event in finished.of("gpu")]


@pytest.mark.parametrize(
    ("fault", "said"), [("lost", "note: GPU use is no longer recorded (GPU is lost)\n"), ("driver", "")]
)
def test_a_driver_in_trouble_ends_the_watching_alone(library: Path, tmp_path: Path, fault: str, said: str) -> None:
    script = """
import sys, threading
from pathlib import Path
from container.gpu_monitor import watch_gpus
with watch_gpus(Path(sys.argv[1]), lambda line: print(line, file=sys.stderr)):
    for thread in threading.enumerate():
        if thread.name == "gpus":
            thread.join(30)
    print("the job")
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "gpu.json")],
        env=os.environ | {"LD_LIBRARY_PATH": str(library), "NVML_FAULT": fault},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("the job\n", said)
    assert not (tmp_path / "gpu.json").exists()


def test_an_event_tells_the_mean_since_the_last_one(library: Path, tmp_path: Path) -> None:
    script = """
import sys, time
from pathlib import Path
from container.gpu_monitor import watch_gpus
with watch_gpus(Path(sys.argv[1]), print, sample=0.01, event=0.04):
    time.sleep(2)
"""
    command = [sys.executable, "-c", script, str(tmp_path / "gpu.json")]
    env = os.environ | {"LD_LIBRARY_PATH": str(library)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    events = [event for event in map(parse_event, done.stdout.splitlines()) if event and event["device"] == 0]
    assert [event["utilization"] for event in events[:3]] == [50, 75, 75], "50 and 100 take turns, four to an event"
