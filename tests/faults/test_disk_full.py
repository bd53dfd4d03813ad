"""A full disk is never success, never half a checkpoint, and costs nothing once there is space again."""

from __future__ import annotations

import resource
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from container.checkpoints import damage
from contract.paths import MODEL_FILES
from tests.container.jobs import Base, at_step, draw_dataset

RECIPE = {
    "config": "configs/rec/demo_digits.yml",
    "epochs": 3,
    "batch_size": 8,
    "eval_steps": 2,
    "save_minutes": 0,
    "workers": 0,
    "Global__print_batch_step": 1,
}
MEBIBYTE = 1 << 20  # a checkpoint of this recipe has 6, its optimizer 3.5


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_dataset(tmp_path_factory.mktemp("data") / "digits", train=24, val=4)


@pytest.fixture
def small_disk() -> Iterator[Callable[[Path, int], None]]:
    """Make a folder a disk of so many MiB; called again, give that disk another size."""
    mounted: list[Path] = []

    def mount(folder: Path, size: int) -> None:
        folder.mkdir(exist_ok=True)
        options = f"size={size}m" + (",remount" if folder in mounted else "")
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            pytest.skip(f"cannot mount a small disk here: {done.stderr.strip()}")
        mounted.append(folder)

    yield mount
    for folder in set(mounted):
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def files_limited_to(size: int) -> Iterator[None]:
    """No file of the processes started here can grow beyond this: a full disk that needs no root."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def all_checkpoints(base: Base) -> list[Path]:
    return [*base.checkpoints(), *(base.folder / "checkpoints/best").glob("step-*")]


def assert_one_sentence(base: Base, cause: str) -> None:
    assert cause in base.failure
    assert len(base.failure.strip().splitlines()) == 1
    assert "volume" in base.failure, "says what to do"


def test_a_disk_that_fills_while_saving_fails_the_job_and_keeps_what_was_saved(
    dataset: Path, tmp_path: Path, small_disk: Callable[[Path, int], None]
):
    base = Base(tmp_path / "ml", dataset, **RECIPE)
    small_disk(base.folder / "checkpoints", 15)
    finished = base.run()
    assert finished.code not in (0, 75), finished.errors
    assert finished.of("done") == []
    assert_one_sentence(base, "no space left on the device")
    assert not (base.folder / "model/run.json").exists()
    saved = [int(path.name.removeprefix("step-")) for path in all_checkpoints(base)]
    assert saved
    assert [damage(path) for path in all_checkpoints(base)] == [None] * len(saved)
    assert list((base.folder / "checkpoints").rglob(".tmp-*")) == []

    small_disk(base.folder / "checkpoints", 100)
    finished = base.run()
    assert finished.code == 0, finished.errors
    assert finished.of("resume")[0]["step"] == max(saved)
    assert base.report()["steps"] == 9


def test_a_file_that_cannot_grow_fails_the_job_and_keeps_what_was_saved(dataset: Path, tmp_path: Path):
    """The same with a limit on file sizes, which works without root."""
    base = Base(tmp_path / "ml", dataset, **RECIPE)
    assert base.run(stop_when=at_step(3), stop_signal=signal.SIGTERM).code == 75
    saved = [path.name for path in all_checkpoints(base)]
    with files_limited_to(3 * MEBIBYTE):
        finished = base.run()
    assert finished.code not in (0, 75), finished.errors
    assert "no space left on the device" in base.failure
    assert len(base.failure.splitlines()) == 1
    assert [path.name for path in all_checkpoints(base)] == saved
    assert list((base.folder / "checkpoints").rglob(".tmp-*")) == []

    finished = base.run()
    assert finished.code == 0, finished.errors
    assert finished.of("resume")[0]["step"] == max(int(name.removeprefix("step-")) for name in saved)


def test_a_disk_that_fills_while_the_model_is_copied_fails_the_job(
    dataset: Path, tmp_path: Path, small_disk: Callable[[Path, int], None]
):
    base = Base(tmp_path / "ml", dataset, **RECIPE)
    small_disk(base.folder / "model", 4)
    finished = base.run()
    assert finished.code not in (0, 75), finished.errors
    assert_one_sentence(base, "no space left on the device")
    assert not (base.folder / "model/run.json").exists()

    small_disk(base.folder / "model", 100)
    finished = base.run()
    assert finished.code == 0, finished.errors
    assert finished.of("train") == [], "nothing is trained twice"
    assert base.model_files() == sorted(MODEL_FILES)


def test_a_disk_that_fills_while_the_model_is_put_together_fails_the_job(
    dataset: Path, tmp_path: Path, small_disk: Callable[[Path, int], None]
):
    base = Base(tmp_path / "ml", dataset, **RECIPE)
    small_disk(tmp_path / "tmp", 4)
    finished = base.run(env={"TMPDIR": str(tmp_path / "tmp")})
    assert finished.code not in (0, 75), finished.errors
    assert finished.of("done") == []
    assert_one_sentence(base, "no space left on the device")
    assert not (base.folder / "model/run.json").exists()
