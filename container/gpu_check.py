"""Before the trainer starts on a machine with an NVIDIA driver: `check-gpu` in a child, which may hang or die."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from container.cuda_compat import DRIVER, driver_version
from contract.errors import UserError

PATIENCE = 180  # seconds; a first context on eight cards takes some twenty


def check_gpus(extra: Mapping[str, str], say: Callable[[str], None], driver: Path = DRIVER) -> None:
    """Refuse, in one sentence, a machine on whose GPUs this paddle cannot compute. `extra`: the trainer's environment.

    Nothing is done without a driver; with a paddle for the CPU, training goes on there, and a note says so.
    """
    if driver_version(driver) is None:
        return
    command = [sys.executable, "-m", "container.trainer.check_gpu", "--json"]
    try:
        done = subprocess.run(
            command, env=os.environ | dict(extra), stdout=subprocess.PIPE, text=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        raise UserError(f"the GPUs did not answer within {PATIENCE} s: start again on another machine") from None
    try:
        report = json.loads(done.stdout)
    except ValueError:
        raise UserError(
            f"paddle died (exit code {done.returncode}) when it was to compute on the GPU: its last lines are in the "
            "log; start again on another machine, or build another image (`python -m launcher push --help`)"
        ) from None
    if report["problems"] and report["cuda"]:
        raise UserError(report["problems"][0])
    for problem in report["problems"]:
        say(f"note: {problem}")
