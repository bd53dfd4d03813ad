"""OUTPUT/RUN: made, locked while a launcher uses it, and taken back when the job is refused."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from contract.errors import UserError
from launcher.plan import Plan

# A container whose launcher was killed holds the lock until it has ended as well: moments, so it is waited for.
LOCK_WAIT_S = 5.0


@dataclass
class RunFolder:
    """The folder of a run while a launcher uses it."""

    plan: Plan
    made: list[Path] = field(default_factory=list)  # folders that were not there before, outermost first
    locks: list[int] = field(default_factory=list)  # open descriptors; a container inherits them

    def take_back(self) -> bool:
        """Undo what the start of this run has written. False: the run was there before, and stays as it is."""
        is_new = self.plan.folder in self.made
        if is_new:
            shutil.rmtree(self.plan.folder, ignore_errors=True)
        for folder in reversed(self.made):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        aside = self.plan.moves_aside
        if aside and aside.exists() and not self.plan.folder.exists():
            aside.rename(self.plan.folder)
        return is_new


@contextmanager
def open_run_folder(plan: Plan, say: Callable[[str], None]) -> Iterator[RunFolder]:
    """Make and lock the folders of a run; with --fresh, move the old one aside first. Raises UserError."""
    folder = RunFolder(plan)
    try:
        try:
            if plan.moves_aside:
                folder.locks.append(_lock(plan.folder, plan.run))
                plan.folder.rename(plan.moves_aside)
                say(f"--fresh: what run {plan.run} had so far is now in {plan.moves_aside}")
            _make(plan.folder, folder.made)
            folder.locks.append(_lock(plan.folder, plan.run))
            _make(plan.checkpoints, folder.made)
            if plan.checkpoints.parent != plan.folder:
                folder.locks.append(_lock(plan.checkpoints, plan.run))
            _make(plan.model, folder.made)
        except (OSError, UserError) as error:
            folder.take_back()
            if isinstance(error, UserError):
                raise
            raise UserError(f"{error.filename} cannot be written ({error.strerror}): name another --output") from None
        yield folder
    finally:
        for descriptor in folder.locks:
            os.close(descriptor)


def _make(path: Path, made: list[Path]) -> None:
    missing = [each for each in (path, *path.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
        made.append(each)


def _lock(folder: Path, run: str) -> int:
    """An open descriptor of the folder that holds its lock. Windows locks no folders: nothing is held there."""
    if sys.platform == "win32":
        return os.open(os.devnull, os.O_RDONLY)
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY)
    give_up = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            if time.monotonic() > give_up:
                os.close(descriptor)
                raise UserError(
                    f"{folder} is in use: another launcher runs {run}; wait for it or stop it, or name another --run"
                ) from None
            time.sleep(0.1)
