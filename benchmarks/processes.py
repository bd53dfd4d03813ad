"""How much faster two processes train than one: samples/s on this machine's CPU, the same batch per process.

python -m benchmarks.processes [--pairs 5] [--seconds 20] [--processes 2]

Whole jobs of configs/rec/demo_digits.yml (CRNN) on drawn digits, started as SageMaker starts them, one process and
several in turn, so that what else the machine does hits both alike. A job's figure is the median of the rates in its
own train events, without the first, which warms up; the last line is the median over the pairs. Nothing else should
run meanwhile: both need all of their cores.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from contract.events import parse_event
from contract.paths import BASE_DIR_VARIABLE
from data_preparation.scripts import create_demo_data

RECIPE = "configs/rec/demo_digits.yml"
STEPS_PER_EVENT = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=20, help="of training in each job")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {options.pairs} pairs", flush=True)
    ratios = []
    with tempfile.TemporaryDirectory(prefix="ocr-benchmark-") as folder:
        dataset = draw(Path(folder) / "digits")
        for pair in range(options.pairs):
            one = samples_per_second(Path(folder) / f"one-{pair}", dataset, 1, options.seconds)
            several = samples_per_second(Path(folder) / f"several-{pair}", dataset, options.processes, options.seconds)
            ratios.append(several / one)
            print(
                f"pair {pair + 1}: 1 process {one:.0f}, {options.processes} processes {several:.0f} samples/s: "
                f"{ratios[-1]:.2f} times, load {os.getloadavg()[0]:.1f}",
                flush=True,
            )
    print(f"{options.processes} processes: {statistics.median(ratios):.2f} times one (median of {options.pairs})")


def draw(folder: Path) -> Path:
    """A dataset of drawn digits."""
    if create_demo_data.main(["--output-dir", str(folder), "--count", "976", "--val-count", "16"]) != 0:
        raise SystemExit("the demo data could not be drawn")
    return folder


def samples_per_second(base: Path, dataset: Path, processes: int, seconds: float) -> float:
    """The rate of one job, which is stopped after so much training."""
    lay_out(base, dataset, processes)
    job = subprocess.Popen(
        [sys.executable, "-m", "container", "train"],
        env=os.environ | {BASE_DIR_VARIABLE: str(base)},
        stdout=subprocess.PIPE,
        stderr=(base / "stderr").open("w"),
        text=True,
    )
    assert job.stdout
    rates: list[float] = []
    began = None
    for line in job.stdout:
        event = parse_event(line)
        if event and event["event"] == "train" and event["step"] > 1:
            rates.append(float(str(event["samples_per_s"])))
            began = began or time.monotonic()
            if time.monotonic() - began > seconds:
                job.send_signal(signal.SIGTERM)
    job.wait()
    if len(rates) < 3:
        raise SystemExit(f"the job with {processes} process(es) trained too little:\n{(base / 'stderr').read_text()}")
    return statistics.median(rates[1:])


def lay_out(base: Path, dataset: Path, processes: int) -> None:
    """A private look-alike of /opt/ml."""
    parameters = {"config": RECIPE, "processes": processes, "workers": 0, "epochs": 1000, "eval_steps": 100000}
    parameters["Global.print_batch_step"] = STEPS_PER_EVENT
    (base / "input/config").mkdir(parents=True)
    (base / "input/data").mkdir()
    (base / "input/data/training").symlink_to(dataset)
    strings = {name: str(value) for name, value in parameters.items()}
    (base / "input/config/hyperparameters.json").write_text(json.dumps(strings))


if __name__ == "__main__":
    main()
