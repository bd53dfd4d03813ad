"""How much faster batches reach the trainer than by PaddleOCR 3.7.0: seconds per sample, with two workers.

python -m benchmarks.workers [--json] [--rounds 5] [--samples 5000] [--workers 2]

PP-OCRv5 mobile's own transforms and sampler. PaddleOCR's side is its build_dataloader: MultiScaleDataSet,
MultiScaleSampler, paddle.io.DataLoader, float32 through shared memory. Ours comes twice: as jobs have it (our workers,
bytes, made float32 in the trainer), and the same bytes through paddle.io.DataLoader. Each side of each round is a
process of its own. Clocks start after two batches, which favours PaddleOCR: its workers have begun the next ones.
CPU-seconds are the trainer's and its workers'.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.input_pipeline import MOBILE, draw, enter_paddleocr, over
from data_preparation.packing import pack_dataset

SIDES = ("paddleocr", "ours", "ours, paddle's loader")
NOT_TIMED = 2  # batches


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--samples", type=int, default=5000, help="of each side in each round")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(json.dumps(measure(options.side, options.folder, options.samples, options.workers)))
        return
    rounds = []
    with tempfile.TemporaryDirectory(prefix="ocr-benchmark-") as folder:
        draw(Path(folder) / "loose", 2000)
        (Path(folder) / "packed").mkdir()
        pack_dataset(Path(folder) / "loose", Path(folder) / "packed")
        for number in range(options.rounds):
            rounds.append({side: in_own_process(side, folder, options) for side in SIDES[:: 1 if number % 2 else -1]})
            print(json.dumps(rounds[-1]), file=sys.stderr, flush=True)
    print(json.dumps(summary(rounds, options), indent=None if options.json else 1))


def in_own_process(side: str, folder: str, options: argparse.Namespace) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.workers", "--side", side, "--folder", folder]
    command += ["--samples", str(options.samples), "--workers", str(options.workers)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure(side: str, folder: Path, samples: int, workers: int) -> dict[str, float]:
    """Samples per second of the clock and per CPU-second."""
    enter_paddleocr()
    batches = BATCHES[side](folder, samples, workers)
    for _ in range(NOT_TIMED):
        next(batches)
    began, used, seen = time.perf_counter(), cpu_seconds(), 0
    for size in batches:
        seen += size
        if seen >= samples:
            break
    seconds, used = time.perf_counter() - began, cpu_seconds() - used
    return {"per_second": round(seen / seconds, 1), "per_cpu_second": round(seen / used, 1)}


def cpu_seconds() -> float:
    """Of this process and its workers so far, as Linux counts them."""
    pids = [str(os.getpid()), *Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])  # utime, stime
    return ticks / os.sysconf("SC_CLK_TCK")


def paddleocrs(folder: Path, samples: int, workers: int) -> Iterator[int]:
    import paddle
    from ppocr.data import build_dataloader

    config = over(MOBILE, folder / "loose")
    config["Train"]["loader"]["num_workers"] = workers
    loader = build_dataloader(config, "Train", paddle.CPUPlace(), logging.getLogger("quiet"), 1)
    while True:
        for batch in loader:
            yield len(batch[0])


def ours(folder: Path, samples: int, workers: int) -> Iterator[int]:
    from container.trainer.reading import read_batches, room_for

    made, keys, config = our_samples(folder, samples)
    batch = config["Train"]["loader"]["batch_size_per_card"]
    for each in read_batches(made, keys, len(keys), workers, room_for(config, batch)):
        yield each.size


def ours_by_paddles_loader(folder: Path, samples: int, workers: int) -> Iterator[int]:
    import paddle

    made, keys, _ = our_samples(folder, samples)

    class Batches(paddle.io.Dataset):
        def __len__(self) -> int:
            return len(keys)

        def __getitem__(self, index: int) -> list[Any]:
            return made.prepare(keys[index])[1]

    loader = paddle.io.DataLoader(
        Batches(), batch_size=None, num_workers=workers, use_shared_memory=True, return_list=True
    )
    for images, *_ in loader:
        yield len(images)


def our_samples(folder: Path, samples: int) -> tuple[Any, list[Any], dict[str, Any]]:
    from container.trainer.reading import open_samples
    from container.trainer.sampling import Schedule
    from contract.batches import scales_of
    from contract.images import open_images

    config = over(MOBILE, folder / "packed")
    images = open_images(folder / "packed")
    made = open_samples(config, "Train", folder / "packed/train.txt", images, 1, "auto", exit)
    batch = config["Train"]["loader"]["batch_size_per_card"]
    schedule = Schedule(len(made), batch, 2 + samples // len(made) * 2, 1, scales_of(config))
    return made, list(schedule.batches(0, 0)), config


BATCHES = dict(zip(SIDES, (paddleocrs, ours, ours_by_paddles_loader), strict=True))


def summary(rounds: list[dict[str, dict[str, float]]], options: argparse.Namespace) -> dict[str, Any]:
    rows: dict[str, Any] = {"workers": options.workers, "rounds": len(rounds), "load": round(os.getloadavg()[0], 1)}
    for side in SIDES[1:]:
        for figure in ("per_second", "per_cpu_second"):
            ratios = [each[side][figure] / each[SIDES[0]][figure] for each in rounds]
            rows[f"{side}: {figure}"] = {
                "ratio": round(statistics.median(ratios), 2),
                "range": [round(min(ratios), 2), round(max(ratios), 2)],
                "samples": round(statistics.median(each[side][figure] for each in rounds)),
                "paddleocr": round(statistics.median(each[SIDES[0]][figure] for each in rounds)),
            }
    return rows


if __name__ == "__main__":
    main()
