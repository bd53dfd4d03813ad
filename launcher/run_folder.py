"""OUTPUT/RUN: made, locked while a launcher uses it, and taken back when the job is refused."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from contract.errors import UserError
from launcher.plan import Plan, holds_something

# A container whose launcher was killed holds the lock until it has ended as well: moments, so it is waited for.
LOCK_WAIT_S = 5.0

# How often a folder is made whose parent goes meanwhile; in /proc no folder can be made, and it says the same.
MAKE_TRIES = 100


@dataclass
class RunFolder:
    """The folder of a run while a launcher uses it."""

    plan: Plan
    made: list[Path] = field(default_factory=list)  # folders that this launcher made, outermost first
    locks: list[int] = field(default_factory=list)  # open descriptors; a container inherits them
    locked: list[Path] = field(default_factory=list)  # the folders that nobody else uses meanwhile
    moved: Path | None = None  # --fresh: where the run went that had the name before

    def take_back(self) -> bool:
        """Undo what this start has written: its log and the empty folders it made. Nothing that was trained goes.

        False: something stays, because it was there before or because a checkpoint or a model is in it.
        """
        folder = self.plan.folder
        if folder not in self.locked:
            if self.moved and not folder.exists():
                with suppress(OSError):
                    self.moved.rename(folder)
            return False
        if folder in self.made and not holds_something(self.plan.checkpoints) and not holds_something(self.plan.model):
            self.plan.log.unlink(missing_ok=True)
        is_back = False
        for each in reversed(self.made):
            if each == self.plan.checkpoints and self._shares_checkpoints():
                continue
            with suppress(OSError):  # it holds something: it stays
                if each == folder and self.moved:
                    self.moved.rename(folder)  # in one step, over the empty folder
                else:
                    each.rmdir()
                is_back = is_back or each == folder
        return is_back

    def _shares_checkpoints(self) -> bool:
        """--checkpoint-uri is in use by another launcher."""
        return self.plan.checkpoints.parent != self.plan.folder and self.plan.checkpoints not in self.locked


@contextmanager
def open_run_folder(plan: Plan, say: Callable[[str], None]) -> Iterator[RunFolder]:
    """Make and lock the folders of a run; with --fresh, move the old one aside first. Raises UserError."""
    folder = RunFolder(plan)
    try:
        try:
            if plan.moves_aside:
                _claim(plan.folder, folder)
                plan.folder.rename(plan.moves_aside)
                folder.moved = plan.moves_aside
                folder.locked.remove(plan.folder)
                say(f"--fresh: what run {plan.run} had so far is now in {plan.moves_aside}")
            _claim(plan.folder, folder)
            _claim(plan.checkpoints, folder)  # another run's --checkpoint-uri may name it as well
            _make(plan.model, folder.made)
        except (OSError, UserError) as error:
            folder.take_back()
            if isinstance(error, UserError):
                raise
            raise UserError(
                f"{error.filename} cannot be written ({error.strerror}): name another --output or --checkpoint-uri"
            ) from None
        yield folder
    finally:
        for descriptor in folder.locks:
            os.close(descriptor)


def _claim(path: Path, folder: RunFolder) -> None:
    """Make a folder, unless it is there, and lock it. Raises UserError when another launcher keeps it."""
    give_up = time.monotonic() + LOCK_WAIT_S
    while True:
        _make(path, folder.made)
        with suppress(FileNotFoundError):  # its maker has just taken it back
            descriptor = _lock(path, folder.plan, give_up)
            if _is_open_as(path, descriptor):
                folder.locks.append(descriptor)
                folder.locked.append(path)
                return
            os.close(descriptor)
        if time.monotonic() > give_up:
            raise _in_use(path, folder.plan)
        if path in folder.made:  # what has this name now is not the folder that was made here
            folder.made.remove(path)


def _make(path: Path, made: list[Path]) -> None:
    """Make a folder and those above it, and note those that only this call has made. Raises OSError."""
    for tries_left in reversed(range(MAKE_TRIES)):
        try:
            path.mkdir()
        except FileNotFoundError:
            if not tries_left:
                raise
            _make(path.parent, made)
        except FileExistsError:
            if not path.is_dir():
                raise
            return
        else:
            made.append(path)
            return


def _lock(path: Path, plan: Plan, give_up: float) -> int:
    """An open descriptor of the folder that holds its lock."""
    import fcntl  # Windows has none: plan_run refuses to run a job there

    descriptor = os.open(path, os.O_RDONLY)
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            if time.monotonic() > give_up:
                os.close(descriptor)
                raise _in_use(path, plan) from None
            time.sleep(0.1)


def _in_use(path: Path, plan: Plan) -> UserError:
    if path == plan.folder:
        who, other = f"another launcher runs {plan.run}", "--run"
    else:
        who, other = "another launcher's job keeps its checkpoints there", "--checkpoint-uri"
    return UserError(f"{path} is in use: {who}; wait for it or stop it, or name another {other}")


def _is_open_as(path: Path, descriptor: int) -> bool:
    """The locked folder still has its name: it may have been taken back or moved while its lock was waited for."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), path.stat())
    return False
