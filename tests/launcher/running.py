"""Datasets and calls that the launcher's tests share."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from launcher import submit

ROOT = Path(__file__).resolve().parents[2]
SCRIPTED = Path(__file__).with_name("scripted_container.py")
RECIPE = "rec/demo_digits.yml"


def make_dataset(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "train.txt").write_text("images/1.png\t01\nimages/2.png\t10\n")
    (folder / "val.txt").write_text("images/3.png\t11\n")
    (folder / "dict.txt").write_text("0\n1\n")
    return folder


def call(tmp_path: Path, *flags: str) -> list[str]:
    """A whole command line for a run named `r` in tmp_path/out."""
    dataset = tmp_path / "dataset"
    if not dataset.exists():
        make_dataset(dataset)
    return [
        "--instance",
        "process",
        "--dataset",
        str(dataset),
        "--config",
        RECIPE,
        "--output",
        str(tmp_path / "out"),
        *([] if "--run" in flags or "--resume" in flags else ["--run", "r"]),
        *flags,
    ]


def run(tmp_path: Path, *flags: str, container: str = "") -> int:
    """submit in this process, with the scripted container."""
    return submit.main(call(tmp_path, *flags), (sys.executable, str(SCRIPTED), *container.split()))


def start(tmp_path: Path, *flags: str, container: str = "") -> subprocess.Popen[str]:
    """submit as a process of its own, with the scripted container."""
    code = (
        "import json, sys; from launcher.submit import main; "
        "sys.exit(main(json.loads(sys.argv[1]), tuple(json.loads(sys.argv[2]))))"
    )
    command = [sys.executable, str(SCRIPTED), *container.split()]
    return subprocess.Popen(
        [sys.executable, "-c", code, json.dumps(call(tmp_path, *flags)), json.dumps(command)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=hear_hangups if hasattr(signal, "SIGHUP") else None,
    )


def hear_hangups() -> None:
    """In a child before it starts: tests under nohup would let it ignore them."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def log_of(tmp_path: Path) -> str:
    return (tmp_path / "out/r/job.log").read_text(encoding="utf-8")


def wait_for(condition, seconds: float = 20.0) -> None:
    """Until `condition()` is true."""
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, "waited in vain"
        time.sleep(0.02)


def container_pid(tmp_path: Path) -> int:
    """The process of the newest container, once it trains."""

    def trains() -> bool:
        return (tmp_path / "out/r/job.log").exists() and "event=train" in log_of(tmp_path)

    wait_for(trains)
    return int(log_of(tmp_path).rsplit("(process ", 1)[1].split(")")[0])


def is_alive(pid: int) -> bool:
    """Not gone, and no zombie that nobody has reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
