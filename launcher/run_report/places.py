"""Where a run lies on this machine: the folder of a run, or that of its model alone."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from contract.errors import UserError
from launcher.cloud.model import was_downloaded

LOG, CHECKPOINTS, MODEL, RUN = "job.log", "checkpoints", "model", "run.json"
PAGE = "report.html"

_STEP = re.compile(r"step-\d{9}")


@dataclass(frozen=True)
class Places:
    """The folders of a run; None: it has none on this machine."""

    name: str
    home: Path | None
    model: Path | None  # with a run.json in it

    @property
    def page(self) -> Path:
        """Beside what it tells of, never inside a model: that holds what every model holds, and nothing else."""
        return (self.home or Path.cwd()) / PAGE

    @property
    def log(self) -> Path | None:
        """job.log of a run of this machine."""
        return self._there(LOG)

    @property
    def was_downloaded(self) -> bool:
        """It comes from SageMaker."""
        return self.home is not None and was_downloaded(self.home)

    @property
    def states(self) -> list[Path]:
        """state.json of the checkpoints, the newest first. Raises UserError."""
        folder = self._there(CHECKPOINTS)
        try:
            steps = [path for path in folder.iterdir() if _STEP.fullmatch(path.name)] if folder else []
        except OSError as error:
            raise _unread(error) from None
        return [path / "state.json" for path in sorted(steps, reverse=True)]

    def _there(self, name: str) -> Path | None:
        path = self.home / name if self.home else None
        return path if path and path.exists() else None


def find_places(named: str, runs: Path) -> Places | None:
    """The run of this name below the folder of all runs, else the folder of this name.

    None: there is neither. Raises UserError for a folder that holds no run.
    """
    try:
        return _find(named, runs)
    except OSError as error:  # a name that is too long, a folder of somebody else
        raise _unread(error) from None


def _find(named: str, runs: Path) -> Places | None:
    for folder in (_here(runs / named), _here(Path(named))):
        if _is_run(folder):
            return Places(folder.name, folder, folder / MODEL if (folder / MODEL / RUN).is_file() else None)
        if (folder / RUN).is_file():
            is_part = folder.name == MODEL and _is_run(folder.parent)
            name = folder.parent.name if is_part else folder.name
            return Places(name, folder.parent if is_part else None, folder)
    if Path(named).is_dir() and len(Path(named).parts) != 1:  # a plain name may be that of a run on SageMaker
        raise UserError(
            f"{named} is the folder of no run and of no model: it has neither {LOG}, {CHECKPOINTS}/ nor {RUN}"
        )
    return None


def _here(folder: Path) -> Path:
    """From the root on, and called as it is here: a page is opened anywhere, and a link may have another name."""
    return Path(os.path.normpath(folder.absolute()))


def _unread(error: OSError) -> UserError:
    return UserError(f"{error.filename} cannot be read ({error.strerror}): name another run")


def _is_run(folder: Path) -> bool:
    return any((folder / name).exists() for name in (LOG, CHECKPOINTS, f"{MODEL}/{RUN}"))
