"""The exported model in the `paddleocr` 3.x package beside what the trainer's validation read.

PADDLEOCR_PACKAGE_PYTHON=/path/to/python python -m benchmarks.paddleocr_package MODEL_DIR VALIDATION_FOLDER

The python named has `paddleocr` installed, in an environment of its own. Nothing is downloaded. Crops no wider than the
recipe's width to height ratio are counted apart from wider ones: the package widens its input for those.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from contract.dataset import image_file
from contract.image_header import read_header

PYTHON_VARIABLE = "PADDLEOCR_PACKAGE_PYTHON"

# Runs in the package's own environment. One crop at a time, the package's default: within a batch it pads every crop to
# the widest one.
READER = """
import json, sys
from paddleocr import TextRecognition
folder, name = sys.argv[1:]
model = TextRecognition(model_name=name, model_dir=folder, device="cpu")
for path in sys.stdin.read().splitlines():
    for result in model.predict(input=path, batch_size=1):
        print(json.dumps([result["rec_text"], float(result["rec_score"])]))
"""


@dataclass(frozen=True)
class Count:
    """Crops, and how many of them the package read otherwise than the validation; the largest gap in confidence of
    those read alike."""

    crops: int
    differing: int
    confidence_gap: float


def compare(model: Path, validation: Path, python: str) -> tuple[Count, Count]:
    """Crops inside the recipe's ratio, and wider ones."""
    settings = yaml.safe_load((model / "inference/inference.yml").read_text(encoding="utf-8"))
    _, height, width = next(
        options["image_shape"]
        for operator in settings["PreProcess"]["transform_ops"]
        for name, options in operator.items()
        if name == "RecResizeImg"
    )
    with (model / "predictions.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    images = [image_file(validation, row["image"]) for row in rows]
    read = _read(model / "inference", settings["Global"]["model_name"], images, python)
    inside, wider = [], []
    for row, image, (text, confidence) in zip(rows, images, read, strict=True):
        header = read_header(image.read_bytes())
        group = inside if header.width * height <= header.height * width else wider
        group.append((text != row["prediction"], abs(confidence - float(row["confidence"]))))
    return _count(inside), _count(wider)


def _read(inference: Path, name: str, images: list[Path], python: str) -> list[tuple[str, float]]:
    done = subprocess.run(
        [python, "-c", READER, str(inference), name],
        input="".join(f"{image}\n" for image in images),
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [tuple(json.loads(line)) for line in done.stdout.splitlines() if line.startswith("[")]


def _count(rows: list[tuple[bool, float]]) -> Count:
    gaps = [gap for differs, gap in rows if not differs]
    return Count(len(rows), sum(differs for differs, _ in rows), max(gaps, default=0.0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, metavar="MODEL_DIR")
    parser.add_argument("validation", type=Path, metavar="VALIDATION_FOLDER")
    options = parser.parse_args()
    python = os.environ.get(PYTHON_VARIABLE)
    if not python:
        sys.exit(f"error: name a python that has paddleocr 3.x in {PYTHON_VARIABLE}")
    for name, count in zip(
        ("inside the ratio", "wider"), compare(options.model, options.validation, python), strict=True
    ):
        print(
            f"{name:<17} {count.crops:>6} crops  {count.differing:>4} read differently  "
            f"confidence of the others off by at most {count.confidence_gap:.4f}"
        )


if __name__ == "__main__":
    main()
