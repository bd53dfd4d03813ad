"""Uploads killed at random moments and started again: is all there, was anything sent twice, was half of it visible?

python -m benchmarks.kill_upload [--kills 50] [--seed 0]

Each upload is a process of its own, killed with SIGKILL somewhere between its first request and its end, half of them
packed (into small shards, so that there are many) and half loose. After the kill the place must not look like a dataset
unless every image is there; the same command must complete it; the sink's log must have each object taken once; and the
download must be the dataset. Prints one line a kill, and exits 1 when anything was not so.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.s3_sink import ROOT, run_sink
from benchmarks.upload import BUCKET, KEYS, draw
from data_preparation.dataset_files import read_dataset

CROPS = 400
SHARD_BYTES = 100_000
DELAY_MS = 5.0  # a request takes, so that many kills find some under way
UPLOAD = (
    "import sys; from data_preparation import pieces; from data_preparation.__main__ import main;"
    f" pieces.SHARD_BYTES = {SHARD_BYTES}; sys.exit(main(sys.argv[1:]))"
)


@dataclass(frozen=True)
class Outcome:
    """Of one upload that was killed."""

    loose: bool
    at: int  # requests that the sink had answered
    there: int  # objects after the kill
    half_visible: bool
    complete: bool  # the second start ended well, and what came home is what went up
    twice: tuple[str, ...]  # objects that were taken more than once

    @property
    def is_good(self) -> bool:
        return self.complete and not self.half_visible and not self.twice


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="ocr-kill-upload-") as name:
        for outcome in killed_uploads(Path(name), options.kills, options.seed):
            outcomes.append(outcome)
            print(f"{len(outcomes):3} {'good' if outcome.is_good else 'BAD '} {outcome}", flush=True)
    good = sum(outcome.is_good for outcome in outcomes)
    cut = sum(outcome.there > 0 for outcome in outcomes)
    print(f"{good} of {len(outcomes)} good; {cut} were killed when something was there already")
    raise SystemExit(good != len(outcomes))


def killed_uploads(work: Path, kills: int, seed: int) -> Iterator[Outcome]:
    """Draw a dataset, and upload it so many times with a kill each."""
    chance = random.Random(seed)
    folder = draw(work / "crops", CROPS)
    for number in range(kills):
        yield killed_upload(folder, work / str(number), chance, loose=number % 2 == 1)


def killed_upload(folder: Path, work: Path, chance: random.Random, *, loose: bool) -> Outcome:
    """One upload, killed and started again."""
    work.mkdir()
    log = work / "log"
    requests = CROPS + 7 if loose else CROPS * 6000 // SHARD_BYTES + 10
    with run_sink(DELAY_MS, "--keep", "--log", str(log)) as sink:
        environment = os.environ | KEYS | {"AWS_ENDPOINT_URL_S3": sink.url, "PYTHONPATH": str(ROOT)}

        def start(*words: str) -> subprocess.Popen[bytes]:
            command = [sys.executable, "-c", UPLOAD, *words]
            return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        upload = ("upload", str(folder), f"s3://{BUCKET}/ocr", *(["--loose"] if loose else []))
        first = start(*upload)
        wanted = chance.randrange(requests)
        while first.poll() is None and len(lines(log)) < wanted:
            time.sleep(0.001)
        time.sleep(chance.random() * DELAY_MS / 1000)
        first.kill()
        first.wait()
        time.sleep(0.05)  # what it had sent arrives
        at, there = len(lines(log)), taken(log)
        download = ("download", f"s3://{BUCKET}/ocr", "--output-dir", str(work / "home"))
        complete = start(*upload).wait() == 0 and start(*download).wait() == 0
        sent = taken(log)
    images = {name for name in sent if name.endswith((".jpg", ".bin"))}
    looks_whole = any(name.endswith(("/train.txt", "/manifest.json")) for name in there)
    return Outcome(
        loose,
        at,
        len(there),
        looks_whole and not images <= {*there},
        complete and read_dataset(work / "home").content_sha256 == read_dataset(folder).content_sha256,
        tuple(name for name, times in sent.items() if times > 1),
    )


def lines(log: Path) -> list[dict[str, Any]]:
    """The requests that the sink has answered."""
    whole = log.read_text(encoding="utf-8").rpartition("\n")[0] if log.exists() else ""
    return [json.loads(line) for line in whole.splitlines()]


def taken(log: Path) -> Counter[str]:
    """The objects that the sink took, and how often."""
    return Counter(each["name"] for each in lines(log) if each["kind"] == "PutObject" and each["status"] == "200")


if __name__ == "__main__":
    main()
