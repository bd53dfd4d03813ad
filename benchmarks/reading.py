"""What it costs to get at an image: packed and loose here, files and LMDB as PaddleOCR reads them.

python -m benchmarks.reading [--images 10000] [--rounds 5] [--json]

CPU of one process, microseconds an image, each image once a round in the same shuffled order, rounds interleaved, the
page cache warm. The peers do what PaddleOCR's data sets do for an image and no more: SimpleDataSet joins the path, asks
os.path.exists and reads the file; LMDBDataSet gets the value of image-%09d. `view` is what a decoder is given; a copy
of the bytes is named apart. Below that the same with OpenCV's decoder behind it, and what is done to a whole dataset:
checked, packed (each image decoded, or its header read) and unpacked.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import lmdb
import numpy as np

from contract.check import check_dataset
from contract.dataset import read_labels
from contract.images import LooseImages, PackedImages
from data_preparation.__main__ import main as data_preparation
from data_preparation.images import look
from data_preparation.looking import over
from data_preparation.packing import pack_dataset, unpack_dataset

PEER = "files, as PaddleOCR"
LMDB = "LMDB, as PaddleOCR"
PEERS = (PEER, LMDB)
VIEW = "packed: view"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = {}
    with tempfile.TemporaryDirectory(prefix="ocr-reading-") as name:
        for kind, (loose, packed) in draw(Path(name), options.images).items():
            results[kind] = measure(loose, packed, Path(name) / f"{kind}.lmdb", options.rounds)
    if options.json:
        print(json.dumps({"images": options.images, "rounds": options.rounds, "load": os.getloadavg()[0]} | results))
        return
    for kind, tables in results.items():
        for what, times in tables.items():
            print(f"\n{kind}, {what}: CPU µs an image, median of {options.rounds} rounds (range)")
            for source, (median, low, high) in times.items():
                peers = [peer for peer in PEERS if peer in times and source not in PEERS]
                ratios = ", ".join(f"{peer}: {times[peer][0] / median:.2f}x" for peer in peers)
                print(f"  {source:20} {median:8.2f} ({low:.2f} to {high:.2f})  {ratios}")


def draw(folder: Path, count: int) -> dict[str, tuple[Path, Path]]:
    """Drawn words as PNG and as JPEG, each loose and packed."""
    png, jpeg = folder / "png", folder / "jpeg"
    for command in (
        ["demo", "--output-dir", str(png), "--count", str(count), "--kinds", "english"],
        ["pack", str(png), "--output-dir", f"{png}-packed"],
        ["pack", str(png), "--output-dir", f"{jpeg}-packed", "--reencode", "jpeg", "--quality", "90"],
        ["unpack", f"{jpeg}-packed", "--output-dir", str(jpeg)],
    ):
        if data_preparation(command):
            raise SystemExit(f"{' '.join(command)} failed")
    return {each.name: (each, Path(f"{each}-packed")) for each in (png, jpeg)}


def measure(loose: Path, packed: Path, database: Path, rounds: int) -> dict[str, dict[str, tuple[float, ...]]]:
    """Tables of source → median, least, most."""
    labelled = [sample.image for name in ("train.txt", "val.txt") for sample in read_labels(loose / name).samples]
    keys = {image: b"image-%09d" % number for number, image in enumerate(labelled, start=1)}
    environment = lmdb.open(str(database), map_size=1 << 32)
    files, shards = LooseImages(loose), PackedImages(packed)
    with environment.begin(write=True) as writing:
        for image, key in keys.items():
            writing.put(key, files.read(image))
    transaction = environment.begin(buffers=False)
    sources: dict[str, Callable[[str], Any]] = {
        PEER: partial(as_simple_dataset, str(loose)),
        LMDB: lambda image: transaction.get(keys[image]),
        "loose: read": files.read,
        "packed: read": shards.read,
        VIEW: shards.view,
    }
    order = random.Random(1).sample(labelled, len(labelled))
    return {
        "read": timed({source: partial(each, read, order) for source, read in sources.items()}, len(order), rounds),
        "read and decode": timed(
            {
                source: partial(each, lambda image, read=sources[source]: as_pixels(read(image)), order)
                for source in (PEER, LMDB, VIEW)
            },
            len(order),
            rounds,
        ),
        "a whole dataset": timed(
            {
                "check loose": partial(check_dataset, loose, None, look, over=over(1)),
                "check packed": partial(check_dataset, packed, None, look, over=over(1)),
                "pack": partial(in_a_new_folder, partial(pack_dataset, loose, decode=look, over=over(1))),
                "pack, not decoding": partial(in_a_new_folder, partial(pack_dataset, loose)),
                "unpack": partial(in_a_new_folder, partial(unpack_dataset, packed)),
            },
            len(order),
            rounds,
        ),
    }


def in_a_new_folder(work: Callable[..., Any]) -> None:
    with tempfile.TemporaryDirectory(prefix="ocr-packing-") as folder:
        work(into=Path(folder))


def as_simple_dataset(folder: str, image: str) -> bytes:
    path = os.path.join(folder, image)  # noqa: PTH118 as the peer does
    if not os.path.exists(path):  # noqa: PTH110
        raise SystemExit(f"{path} does not exist")
    with open(path, "rb") as file:
        return file.read()


def as_pixels(data: Any) -> Any:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


def each(read: Callable[[str], Any], order: list[str]) -> None:
    for image in order:
        read(image)


def timed(work: dict[str, Callable[[], Any]], images: int, rounds: int) -> dict[str, tuple[float, ...]]:
    """One round is not counted: it warms the page cache."""
    columns: dict[str, list[float]] = {name: [] for name in work}
    for number in range(rounds + 1):
        for name, do in work.items():
            began = time.process_time()
            do()
            if number:
                columns[name].append((time.process_time() - began) / images * 1e6)
    return {name: (statistics.median(times), min(times), max(times)) for name, times in columns.items()}


if __name__ == "__main__":
    main()
