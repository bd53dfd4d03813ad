"""The model folder as promised: all of its files, nothing else, and nothing half-written."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from container.trainer_process import Outcome
from contract.paths import EXIT_FINISHED, FAILURE_LIMIT, MODEL_FILES


class ArtifactIncomplete(Exception):
    """The trainer said it finished, but what it left is not a model."""


def collect_model(outcome: Outcome, model: Path) -> None:
    """Move the trainer's artifact into model/, run.json last. Raises ArtifactIncomplete or OSError (disk full)."""
    if outcome.model is None:
        if outcome.exit_code == EXIT_FINISHED:
            raise ArtifactIncomplete("the trainer finished without a model: this is a defect, please report the log")
        return
    _verify(outcome.model)
    model.mkdir(parents=True, exist_ok=True)
    staging = model / ".tmp-artifact"  # beside the old one, which goes only when all of the new one is on the disk
    shutil.rmtree(staging, ignore_errors=True)
    try:
        _copy(outcome.model, staging)
    except OSError:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    for old in model.iterdir():
        if old != staging:
            shutil.rmtree(old) if old.is_dir() else old.unlink()
    for name in MODEL_FILES:  # run.json is the last of them
        (staging / name).rename(model / name)
    staging.rmdir()


def write_failure(path: Path, reason: str) -> None:
    """output/failure, whose first 1,024 characters SageMaker shows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(reason[:FAILURE_LIMIT], encoding="utf-8")


def clear_failure(path: Path) -> None:
    """Forget why an earlier start under the same folder failed."""
    try:
        path.unlink(missing_ok=True)
    except NotADirectoryError:  # there is no output folder, and no failure in it
        pass


def _verify(model: Path) -> None:
    missing = [name for name in MODEL_FILES if not (model / name).exists()]
    empty = [path for path in model.rglob("*") if path.is_file() and path.stat().st_size == 0]
    extra = {path.name for path in model.iterdir()} - set(MODEL_FILES)
    if extra:
        raise ArtifactIncomplete(f"the artifact holds {', '.join(sorted(extra))}, which does not belong there")
    if missing or empty:
        raise ArtifactIncomplete(f"the artifact lacks {', '.join(missing) or empty[0].name}")
    json.loads((model / "run.json").read_text(encoding="utf-8"))


def _copy(source: Path, target: Path) -> None:
    """Copy a file or folder and flush it to the disk."""
    if source.is_dir():
        target.mkdir()
        for part in source.iterdir():
            _copy(part, target / part.name)
        return
    with source.open("rb") as reading, target.open("wb") as writing:
        shutil.copyfileobj(reading, writing, 1 << 20)
        writing.flush()
        os.fsync(writing.fileno())
