"""How the ranks of one host and their supervisor know of each other: small files in one folder.

paddle.distributed.launch stands between them. It tells nobody how a rank ended, and kills all others as soon as one
ends with anything but 0. So a rank is two processes: one trains, the other waits for it, writes down how it ended,
and keeps from launch what is no failure.
"""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from contract.paths import EXIT_FINISHED, EXIT_INTERRUPTED

FOLDER_VARIABLE = "OCR_RANK_FILES"
GOOD_ENDS = (EXIT_FINISHED, EXIT_INTERRUPTED)


@dataclass(frozen=True)
class Started:
    """A rank's process that trains, and the group that holds it and its workers."""

    trainer: int
    group: int


@dataclass(frozen=True)
class End:
    """How a rank ended: its exit code, negative for a signal, and when, in seconds of the clock of all."""

    exit_code: int
    at: float


@dataclass(frozen=True)
class RankFiles:
    """The files of one rank, which is number `local` of its host."""

    folder: Path
    local: int

    @property
    def log(self) -> Path:
        """Everything it prints; launch names it."""
        return self.folder / f"workerlog.{self.local}"

    @property
    def started(self) -> Started | None:
        """None before it has."""
        found = _read(self._started)
        return Started(**found) if found else None

    @property
    def end(self) -> End | None:
        """None while it trains."""
        found = _read(self._ended)
        return End(**found) if found else None

    def split(self) -> None:
        """Go on as a child that will train; returns in the child alone. Call it before there are threads."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # the child takes it when it can
        child = os.fork()
        if child == 0:
            return
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _write(self._started, asdict(Started(child, os.getpgrp())))
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        _write(self._ended, asdict(End(code, time.time())))
        os._exit(0 if code in GOOD_ENDS else 1)

    @property
    def _started(self) -> Path:
        return self.folder / f"rank-{self.local}.started"

    @property
    def _ended(self) -> Path:
        return self.folder / f"rank-{self.local}.ended"


def own_rank_files() -> RankFiles | None:
    """Those of this process; None when it trains alone."""
    folder = os.environ.get(FOLDER_VARIABLE)
    return RankFiles(Path(folder), int(os.environ["PADDLE_LOCAL_RANK"])) if folder else None


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None


def _write(path: Path, content: dict[str, Any]) -> None:
    """Appears whole."""
    staging = path.with_suffix(".tmp")
    staging.write_text(json.dumps(content))
    staging.rename(path)
