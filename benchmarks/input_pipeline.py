"""How much faster batches are prepared than by PaddleOCR 3.7.0: processor time per training sample, on one core.

python -m benchmarks.input_pipeline [--json] [--rounds 7] [--samples 256] [--crops 2000]

Both sides make batches of the same crops: float32 planes and encoded labels, with the recipe's own transforms.
PaddleOCR's come from its dataset class (MultiScaleDataSet where the recipe has a sampler, else SimpleDataSet) and the
collating of Paddle's DataLoader; ours from files of their own and from shards. PaddleOCR cannot read shards: it reads
the files in both rows. Sides take turns within a round; a figure is the median of the rounds' ratios with the lowest
and the highest. Crops are drawn: 217 x 52 pixels and 5.9 KB on average, JPEG at quality 90.
"""

from __future__ import annotations

import argparse
import copy
import json
import logging
import os
import platform
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from contract.batches import Size, scales_of
from contract.recipe import CONFIGS, load_recipe
from data_preparation.packing import pack_dataset

MOBILE = "rec/PP-OCRv5/en_PP-OCRv5_mobile_rec.yml"
RECIPES = (MOBILE, "rec/rec_mv3_none_bilstm_ctc.yml", "rec/rec_svtr_base.yml", "rec/rec_svtrnet.yml")
CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,-"
BATCH = 64
OURS_FOR_EACH = 4  # samples of ours for each of PaddleOCR's: both are then timed over about a second

Side = Callable[[int], None]  # prepares that many samples


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", default=RECIPES, metavar="RECIPE")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--samples", type=int, default=256, help=f"of PaddleOCR in each round, in batches of {BATCH}")
    parser.add_argument("--crops", type=int, default=2000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    enter_paddleocr()
    rows = []
    with tempfile.TemporaryDirectory(prefix="ocr-benchmark-") as folder:
        loose = draw(Path(folder) / "loose", options.crops)
        (Path(folder) / "packed").mkdir()
        pack_dataset(loose, Path(folder) / "packed")
        for recipe in options.recipes:
            for row in compare(recipe, loose, Path(folder) / "packed", options.rounds, options.samples):
                rows.append(row)
                print(as_text(row), file=sys.stderr, flush=True)
    if options.json:
        print(json.dumps({"ratio_per_core": rows[0]["ratio"], "rows": rows, **conditions()}))


def compare(recipe: str, loose: Path, packed: Path, rounds: int, samples: int) -> list[dict[str, Any]]:
    """One row for each kind of folder."""
    theirs = paddleocrs(recipe, loose)
    sides = {"files": ours(recipe, loose), "shards": ours(recipe, packed)}
    theirs(BATCH)
    for side in sides.values():
        side(4 * BATCH)
    spent: dict[str, list[tuple[float, float, float]]] = {name: [] for name in sides}
    for _ in range(rounds):
        cpu, wall = timed(theirs, samples)
        for name, side in sides.items():
            own_cpu, own_wall = timed(side, samples * OURS_FOR_EACH)
            spent[name].append((cpu, own_cpu, wall / own_wall))
    return [
        {
            "recipe": recipe,
            "images": name,
            "ratio": round(statistics.median(their / own for their, own, _ in figures), 2),
            "range": [round(pick(their / own for their, own, _ in figures), 2) for pick in (min, max)],
            "wall_ratio": round(statistics.median(wall for _, _, wall in figures), 2),
            "us_per_sample": round(1e6 * statistics.median(own for _, own, _ in figures)),
            "paddleocr_us_per_sample": round(1e6 * statistics.median(their for their, _, _ in figures)),
            "rounds": rounds,
        }
        for name, figures in spent.items()
    ]


def timed(side: Side, samples: int) -> tuple[float, float]:
    """CPU-seconds and seconds per sample."""
    wall, cpu = time.perf_counter(), time.process_time()
    side(samples)
    return (time.process_time() - cpu) / samples, (time.perf_counter() - wall) / samples


def ours(recipe: str, folder: Path) -> Side:
    from container.trainer.pipeline.pipeline import Pipeline
    from container.trainer.pipeline.planes import normalise
    from container.trainer.sampling import Key
    from contract.dataset import read_labels
    from contract.images import open_images

    config = over(recipe, folder)
    pipeline = Pipeline(read_labels(folder / "train.txt").samples, open_images(folder), config, "Train", 1)
    sizes = sizes_of(config)
    at = 0

    def prepare(samples: int) -> None:
        nonlocal at
        for _ in range(samples // BATCH):
            at += BATCH
            keys = [Key(at, (at + index) % len(pipeline), sizes[at // BATCH % len(sizes)]) for index in range(BATCH)]
            batch = pipeline.batch(keys)
            normalise(batch.images, batch.widths)

    return prepare


def paddleocrs(recipe: str, folder: Path) -> Side:
    from paddle.io.dataloader.collate import default_collate_fn
    from ppocr.data.simple_dataset import MultiScaleDataSet, SimpleDataSet

    config = over(recipe, folder)
    sizes = sizes_of(config)
    kind = MultiScaleDataSet if sizes[0] else SimpleDataSet
    dataset = kind(config, "Train", logging.getLogger("quiet"), seed=1)
    at = 0

    def prepare(samples: int) -> None:
        nonlocal at
        for _ in range(samples // BATCH):
            at += BATCH
            size, indices = sizes[at // BATCH % len(sizes)], [(at + index) % len(dataset) for index in range(BATCH)]
            default_collate_fn([dataset[(*size, index, None) if size else index] for index in indices])

    return prepare


def sizes_of(config: dict[str, Any]) -> tuple[Size | None, ...]:
    scales = scales_of(config)
    return scales.sizes if scales else (None,)


def over(recipe: str, folder: Path) -> dict[str, Any]:
    config = copy.deepcopy(load_recipe(CONFIGS / recipe))
    config["Global"]["character_dict_path"] = str(folder / "dict.txt")
    dataset = config["Train"]["dataset"]
    dataset["data_dir"], dataset["label_file_list"] = str(folder), [str(folder / "train.txt")]
    return config


def enter_paddleocr() -> None:
    import cv2

    from container.trainer.paddleocr_tree import enter_tree
    from container.tree import locate_tree

    cv2.setNumThreads(0)  # for both sides, as in the processes of a DataLoader on a busy machine
    enter_tree(locate_tree(lambda line: print(line, file=sys.stderr)))


def draw(folder: Path, crops: int) -> Path:
    """A loose dataset of words on noisy paper."""
    import numpy as np
    from PIL import Image, ImageDraw, ImageFont

    (folder / "images").mkdir(parents=True)
    pick, noise = random.Random(1), np.random.RandomState(1)
    lines = []
    for index in range(crops):
        text = "".join(pick.choice(CHARACTERS) for _ in range(pick.randint(5, 13)))
        font = ImageFont.load_default(pick.randint(35, 44))
        paper = Image.new("RGB", (int(font.getlength(text)) + 16, int(font.size * 1.33)), (225, 230, 220))
        ImageDraw.Draw(paper).text((8, 2), text, fill=(30, 40, 60), font=font)
        pixels = np.clip(np.asarray(paper) + noise.normal(0, 5, (paper.height, paper.width, 1)), 0, 255)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"images/{index}.jpg", quality=90)
        lines.append(f"images/{index}.jpg\t{text}\n")
    for name in ("train.txt", "val.txt"):
        (folder / name).write_text("".join(lines), encoding="utf-8")
    (folder / "dict.txt").write_text("".join(f"{character}\n" for character in CHARACTERS), encoding="utf-8")
    return folder


def as_text(row: dict[str, Any]) -> str:
    low, high = row["range"]
    return (
        f"{row['recipe']}, {row['images']}: {row['ratio']:.1f} times ({low:.1f} to {high:.1f}) per CPU-second, "
        f"{row['wall_ratio']:.1f} per second; {row['us_per_sample']} us a sample, PaddleOCR "
        f"{row['paddleocr_us_per_sample']} us; load {os.getloadavg()[0]:.1f}"
    )


def conditions() -> dict[str, Any]:
    import cv2
    import numpy as np

    from container.trainer.pipeline.native.build import library

    return {
        "compiled": library() is not None,
        "machine": platform.machine(),
        "load": round(os.getloadavg()[0], 1),
        "versions": {"python": platform.python_version(), "opencv": cv2.__version__, "numpy": np.__version__},
    }


if __name__ == "__main__":
    main()
