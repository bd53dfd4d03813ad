"""Checkpoints that are either whole or not there.

A checkpoint is a folder `step-<9 digits>` with the weights, the optimizer, the state and, written last, a manifest
with size and sha256 of each. It is staged in `.tmp-*` beside its final place, flushed to disk, and renamed: the
rename is the commit. It is never rewritten. (Renaming file by file is not enough: a kill between two files leaves
weights of one step with the optimizer of another.)
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WEIGHTS = "model.pdparams"
OPTIMIZER = "model.pdopt"
STATE = "state.json"
MANIFEST = "MANIFEST.json"
BEST = "best"
FORMAT = 1
KEEP = 2  # SageMaker mirrors deletions to S3, so the newest two always stay

_FOLDER = re.compile(r"step-(\d{9})$")


@dataclass(frozen=True)
class Checkpoint:
    """A verified checkpoint folder and its state.json."""

    path: Path
    state: dict[str, Any]

    @property
    def step(self) -> int:
        return int(self.state["step"])


def publish(folder: Path, step: int, write: Callable[[Path], None], *, keep: int = KEEP) -> Path:
    """Publish `folder/step-<step>`: `write(staging)` puts the files there, this makes them a checkpoint.

    One of the same step makes room: it is damaged, or its scores no longer hold. Older checkpoints beyond `keep` are
    removed afterwards. Raises OSError (disk full, say) with nothing published.
    """
    final = folder / f"step-{step:09d}"
    folder.mkdir(parents=True, exist_ok=True)
    staging = folder / f".tmp-{step:09d}-{os.getpid()}"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir()
    try:
        write(staging)
        _seal(staging)
        if final.exists():
            _remove(final)
        staging.rename(final)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    _flush(folder)
    _prune(folder, step, keep)
    return final


def _prune(folder: Path, published: int, keep: int) -> None:
    """Of the checkpoints up to the one just published, keep the newest `keep` sound ones.

    A later one is there only when it is damaged: training will come to that step again and replace it.
    """
    sound = 1
    for path in _folders(folder):
        if step_of(path) >= published:
            continue
        if sound < keep and damage(path) is None:
            sound += 1
        else:
            _remove(path)


def choose_checkpoint(folder: Path, say: Callable[[str], None]) -> Checkpoint | None:
    """The newest sound checkpoint, or None. What is damaged is said and left alone.

    The best model is a checkpoint too, and stands in when every newer one is damaged.
    """
    for leftover in [*folder.glob(".tmp-*"), *(folder / BEST).glob(".tmp-*")]:
        shutil.rmtree(leftover, ignore_errors=True)
    found = [*_folders(folder), *_folders(folder / BEST)]
    found.sort(key=lambda path: (step_of(path), path.parent == folder), reverse=True)
    for path in found:
        reason = damage(path)
        if reason is None:
            return Checkpoint(path, json.loads((path / STATE).read_text(encoding="utf-8")))
        say(f"checkpoint {path.name} is damaged ({reason}): not used")
    if found:
        say("no sound checkpoint is left: the run starts from the beginning")
    return None


def best_checkpoint(folder: Path, say: Callable[[str], None]) -> Checkpoint | None:
    """The newest sound checkpoint under best/: scores only rise, so it is the best one."""
    for path in _folders(folder / BEST):
        reason = damage(path)
        if reason is None:
            return Checkpoint(path, json.loads((path / STATE).read_text(encoding="utf-8")))
        say(f"checkpoint {BEST}/{path.name} is damaged ({reason}): not used")
    return None


def damage(path: Path) -> str | None:
    """What is wrong with a checkpoint folder, or None when every byte is as published."""
    try:
        content = (path / MANIFEST).read_bytes()
        manifest = json.loads(content)
        if not content.endswith(b"\n"):
            return f"{MANIFEST} lacks its line end"
        if manifest["format"] != FORMAT:
            return f"format {manifest['format']}, this version reads {FORMAT}"
        files = manifest["files"]
        missing = {WEIGHTS, OPTIMIZER, STATE} - set(files)
        if missing:
            return f"the manifest lacks {min(missing)}"
        for name, expected in files.items():
            if Path(name).name != name:
                return f"the manifest names {name!r}"
            if (path / name).stat().st_size != expected["size"]:
                return f"{name} has another size"
            if sha256_of(path / name) != expected["sha256"]:
                return f"{name} has another sha256"
        state = json.loads((path / STATE).read_bytes())
        if state["format"] != FORMAT or state["step"] != step_of(path):
            return f"{STATE} is of format {state['format']}, step {state['step']}"
    except FileNotFoundError as error:
        return f"{Path(error.filename).name} is missing"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"{MANIFEST} or {STATE} is not one"
    return None


def sha256_of(path: Path) -> str:
    """sha256 of a file, read in pieces of 1 MiB."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def step_of(path: Path) -> int:
    """The step in a checkpoint folder's name."""
    match = _FOLDER.match(path.name)
    if not match:
        raise ValueError(f"{path} is not a checkpoint folder")
    return int(match[1])


def _seal(staging: Path) -> None:
    """Flush every file, then write and flush the manifest, then the folder itself."""
    files = {}
    for path in sorted(staging.iterdir()):
        _flush(path)
        files[path.name] = {"size": path.stat().st_size, "sha256": sha256_of(path)}
    manifest = staging / MANIFEST
    manifest.write_text(json.dumps({"format": FORMAT, "files": files}, indent=1) + "\n")
    _flush(manifest)
    _flush(staging)


def _folders(folder: Path) -> list[Path]:
    """Checkpoint folders by name, newest first."""
    return sorted(_matching(folder), key=step_of, reverse=True)


def _matching(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from (path for path in folder.iterdir() if path.is_dir() and _FOLDER.match(path.name))


def _remove(path: Path) -> None:
    """Out of sight first, so that no half-deleted folder carries a checkpoint's name."""
    doomed = path.with_name(f".tmp-old-{path.name}-{os.getpid()}")
    path.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def _flush(path: Path) -> None:
    """fsync a file or folder. Windows cannot open folders: there the rename alone must do."""
    if os.name == "nt" and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
