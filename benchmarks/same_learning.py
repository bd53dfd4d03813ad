"""Does a network learn the same from our pipeline as from PaddleOCR's transforms? Seed by seed.

CRNN on drawn digits with PaddleOCR's whole augmentation (lines joined, TIA, crop, blur, noise, …), the real container,
everything alike but `input_pipeline`. All start from the same weights, trained without augmentation until they read:
when a new network finds its letters is chance, and would hide the rest. The two draw other random numbers, so single
runs differ; the question is whether their means do. Printed for the CER of the validation crops and for the loss over
the last fifth of the training, which is of augmented samples: the mean of the differences (ours less PaddleOCR's) and
its 95 % confidence interval.

    python -m benchmarks.same_learning [--seeds 5] [--epochs 10] [--json]     a minute and a half for two runs an epoch
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

import yaml

from contract.recipe import CONFIGS
from data_preparation.__main__ import main as data_preparation
from tests.container.jobs import Base, Finished

PIPELINES = ("paddleocr", "auto")
JOINING = {"RecConAug": {"prob": 0.5, "ext_data_num": 2, "image_shape": [32, 100, 3], "max_text_length": 25}}
# Two-sided 95 % of Student's t for 1, 2, … degrees of freedom.
T95 = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, choices=range(2, len(T95) + 2))
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--samples", type=int, default=1400, help="crops, of which 200 validate")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        dataset = Path(folder) / "digits"
        data_preparation(["demo", "--output-dir", str(dataset), "--count", str(args.samples), "--val-count", "200"])
        write_recipe(dataset / "augmented.yml")
        start = first_weights(Path(folder), dataset)
        rows = []
        for seed in range(1, args.seeds + 1):
            for pipeline in PIPELINES if seed % 2 else PIPELINES[::-1]:
                rows.append(train(Path(folder), dataset, start, pipeline, seed, args.epochs))
                print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    print(json.dumps(summary(rows), indent=None if args.json else 1))


def write_recipe(path: Path) -> None:
    """The recipe of the smoke run with the whole augmentation, and a rate that falls over any number of epochs."""
    recipe = yaml.safe_load((CONFIGS / "rec/demo_digits.yml").read_text(encoding="utf-8"))
    recipe["Train"]["dataset"]["ext_op_transform_idx"] = 1
    recipe["Train"]["dataset"]["transforms"][1:1] = [JOINING, {"RecAug": None}]
    recipe["Optimizer"]["lr"] = {"name": "Cosine", "learning_rate": 0.002, "warmup_epoch": 0}
    path.write_text(yaml.safe_dump(recipe, sort_keys=False), encoding="utf-8")


def first_weights(folder: Path, dataset: Path) -> Path:
    """A folder with the weights of a training without augmentation."""
    base = Base(folder / "first", dataset, config="rec/demo_digits.yml", seed=1, workers=0)
    print(json.dumps({"first": finished(base).of("eval")[-1]["cer"]}), file=sys.stderr, flush=True)
    weights = folder / "weights"
    weights.mkdir()
    for name in ("best_accuracy.pdparams", "dict.txt"):
        shutil.copy(base.folder / "model" / name, weights)
    return weights


def train(folder: Path, dataset: Path, start: Path, pipeline: str, seed: int, epochs: int) -> dict[str, object]:
    base = Base(
        folder / f"{pipeline}-{seed}",
        dataset,
        config="augmented.yml",
        input_pipeline=pipeline,
        seed=seed,
        epochs=epochs,
        workers=0,
    )
    (base.folder / "input/data/pretrained").symlink_to(start)
    done = finished(base)
    last, steps = done.of("eval")[-1], done.of("train")
    return {
        "pipeline": pipeline,
        "seed": seed,
        "cer": last["cer"],
        "acc": last["acc"],
        "loss": statistics.mean(float(event["loss"]) for event in steps[-len(steps) // 5 :]),
        "samples_per_s": statistics.median(float(event["samples_per_s"]) for event in steps),
    }


def finished(base: Base) -> Finished:
    done = base.run()
    if done.code:
        raise SystemExit(done.errors)
    return done


def summary(rows: list[dict]) -> dict[str, object]:
    return {"runs": rows, "cer": compared(rows, "cer"), "loss": compared(rows, "loss")}


def compared(rows: list[dict], figure: str) -> dict[str, object]:
    """Means of both, and of their differences, seed by seed."""
    of = {(row["pipeline"], row["seed"]): float(row[figure]) for row in rows}
    seeds = sorted({row["seed"] for row in rows})
    differences = [of["auto", seed] - of["paddleocr", seed] for seed in seeds]
    half = T95[len(seeds) - 2] * statistics.stdev(differences) / math.sqrt(len(seeds))
    mean = statistics.mean(differences)
    return {
        "paddleocr": statistics.mean(of["paddleocr", seed] for seed in seeds),
        "ours": statistics.mean(of["auto", seed] for seed in seeds),
        "difference": mean,
        "interval_95": [mean - half, mean + half],
    }


if __name__ == "__main__":
    main()
