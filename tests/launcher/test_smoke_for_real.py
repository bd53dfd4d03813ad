"""`make smoke` as it is: real training, one interruption, resume at the exact step, export, a model that reads."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_smoke_run_reads_held_out_digits_after_an_interruption(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "launcher.smoke", "--output", str(tmp_path / "smoke")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    accuracy = re.search(r"^accuracy +([\d.]+) on 200 held-out crops", done.stdout, re.MULTILINE)
    assert accuracy
    assert float(accuracy[1]) >= 0.90
    stopped = re.search(r"stopped with a checkpoint at step (\d+)", done.stdout)
    resumed = re.search(r"^resumed +from step (\d+)", done.stdout, re.MULTILINE)
    assert stopped
    assert resumed
    assert stopped[1] == resumed[1]
    assert len(re.findall(r"^images/\S+ +\d+ +\d*", done.stdout, re.MULTILINE)) == 10
    assert (tmp_path / "smoke/runs").is_dir()
