"""How fast a dataset is validated, beside nothing but reading and decoding the same files.

python -m benchmarks.validate [--images 10000] [--rounds 5] [--memory 0] [--json]

Drawn English words, as PNG and as JPEG. The peer opens each file, reads it and decodes it with OpenCV to colour, in one
process; `validate` (data_preparation.validation, every check, no recipe) does the same and all the rest, in one process
and in as many as it takes by default (one, until it sees that others would save more than they cost). Rounds are
interleaved, the page cache is warm. CPU first: user and system, children included; then the clock. `ratio` is peer /
validate: 0.6 means that checking costs two thirds of reading and decoding on top.

--memory N: peak memory of a validator in one process over N crops and over a quarter of them, and what a million would
take by the slope between the two. The files are one JPEG with a number behind its end.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.reading import draw
from contract.dataset import read_labels
from data_preparation.validation import validate
from tests.data_preparation.folders import jpeg

PEER = "read and decode"
MEMORY = """
import resource, sys
from pathlib import Path
from data_preparation.validation import validate
assert validate(Path(sys.argv[1]), None, None, workers=1).ok
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""

Cost = tuple[float, float]  # CPU and clock, microseconds an image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", type=int, default=0, metavar="N")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results: dict[str, Any] = {"images": options.images, "rounds": options.rounds, "load": os.getloadavg()[0]}
    with tempfile.TemporaryDirectory(prefix="ocr-validate-") as folder:
        if options.memory:
            results["memory"] = memory(Path(folder), options.memory)
        for kind, (loose, packed) in draw(Path(folder), options.images).items() if options.rounds else ():
            results[kind] = compare(loose, packed, options.rounds)
    if options.json:
        print(json.dumps(results))
        return
    print(f"{options.images:,} images, median of {options.rounds} rounds (range), load {results['load']:.1f}")
    for kind in ("png", "jpeg") if options.rounds else ():
        for what, each in results[kind].items():
            low, high = each["range"]
            cpu = f"CPU {each['cpu_us']:6.1f} µs ({low:.1f} to {high:.1f}), ratio {each['ratio_per_core']:.2f}"
            print(f"{kind:4} {what:22} {cpu}; clock {each['clock_us']:6.1f} µs, ratio {each['ratio']:.2f}")
    if options.memory:
        print(", ".join(f"{name}: {mib:,.0f} MiB" for name, mib in results["memory"].items()))


def compare(loose: Path, packed: Path, rounds: int) -> dict[str, dict[str, Any]]:
    """CPU and clock for an image of each way, and the peer's over them: medians of the ratios within a round."""
    samples = [sample for name in ("train.txt", "val.txt") for sample in read_labels(loose / name).samples]
    files = [str(loose / sample.image) for sample in samples]
    ways: dict[str, Callable[[], object]] = {
        PEER: partial(read_and_decode, files),
        "validate": partial(check, loose, 1),
        "validate, packed": partial(check, packed, 1),
        "validate, default": partial(check, loose, None),
    }
    costs: dict[str, list[Cost]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, work in ways.items():
            costs[way].append(cost(work, len(files)))
    return {
        way: {
            "cpu_us": statistics.median(cpu for cpu, _ in mine),
            "clock_us": statistics.median(clock for _, clock in mine),
            "range": (min(mine)[0], max(mine)[0]),
            "ratio_per_core": statistics.median(peer[0] / own[0] for peer, own in zip(costs[PEER], mine, strict=True)),
            "ratio": statistics.median(peer[1] / own[1] for peer, own in zip(costs[PEER], mine, strict=True)),
        }
        for way, mine in costs.items()
    }


def read_and_decode(files: list[str]) -> None:
    for file in files:
        with open(file, "rb") as stream:
            data = stream.read()
        if cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) is None:
            raise SystemExit(f"{file} does not decode")


def check(folder: Path, workers: int | None) -> None:
    if not validate(folder, None, None, workers=workers).ok:
        raise SystemExit(f"{folder} is not sound")


def cost(work: Callable[[], object], images: int) -> Cost:
    began, clock = cpu_seconds(), time.perf_counter()
    work()
    return (cpu_seconds() - began) / images * 1e6, (time.perf_counter() - clock) / images * 1e6


def cpu_seconds() -> float:
    """Of this process and of the children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def memory(folder: Path, most: int) -> dict[str, float]:
    """MiB at the peak."""
    peaks = {}
    for count in (most // 4, most):
        dataset = folder / f"memory-{count}"
        many_crops(dataset, count)
        command = [sys.executable, "-c", MEMORY, str(dataset)]
        peaks[count] = int(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout) / 1024
    low, high = peaks.values()
    slope = (high - low) / (most - most // 4)
    return {f"{count:,} crops": peak for count, peak in peaks.items()} | {
        "1,000,000 by the slope": high + slope * (1_000_000 - most)
    }


def many_crops(folder: Path, count: int) -> None:
    crop = jpeg()
    lines = []
    for number in range(count):
        image = f"images/{number // 1000:04}/{number:07}.jpg"
        path = folder / image
        if number % 1000 == 0:
            path.parent.mkdir(parents=True)
        path.write_bytes(crop + str(number).encode())
        lines.append(f"{image}\t{number:07}\n")
    (folder / "train.txt").write_text("".join(lines[:-100]))
    (folder / "val.txt").write_text("".join(lines[-100:]))
    (folder / "dict.txt").write_text("".join(f"{digit}\n" for digit in range(10)))


if __name__ == "__main__":
    main()
