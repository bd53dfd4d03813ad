"""The process beside this one that looks at images. In processes of their own: only one without threads forks."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from data_preparation.in_processes import usable_cpus
from tests.data_preparation.folders import REPOSITORY, dataset, run_python

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or usable_cpus() == 1, reason="there the images are looked at by this process"
)

BEGIN = """
import multiprocessing, os, sys, threading
from functools import partial
from pathlib import Path
from contract.images import open_images
from contract.picture import Look, Looker
from data_preparation.beside import look_beside
from data_preparation.dataset_files import read_dataset

folder = Path(sys.argv[1])
looker = Looker((open_images(folder),), lambda data: Look(), True)
chunks = [(0, [f"images/{n + k}.png" for k in range(4)]) for n in range(0, 40, 4)]
many = chunks * 300  # more than its pipe holds: it cannot be through while nobody listens

def told(pictures):
    return [str(each) if isinstance(each, Exception) else (*each[:-1], bytes(each.data)) for each in pictures]

here = [told(pictures) for pictures in map(looker, chunks)]
others = multiprocessing.active_children
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = dataset(tmp_path / "crops", {f"{n}.png": f"a{n}" for n in range(40)}, {"v.png": "a9"})
    (made / "images/7.png").write_bytes(b"no image")
    (made / "images/8.png").unlink()
    return made


def does(folder: Path, program: str) -> None:
    done = run_python("-c", BEGIN + program, str(folder))
    assert (done.returncode, done.stderr) == (0, "")


def test_what_it_says_is_what_would_be_seen_here(folder: Path) -> None:
    does(
        folder,
        "began = []\n"
        "there = [told(each) for each in look_beside(lambda: began.extend(others()), 10**8, looker, many)]\n"
        "assert there == here * 300\n"
        "assert len(began) == 1 and not others()\n",
    )


def test_what_does_not_fit_comes_without_its_data(folder: Path) -> None:
    does(
        folder,
        "sizes = [each[0] for each in sum(here, []) if isinstance(each, tuple)]\n"
        "there = sum(map(told, look_beside(lambda: None, sum(sizes[:9]), looker, chunks)), [])\n"
        "data = [each[-1] for each in there if isinstance(each, tuple)]\n"
        "assert all(data[:9]) and not data[-1]\n"
        "assert [each[:-1] for each in there] == [each[:-1] for each in sum(here, [])]\n",
    )


def test_what_a_killed_process_leaves_is_done_here(folder: Path) -> None:
    does(
        folder,
        "def kill():\n    others()[0].kill()\n    others()[0].join() if others() else None\n"
        "for when in (0, 5):\n"
        "    there = []\n"
        "    for pictures in look_beside(lambda: when or kill(), 10**8, looker, many):\n"
        "        there.append(told(pictures))\n"
        "        if len(there) == when:\n            kill()\n"
        "    assert there == here * 300\n",
    )


def test_beside_other_threads_none_is_started(folder: Path) -> None:
    does(
        folder,
        "over = threading.Event()\nthreading.Thread(target=over.wait).start()\n"
        "began = []\n"
        "there = [told(each) for each in look_beside(lambda: began.append(others()), 10**6, looker, chunks)]\n"
        "over.set()\n"
        "assert there == here and began == [[]]\n",
    )


def test_it_ends_when_nobody_listens_any_more(folder: Path) -> None:
    program = "look = look_beside(lambda: print(others()[0].pid, flush=True), 10, looker, chunks * 10**6)\nlist(look)\n"
    with subprocess.Popen(
        [sys.executable, "-c", BEGIN + program, str(folder)], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        other = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
    until = time.monotonic() + 30
    while Path(f"/proc/{other}/cmdline").exists() and Path(f"/proc/{other}/cmdline").read_bytes():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_without_memory_for_it_all_is_done_here(folder: Path) -> None:
    does(
        folder,
        "began = []\n"
        "there = [told(each) for each in look_beside(lambda: began.append(others()), 10**16, looker, chunks)]\n"
        "assert there == here\n"
        "assert began == [[]]\n",
    )
