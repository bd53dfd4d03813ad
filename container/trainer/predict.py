"""`python -m container predict MODEL_DIR IMAGE…`: what a trained model reads, prepared as in its validation."""

from __future__ import annotations

if __name__ == "__main__":  # before the other imports, which Ctrl-C may meet
    from contract.starting import ctrl_c_ends_at_once

    ctrl_c_ends_at_once()

import argparse
import copy
import json
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from container.commands import Parser, run_command, say
from container.diagnosis import in_one_line
from container.tree import locate_tree
from contract.dataset import DICTIONARY
from contract.errors import UserError
from contract.image_header import read_header
from contract.recipe import Recipe, load_recipe

MODEL_PARTS = ("config.yml", DICTIONARY, "inference/inference.json", "inference/inference.pdiparams")
IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")  # taken from a folder
PROGRESS_SECONDS = 10.0  # between two lines of progress

EXAMPLE = """\
prints a line for each image: path, tab, text, tab, confidence (0 to 1)

example:
  python -m container predict output/first/model crops/ one-more.png"""


def main() -> int:
    parser = Parser("predict", description="read crops with a trained model, on the CPU", epilog=EXAMPLE)
    parser.add_argument("model", type=Path, metavar="MODEL_DIR", help="the folder model/ of a run")
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGE", help="an image, or a folder of images")
    parser.add_argument("--json", action="store_true", help="one JSON object a line: image, text, confidence")
    return run_command(parser, _predict)


def _predict(args: argparse.Namespace) -> int:
    folder = find_model(args.model)
    images = list(find_images(args.images))
    reader = Reader(folder)
    bad, told = 0, time.monotonic()
    for start in range(0, len(images), reader.batch_size):
        paths, crops = [], []
        for path in images[start : start + reader.batch_size]:
            try:
                crops.append(reader.prepare(path))
                paths.append(path)
            except BadImage as error:
                say(f"error: {path} {error}")
                bad += 1
        for path, (text, confidence) in zip(paths, reader.read(crops), strict=True):
            line = {"image": str(path), "text": text, "confidence": round(confidence, 4)}
            print(json.dumps(line, ensure_ascii=False) if args.json else f"{path}\t{text}\t{confidence:.4f}")
        if time.monotonic() - told >= PROGRESS_SECONDS:
            told = time.monotonic()
            say(f"{min(start + reader.batch_size, len(images)):,} of {len(images):,} images")
    if bad:
        say(f"{bad} of {len(images)} images could not be read")
    return 1 if bad else 0


class BadImage(Exception):
    """An image that cannot be used; the text says why."""


def find_model(folder: Path) -> Path:
    """The model's folder, checked for its files. A run's own folder, which holds model/, will do."""
    if folder.is_file():
        raise UserError(f"{folder} is a file: name the folder model/ of a run (unpack model.tar.gz first)")
    place = folder / "model" if (folder / "model").is_dir() else folder
    missing = [name for name in MODEL_PARTS if not (place / name).is_file()]
    if missing:
        raise UserError(f"{place} is not a trained model, {missing[0]} is missing: name the folder model/ of a run")
    return place


def find_images(places: Sequence[Path]) -> Iterator[Path]:
    """The images named, and those in the folders named, in order."""
    for place in places:
        if not place.is_dir():
            yield place
            continue
        found = sorted(path for path in place.rglob("*") if path.suffix.lower() in IMAGE_ENDINGS and path.is_file())
        if not found:
            raise UserError(f"{place} holds no image ({', '.join(IMAGE_ENDINGS)}): name another folder")
        yield from found


class Reader:
    """The exported model with the transforms and the dictionary that it was validated with."""

    def __init__(self, folder: Path):
        config = load_recipe(folder / "config.yml")
        config["Global"]["character_dict_path"] = str(folder / DICTIONARY)
        self.batch_size = int(config["Eval"]["loader"]["batch_size_per_card"])
        tree = locate_tree(say)
        warnings.filterwarnings("ignore", message="No ccache found")  # paddle says it at every import
        from container.trainer.exporting import ExportedModel
        from container.trainer.network import build_decoder
        from container.trainer.paddleocr_tree import enter_tree

        enter_tree(tree)
        self.operators = _image_operators(config)
        decoder = build_decoder(config)
        try:
            self.model = ExportedModel(folder / "inference", decoder)
        except (RuntimeError, ValueError, OSError) as error:  # in Paddle's words
            raise UserError(
                f"{folder / 'inference'} cannot be opened ({in_one_line(str(error))}): it is damaged, or of a newer "
                "Paddle; take it from model.tar.gz again"
            ) from None

    def prepare(self, path: Path) -> np.ndarray:
        """The image as the network takes it (3, H, W). Raises BadImage."""
        try:
            data: Any = path.read_bytes()
            read_header(data)
        except OSError as error:
            raise BadImage(f"cannot be read ({error.strerror})") from None
        except ValueError as error:
            raise BadImage(str(error)) from None
        data = {"image": data}
        for operator in self.operators:
            try:
                data = operator(data)
            except Exception as error:  # whatever a transform raises, it is about this image
                raise BadImage(f"cannot be used ({type(error).__name__}: {' '.join(str(error).split())})") from None
            if data is None:
                raise BadImage("cannot be decoded")
        return data[0]

    def read(self, crops: Sequence[np.ndarray]) -> list[tuple[str, float]]:
        """Text and confidence of prepared crops."""
        if not crops:
            return []
        import paddle

        found = self.model.read(paddle.to_tensor(np.stack(crops)))
        return [(each.text, each.confidence) for each in found]


def _image_operators(config: Recipe) -> list[Any]:
    """The Eval transforms, without what needs a label."""
    from ppocr.data.imaug import create_operators

    transforms = []
    for operator in copy.deepcopy(config["Eval"]["dataset"]["transforms"]):
        ((name, options),) = operator.items()
        if name == "KeepKeys":
            options = {"keep_keys": ["image"]}
        if not name.endswith("LabelEncode"):
            transforms.append({name: options})
    return create_operators(transforms, copy.deepcopy(config["Global"]))


if __name__ == "__main__":
    raise SystemExit(main())
