"""Before the trainer starts on a machine with an NVIDIA driver: `check-gpu` in a child, which may hang or die."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from container.cuda_compat import DRIVER, driver_version
from contract.errors import UserError

PATIENCE = 180  # seconds; a first context on eight cards takes some twenty


def has_gpu(instance_type: str) -> bool:
    """Whether an instance of this type is paid for its GPU: ml.g*, ml.p*, and local_gpu."""
    return re.match(r"ml\.[gp]\d", instance_type) is not None or instance_type == "local_gpu"


def check_gpus(
    extra: Mapping[str, str], say: Callable[[str], None], instance_type: str = "", driver: Path = DRIVER
) -> None:
    """Refuse, in one sentence, a machine on whose GPUs this paddle cannot compute. `extra`: the trainer's environment.

    Nothing is done without a driver and on an instance without a GPU; elsewhere, with a paddle for the CPU, training
    goes on there, and a note says so. On an instance with a GPU it never trains on the CPU for hours.
    """
    paid_for = has_gpu(instance_type)
    if driver_version(driver) is None and not paid_for:
        return
    command = [sys.executable, "-m", "container.trainer.check_gpu", "--json"]
    try:
        done = subprocess.run(
            command, env=os.environ | dict(extra), capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        raise UserError(f"the GPUs did not answer within {PATIENCE} s: start again on another machine") from None
    for line in done.stderr.splitlines():
        if not line.startswith("error: "):  # said below, as this job sees it
            say(line)
    try:
        report = json.loads(done.stdout)
    except ValueError:
        raise UserError(
            f"paddle died (exit code {done.returncode}) when it was to compute on the GPU: its last lines are in the "
            "log; start again on another machine, or build another image (`python -m launcher push --help`)"
        ) from None
    if report["problems"] and paid_for:
        raise UserError(
            f"{instance_type} has a GPU that would stand idle: {report['problems'][0]}; use the image for the GPU, or "
            "set Global.use_gpu=false to train on the CPU"
        )
    if report["problems"] and report["cuda"]:
        raise UserError(report["problems"][0])
    for problem in report["problems"]:
        say(f"note: {problem}")
