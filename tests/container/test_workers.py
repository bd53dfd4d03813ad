"""Workers: what they prepare arrives in order and whole, however many they are; whoever dies is told, whoever is left
alone goes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from container.trainer.workers import PLACES, WorkerDied, WorkerFailed, prepare_ahead
from tests.container.jobs import ROOT

ROOM = 1000  # bytes


def prepared(task: int) -> tuple[str, list[np.ndarray]]:
    """Of every size: some do not fit into ROOM."""
    return f"task {task}", [np.full((task % 40, 9), task % 256, np.uint8), np.arange(task % 100, dtype=np.int64)]


@pytest.mark.parametrize("workers", [1, 3, 50])
def test_all_arrive_in_order(workers: int):
    said = []
    for task, (words, arrays) in enumerate(prepare_ahead(prepared, iter(range(40)), 40, workers, ROOM)):
        said.append(words)
        for array, expected in zip(arrays, prepared(task)[1], strict=True):
            assert array.dtype == expected.dtype
            np.testing.assert_array_equal(array, expected)
    assert said == [f"task {task}" for task in range(40)]


def test_a_worker_waits_until_there_is_a_place(tmp_path: Path):
    def mark(task: int) -> tuple[None, list[np.ndarray]]:
        (tmp_path / str(task)).touch()
        return None, [np.full(9, task)]

    ahead = prepare_ahead(mark, range(20), 20, 1, ROOM)
    _, (first,) = next(ahead)
    deadline = time.monotonic() + 5
    while len(list(tmp_path.iterdir())) < PLACES and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)
    assert len(list(tmp_path.iterdir())) == PLACES
    assert (first == 0).all(), "nobody has written over it"
    ahead.close()


def test_a_worker_that_is_killed_is_told():
    def killed(task: int) -> tuple[None, list[np.ndarray]]:
        if task == 7:
            os.kill(os.getpid(), signal.SIGKILL)
        return None, []

    with pytest.raises(WorkerDied, match=r"a data worker died of signal 9 \(SIGKILL\)"):
        list(prepare_ahead(killed, range(20), 20, 2, ROOM))


def test_what_the_work_raises_is_told_with_its_traceback():
    def dirty(task: int) -> tuple[None, list[np.ndarray]]:
        raise RuntimeError("the lens is dirty")

    with pytest.raises(WorkerFailed, match=r"in dirty(.|\n)*RuntimeError: the lens is dirty"):
        list(prepare_ahead(dirty, range(4), 4, 2, ROOM))


LEFT_ALONE = """
import os, sys, time
import numpy as np
from container.trainer.workers import prepare_ahead
ahead = prepare_ahead(lambda task: (os.getpid(), [np.zeros(9)]), range(100), 100, 2, 1000)
print(next(ahead)[0], next(ahead)[0], flush=True)
time.sleep(60)
"""


def test_a_trainer_that_fails_does_not_wait_for_its_workers():
    script = LEFT_ALONE.replace("time.sleep(60)", "raise SystemExit(3)").replace("import os", "import signal, os", 1)
    script = script.replace("ahead =", "signal.signal(signal.SIGTERM, lambda *_: None); ahead =")
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, timeout=30).returncode == 3


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_workers_go_when_the_trainer_is_gone():
    with subprocess.Popen([sys.executable, "-c", LEFT_ALONE], cwd=ROOT, stdout=subprocess.PIPE) as trainer:
        assert trainer.stdout
        workers = trainer.stdout.readline().split()
        trainer.kill()
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{worker.decode()}/cmdline").exists() for worker in workers):
        assert time.monotonic() < deadline
        time.sleep(0.02)


SMALL = """
import numpy as np
from container.trainer.workers import prepare_ahead
work = lambda task: (task, [np.full(1_000_000, task)])
for task, (array,) in prepare_ahead(work, range(6), 6, 2, 8_000_000):
    assert (array == task).all()
"""


def test_batches_need_no_shared_memory_folder():
    mount = 'mount -t tmpfs -o size=64k tmpfs /dev/shm && exec "$0" -c "$1"'
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
        pytest.skip("a mount of one's own needs root")
    subprocess.run(["unshare", "--mount", "sh", "-c", mount, sys.executable, SMALL], cwd=ROOT, check=True)
