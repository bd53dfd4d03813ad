"""`make smoke`: the whole job on this machine, with a Spot-like interruption in the middle of training."""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import json
import os
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from contract.dataset import DICTIONARY, TRAIN_LABELS, read_labels
from contract.events import parse_event
from contract.recipe import find_recipe, load_recipe
from launcher import submit
from launcher.flags import SUBMIT
from launcher.people import say

RECIPE = "rec/demo_digits.yml"
WANTED_ACCURACY = 0.90  # on held-out crops; below it something is wrong with this machine or this version
SHOWN = 10
EXIT_TOO_WEAK = 2


def main(argv: list[str] | None = None) -> int:
    """Make the data, train with an interruption, show what the model reads. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m launcher.smoke", description=__doc__, allow_abbrev=False)
    parser.add_argument("--output", type=Path, default=Path("output/smoke"), help="folder of dataset and runs")
    output: Path = parser.parse_args(argv).output
    dataset = output / "demo_digits"
    code = make_dataset(dataset)
    if code:
        return code
    middle = middle_step(dataset)
    code, result = train(dataset, output / "runs", middle)
    if code:
        return code
    show(result, dataset, middle)
    accuracy = result["best"]["acc"]
    if accuracy < WANTED_ACCURACY:
        say(f"error: accuracy {accuracy:.4f} is below {WANTED_ACCURACY}: see {result['artifacts']['log']}")
        return EXIT_TOO_WEAK
    return 0


def make_dataset(folder: Path) -> int:
    """Draw the digits, unless they are there already."""
    if (folder / TRAIN_LABELS).is_file() and (folder / DICTIONARY).is_file():
        say(f"dataset {folder} is there already")
        return 0
    from data_preparation.scripts import create_demo_data

    folder.parent.mkdir(parents=True, exist_ok=True)
    return create_demo_data.main(["--output-dir", str(folder), "--kinds", "digits"])


def middle_step(dataset: Path) -> int:
    """A step half-way through training and a third into an epoch: a resume must find its place inside it."""
    recipe = load_recipe(find_recipe(RECIPE))
    batch, epochs = recipe["Train"]["loader"]["batch_size_per_card"], recipe["Global"]["epoch_num"]
    steps_per_epoch = -(-len(read_labels(dataset / TRAIN_LABELS).samples) // batch)
    return steps_per_epoch * (epochs // 2) + steps_per_epoch // 3


def train(dataset: Path, output: Path, middle: int) -> tuple[int, dict[str, Any]]:
    """The command a user would type. Its live view goes to stderr; its JSON comes back.

    The user's launcher.yml and OCR_* settings say nothing here: the rehearsal is the same everywhere.
    """
    arguments = ["--instance", "process", "--dataset", str(dataset), "--config", RECIPE, "--output", str(output)]
    arguments += ["--interrupt-after", f"{middle}steps", "--config-file", os.devnull]
    say(f"$ {shlex.join([*SUBMIT.program.split(), *arguments])}")
    answer = io.StringIO()
    with contextlib.redirect_stdout(answer):
        code = submit.main([*arguments, "--json"], environment={})
    return code, json.loads(answer.getvalue()) if code == 0 else {}


def show(result: dict[str, Any], dataset: Path, middle: int) -> None:
    """What the model reads, how it came through the interruption, and the way on to Docker and SageMaker."""
    model, log = Path(result["artifacts"]["model"]), Path(result["artifacts"]["log"])
    with (model / "predictions.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    print("\nheld-out crop          truth           prediction")
    for row in spread(rows, SHOWN):
        mark = "" if row["label"] == row["prediction"] else "   <- wrong"
        print(f"{row['image']:22} {row['label']:15} {row['prediction']}{mark}")
    events = [event for line in log.read_text(encoding="utf-8").splitlines() if (event := parse_event(line))]
    stopped = steps_of(events, "interrupted") or ["none"]
    resumed = steps_of(events, "resume") or ["none"]
    print(f"\naccuracy      {result['best']['acc']:.4f} on {len(rows)} held-out crops (exact match)")
    print(f"interrupted   planned at step {middle}; stopped with a checkpoint at step {', '.join(stopped)}")
    print(f"resumed       from step {', '.join(resumed)}")
    print(f"model         {model}")
    print(f"job log       {log}")
    job = f"--dataset {dataset} --config {RECIPE}"
    print(
        "\nThe same in the image, on this machine, with Docker:\n"
        "  make image\n"
        f"  {SUBMIT.program} --instance local {job}\n"
        "\nThe same on SageMaker, with an AWS account; each command ends with the next one:\n"
        "  bash setup.sh --launch              once: what talks to AWS\n"
        "  python -m launcher doctor           what is missing, before it costs money\n"
        "  python -m launcher setup --write    bucket, role and repository\n"
        "  make push                           the GPU image\n"
        f"  {SUBMIT.program} --instance ml.g4dn.xlarge {job} --dry-run"
    )


def spread(rows: list[dict[str, str]], count: int) -> Iterable[dict[str, str]]:
    """`count` rows from the whole list, evenly: no choosing of the good ones."""
    return rows[:: max(1, len(rows) // count)][:count]


def steps_of(events: list[dict[str, Any]], kind: str) -> list[str]:
    return [str(event["step"]) for event in events if event.get("event") == kind]


if __name__ == "__main__":
    raise SystemExit(main())
