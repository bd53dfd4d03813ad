"""Commands and code to copy. What a file of the artifact says gets into them only where it is a plain name."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

from launcher.run_report.record import Record

_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,80}")


def report_command(record: Record, *words: str) -> str:
    """This page anew."""
    places = record.places
    folder = places.home or places.model
    named = _shown(folder, "RUN") if folder else places.name
    return shlex.join(["python", "-m", "launcher", "report", named, *words])


def predict_command(model: Path) -> str:
    """Read pictures as the validation did."""
    return shlex.join(["python", "-m", "container", "predict", _shown(model, "MODEL"), "crops/"])


def package_code(model: Path, name: str) -> str | None:
    """Python for the `paddleocr` package; None for a name that is none."""
    if not _PLAIN_NAME.fullmatch(name):
        return None
    folder = json.dumps(_shown(model / "inference", "MODEL/inference"), ensure_ascii=False)
    return (
        "from paddleocr import TextRecognition\n\n"
        f'model = TextRecognition(model_name="{name}", model_dir={folder})\n'
        'for result in model.predict(["crops/1.png", "crops/2.png"]):\n'
        '    print(result["rec_text"], result["rec_score"])'
    )


def _shown(path: Path, instead: str) -> str:
    """A path as it is given to a command; what is copied is what one sees, so no invisible character is in it."""
    return str(path) if str(path).isprintable() else instead
