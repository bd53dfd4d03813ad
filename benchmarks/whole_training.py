"""Does our trainer train as fast as PaddleOCR's own? Whole trainings on this machine's CPU, the same recipe and crops.

PADDLEOCR_OFFICIAL_TREE=… python -m benchmarks.whole_training [--rounds 5] [--steps 60] [--batch-size 16]
        [--workers 0] [--json]

A complete PaddleOCR tree is needed: its tools/train.py against container/trainer/train_rec.py, which trains on the same
tree's networks. CRNN (configs/rec/demo_digits.yml) with PaddleOCR's whole augmentation, and PP-OCRv4 mobile. The
figures are each trainer's own, from its log: samples per second and the share of the time that it waits for samples,
the median over the lines of a run without the first; of the ratios the median over the rounds. Runs take turns.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from benchmarks.same_learning import JOINING
from contract.recipe import CONFIGS
from data_preparation.__main__ import main as data_preparation
from tests.container.jobs import Base

RECIPES = ("rec/demo_digits.yml", "rec/PP-OCRv4/en_PP-OCRv4_rec.yml")
LINE = re.compile(r"avg_reader_cost: ([\d.]+) s, avg_batch_cost: ([\d.]+) s, .*?ips: ([\d.]+) samples/s")

Figures = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", default=RECIPES, metavar="RECIPE")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    tree = Path(os.environ["PADDLEOCR_OFFICIAL_TREE"]).resolve()
    rows = []
    with tempfile.TemporaryDirectory(prefix="ocr-benchmark-") as folder:
        dataset = Path(folder) / "digits"
        crops = [str(options.batch_size * options.steps + 8), "--val-count", "8"]
        data_preparation(["demo", "--output-dir", str(dataset), "--count", *crops])
        for recipe in options.recipes:
            path = dataset / Path(recipe).name
            path.write_text(yaml.safe_dump(over(recipe, dataset, options), sort_keys=False), encoding="utf-8")
            rounds = []
            for number in range(options.rounds):
                place = Path(folder) / f"{path.stem}-{number}"
                rounds.append(
                    {"paddleocr": theirs(tree, path, place), "ours": ours(tree, dataset, path, place, options)}
                )
                print(json.dumps({"recipe": recipe} | rounds[-1]), file=sys.stderr, flush=True)
            rows.append({"recipe": recipe, "workers": options.workers} | summary(rounds))
    print(json.dumps({"rows": rows, "load": round(os.getloadavg()[0], 1)}, indent=None if options.json else 1))


def over(recipe: str, dataset: Path, options: argparse.Namespace) -> dict[str, Any]:
    """The recipe with what both trainers are to do alike: one epoch of the dataset in batches of one size."""
    config = yaml.safe_load((CONFIGS / recipe).read_text(encoding="utf-8"))
    config["Global"] |= {"use_gpu": False, "epoch_num": 1, "eval_batch_step": [0, 10**6], "print_batch_step": 5}
    config["Global"]["character_dict_path"] = str(dataset / "dict.txt")
    config["Global"]["save_model_dir"] = str(dataset.parent / "stock")
    for mode, labels in (("Train", "train.txt"), ("Eval", "val.txt")):
        config[mode]["dataset"] |= {"data_dir": str(dataset), "label_file_list": [str(dataset / labels)]}
        config[mode]["loader"] |= {"num_workers": options.workers, "batch_size_per_card": options.batch_size}
    if "sampler" in config["Train"]:
        config["Train"]["sampler"]["first_bs"] = options.batch_size
    else:
        config["Train"]["dataset"]["ext_op_transform_idx"] = 1
        config["Train"]["dataset"]["transforms"][1:1] = [JOINING, {"RecAug": None}]
    return config


def theirs(tree: Path, recipe: Path, place: Path) -> Figures:
    place.mkdir()
    done = subprocess.run(
        [sys.executable, str(tree / "tools/train.py"), "-c", str(recipe)],
        cwd=place,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tree), *filter(None, sys.path)])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    lines = [tuple(map(float, found)) for found in LINE.findall(done.stdout)][1:]
    if done.returncode or not lines:
        raise SystemExit(done.stdout[-3000:])
    return figures([line[2] for line in lines], [line[0] / line[1] for line in lines])


def ours(tree: Path, dataset: Path, recipe: Path, place: Path, options: argparse.Namespace) -> Figures:
    base = Base(
        place / "ml",
        dataset,
        config=recipe.name,
        epochs=1,
        batch_size=options.batch_size,
        workers=options.workers,
        amp="off",
    )
    finished = base.run(env={"PADDLEOCR_HOME": str(tree)})
    if finished.code:
        raise SystemExit(finished.errors[-3000:])
    lines = finished.of("train")[2:]  # the first is of one step
    return figures([float(each["samples_per_s"]) for each in lines], [float(each["reader_share"]) for each in lines])


def figures(rates: list[float], shares: list[float]) -> Figures:
    return {"samples_per_s": statistics.median(rates), "reader_share": round(statistics.median(shares), 4)}


def summary(rounds: list[dict[str, Figures]]) -> dict[str, Any]:
    ratios = [each["ours"]["samples_per_s"] / each["paddleocr"]["samples_per_s"] for each in rounds]
    shares = {side: statistics.median(each[side]["reader_share"] for each in rounds) for side in rounds[0]}
    return {
        "ratio": round(statistics.median(ratios), 3),
        "range": [round(min(ratios), 3), round(max(ratios), 3)],
        "reader_share": shares,
    }


if __name__ == "__main__":
    main()
