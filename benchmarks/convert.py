"""Cutting crops out of annotated pages beside PaddleOCR's rotate-crop in a loop, as PPOCRLabel exports them.

python -m benchmarks.convert [--rounds 5] [--pages 60] [--json]

Drawn pages of 1280 x 960 pixels (JPEG) with 30 regions each and their Label.txt: pages of upright boxes, as most
documents have them, pages of tilted quadrilaterals, and half of each. Ours is the whole `convert`: reading, checks, a
SHA-256 for each crop, the split, the dictionary. The peer reads the same Label.txt and the pages with OpenCV, cuts with
PaddleOCR's own function, and writes files and a label list: as JPEG of the same quality, and as PNG. Samples a
CPU-second in one process; then samples a second of wall clock with two processes, beside one. All in turns, medians.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import random
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
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
KIND_OF_PAGES = ("boxes", "mixed", "tilted")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pages", type=int, default=60)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="ocr-convert-") as name:
        results = {
            kind: measure(draw_pages(Path(name) / kind, kind, options.pages), options.rounds) for kind in KIND_OF_PAGES
        }
    if options.json:
        print(json.dumps({"load": load, "rounds": options.rounds, "pages": options.pages, **results}))
        return
    print(f"{options.pages} pages of {ROWS * COLUMNS} regions, {options.rounds} rounds, load {load:.1f}")
    for kind, rates in results.items():
        print(kind)
        for what, figures in rates.items():
            low, middle, high = figures
            print(f"  {what:34} {middle:8,.2f}  ({low:,.2f} to {high:,.2f})")


def measure(pages: Path, rounds: int) -> dict[str, tuple[float, float, float]]:
    """Rates and ratios as (lowest, median, highest) of the rounds."""
    out = pages.parent / "out"
    ways: dict[str, Callable[[], int]] = {
        "ours": lambda: ours(pages, out, 1),
        "peer, jpg": lambda: peer(pages, out, ".jpg", [cv2.IMWRITE_JPEG_QUALITY, 95]),
        "peer, png": lambda: peer(pages, out, ".png", []),
        "ours, two processes": lambda: ours(pages, out, 2),
    }
    taken: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}  # samples a CPU-second, a second
    for _ in range(rounds):
        for way, run in ways.items():
            started, cpu = time.perf_counter(), cpu_s()
            count = run()
            taken[way].append((count / (cpu_s() - cpu), count / (time.perf_counter() - started)))
            shutil.rmtree(out)
    rates = {f"{way}, samples/CPU-s": [rate for rate, _ in figures] for way, figures in taken.items()}
    rates["ratio to peer, jpg"] = ratios(taken["ours"], taken["peer, jpg"], 0)
    rates["ratio to peer, png"] = ratios(taken["ours"], taken["peer, png"], 0)
    rates["two processes to one (wall)"] = ratios(taken["ours, two processes"], taken["ours"], 1)
    return {what: (min(figures), statistics.median(figures), max(figures)) for what, figures in rates.items()}


def ratios(ours: list[tuple[float, float]], theirs: list[tuple[float, float]], index: int) -> list[float]:
    return [a[index] / b[index] for a, b in zip(ours, theirs, strict=True)]


def cpu_s() -> float:
    """User and system seconds of this process and of the children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def ours(pages: Path, out: Path, workers: int) -> int:
    command = ["--input-images", str(pages), "--input-labels", str(pages), "--output-dir", str(out)]
    with contextlib.redirect_stderr(io.StringIO()) as said:
        code = convert_data.main([*command, "--workers", str(workers)])
    if code:
        raise SystemExit(said.getvalue())
    manifest = json.loads((out / "dataset.json").read_text())
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
