"""Cutting crops out of annotated pages beside PaddleOCR's rotate-crop in a loop, as PPOCRLabel exports them.

python -m benchmarks.convert [--rounds 5] [--pages 60] [--many 600] [--folder DIR] [--json]

Drawn pages of 1280 x 960 pixels (JPEG) with 30 regions each and their Label.txt: pages of upright boxes, as most
documents have them, pages of tilted quadrilaterals, and half of each. Ours is the whole `convert`: reading, checks, a
SHA-256 and a likeness for each crop, the split, the dictionary. The peer reads the same Label.txt and the pages with
OpenCV, cuts with PaddleOCR's own function, and writes files and a label list: as JPEG of the same quality, and as PNG.
Each in a process of its own, samples a CPU-second. Then the command itself on --many pages, with one process and with
two: samples a second of wall clock, for which two cores must be idle. All in turns.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import multiprocessing
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from data_preparation.demo.drawing import draw_crop
from data_preparation.demo.fonts import Face, faces_for
from data_preparation.demo.words import KINDS
from data_preparation.scripts import convert_data
from tests.data_preparation.rotate_crop import rotate_crop

WIDTH, HEIGHT = 1280, 960
COLUMNS, ROWS = 3, 10
TILT = 8  # degrees, either way

Figures = dict[str, tuple[float, float, float]]  # lowest, median and highest of the rounds
KINDS_OF_PAGES = ("boxes", "tilted", "mixed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pages", type=int, default=60)
    parser.add_argument("--many", type=int, default=600, help="pages for one process and two; 0: leave that out")
    parser.add_argument("--folder", help="where to draw and write (default: for temporary files; /dev/shm is no disk)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    results = {}
    with tempfile.TemporaryDirectory(prefix="ocr-convert-", dir=options.folder) as name:
        for kind in KINDS_OF_PAGES:
            pages = draw_pages(Path(name) / kind, kind, options.pages)
            results[kind] = beside_the_peer(pages, options.rounds)
        if options.many:
            many = repeated(pages, Path(name) / "many", options.many)
            results[f"{kind}, {options.many} pages"] = in_two_processes(many, options.rounds)
    if options.json:
        print(json.dumps({"load": load, "rounds": options.rounds, "pages": options.pages, "results": results}))
        return
    print(
        f"{options.pages} pages of {ROWS * COLUMNS} regions, {options.rounds} rounds, load {load:.1f}; median (range)"
    )
    for kind, figures in results.items():
        print(kind)
        for what, (low, middle, high) in figures.items():
            print(f"  {what:30} {middle:8,.2f}  ({low:,.2f} to {high:,.2f})")


def beside_the_peer(pages: Path, rounds: int) -> Figures:
    out = pages.parent / "out"
    calls: dict[str, Callable[[], int]] = {
        "ours": partial(ours, pages, out),
        "peer, jpg": partial(peer, pages, out, ".jpg", [cv2.IMWRITE_JPEG_QUALITY, 95]),
        "peer, png": partial(peer, pages, out, ".png", []),
    }
    with ExitStack() as processes:
        ways = {way: partial(in_its_process, process_of_its_own(processes), call) for way, call in calls.items()}
        rates = in_turns(ways, out, rounds)
    return {f"{way}, samples/CPU-s": summary(figures) for way, figures in rates.items()} | {
        f"ratio to {way}": summary(ratios(rates["ours"], rates[way])) for way in ("peer, jpg", "peer, png")
    }


def process_of_its_own(until: ExitStack) -> ProcessPoolExecutor:
    """Neither has the other's settings of OpenCV and of memory."""
    return until.enter_context(ProcessPoolExecutor(1, multiprocessing.get_context("spawn")))


def in_its_process(process: ProcessPoolExecutor, call: Callable[[], int]) -> float:
    return process.submit(rate, call, time.process_time).result()


def rate(call: Callable[[], int], clock: Callable[[], float]) -> float:
    """Samples in a unit of the clock."""
    started = clock()
    count = call()
    return count / (clock() - started)


def in_two_processes(pages: Path, rounds: int) -> Figures:
    out = pages.parent / "out"
    ways = {
        f"{workers} process(es)": partial(rate, partial(command, pages, out, workers), time.perf_counter)
        for workers in (1, 2)
    }
    rates = in_turns(ways, out, rounds)
    figures = {f"{way}, samples/s": summary(each) for way, each in rates.items()}
    one, two = rates.values()
    return figures | {"ratio of two to one": summary(ratios(two, one))}


def in_turns(ways: dict[str, Callable[[], float]], out: Path, rounds: int) -> dict[str, list[float]]:
    """The rates of each way, each round; `out` is what they write."""
    rates: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, measured in ways.items():
            rates[way].append(measured())
            shutil.rmtree(out)
    return rates


def summary(figures: list[float]) -> tuple[float, float, float]:
    return min(figures), statistics.median(figures), max(figures)


def ratios(ours: list[float], theirs: list[float]) -> list[float]:
    return [a / b for a, b in zip(ours, theirs, strict=True)]


def ours(pages: Path, out: Path) -> int:
    """One process, the one that asks."""
    with contextlib.redirect_stderr(io.StringIO()) as said:
        code = convert_data.main(flags(pages, out, 1))
    if code:
        raise SystemExit(said.getvalue())
    return samples(out)


def command(pages: Path, out: Path, workers: int) -> int:
    """The command as people give it."""
    words = [sys.executable, "-m", "data_preparation", "convert", *flags(pages, out, workers)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return samples(out)


def flags(pages: Path, out: Path, workers: int) -> list[str]:
    return ["--input-images", str(pages), "--output-dir", str(out), "--workers", str(workers)]


def samples(out: Path) -> int:
    manifest = json.loads((out / "dataset.json").read_text(encoding="utf-8"))
    return manifest["train"] + manifest["val"]


def peer(pages: Path, out: Path, ending: str, options: list[int]) -> int:
    """The loop with which PPOCRLabel exports crops."""
    cut = rotate_crop()
    folder = out / "crop_img"
    folder.mkdir(parents=True)
    labels = []
    for line in (pages / "Label.txt").read_text(encoding="utf-8").splitlines():
        page, _, regions = line.partition("\t")
        pixels = cv2.imread(str(pages / page))
        for number, region in enumerate(json.loads(regions)):
            crop = cut(pixels, np.array(region["points"], np.float32))
            name = f"{Path(page).stem}_crop_{number}{ending}"
            cv2.imwrite(str(folder / name), crop, options)
            labels.append(f"crop_img/{name}\t{region['transcription']}\n")
    (out / "rec_gt.txt").write_text("".join(labels), encoding="utf-8")
    return len(labels)


def draw_pages(folder: Path, kind: str, count: int) -> Path:
    """Pages and their Label.txt. Every second page of `mixed` is tilted."""
    folder.mkdir()
    rng = random.Random(1024)
    face = faces_for(KINDS["english"])[0]
    lines = []
    for number in range(count):
        tilted = kind == "tilted" or (kind == "mixed" and number % 2 == 1)
        pixels, regions = draw_page(rng, face, tilted)
        cv2.imwrite(str(folder / f"{number:04}.jpg"), pixels, [cv2.IMWRITE_JPEG_QUALITY, 92])
        lines.append(f"{number:04}.jpg\t{json.dumps(regions, ensure_ascii=False)}\n")
    (folder / "Label.txt").write_text("".join(lines), encoding="utf-8")
    return folder


def repeated(pages: Path, folder: Path, count: int) -> Path:
    """So many pages, the same pictures again and again under other names, each time with other texts.

    Lines of text are mostly different; with the same texts all crops would be compared with each other as
    near-duplicates, in one process.
    """
    folder.mkdir()
    lines = (pages / "Label.txt").read_text(encoding="utf-8").splitlines()
    more = []
    for number in range(count):
        page, _, regions = lines[number % len(lines)].partition("\t")
        others = [region | {"transcription": f"{region['transcription']} {number}"} for region in json.loads(regions)]
        os.link(pages / page, folder / f"{number:05}.jpg")
        more.append(f"{number:05}.jpg\t{json.dumps(others)}\n")
    (folder / "Label.txt").write_text("".join(more), encoding="utf-8")
    return folder


def draw_page(rng: random.Random, face: Face, tilted: bool) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """A page of words in a grid, and its regions on whole pixels."""
    page = np.full((HEIGHT, WIDTH, 3), 235, np.uint8)
    regions = []
    for row in range(ROWS):
        for column in range(COLUMNS):
            text = " ".join(KINDS["english"].label(rng) for _ in range(2))
            crop = cv2.imdecode(np.frombuffer(draw_crop(text, face, rng), np.uint8), cv2.IMREAD_COLOR)
            crop = crop[:72, :360]
            height, width = crop.shape[:2]
            x, y = column * (WIDTH // COLUMNS) + 30, row * (HEIGHT // ROWS) + 12
            corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
            target = corners + np.float32((x, y))
            if tilted:
                turn = cv2.getRotationMatrix2D((x + width / 2, y + height / 2), rng.uniform(-TILT, TILT), 1)
                target = cv2.transform(target[None], turn)[0]
            target = np.float32(target.round())
            matrix = cv2.getPerspectiveTransform(corners, target)
            cv2.warpPerspective(crop, matrix, (WIDTH, HEIGHT), dst=page, borderMode=cv2.BORDER_TRANSPARENT)
            regions.append({"transcription": text, "points": target.astype(int).tolist(), "difficult": False})
    return page, regions


if __name__ == "__main__":
    main()
