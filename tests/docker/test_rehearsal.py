"""`submit --instance local --interrupt-after …` with the real image: real training, interrupted, killed, stopped."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import docker
import pytest

from contract.events import parse_event
from contract.recipe import CONFIGS
from data_preparation.scripts import create_demo_data
from launcher.platforms.leftovers import FOLDER_LABEL
from tests.docker.same_model import assert_same_model, hash_of_weights
from tests.launcher.running import RECIPE, ROOT, wait_for

pytestmark = pytest.mark.slow

STEPS = 24  # 3 epochs of 64 crops in batches of 8
SHORT = ["--epochs", "3", "--batch-size", "8", "--eval-steps", "8", "-o", "Global.print_batch_step=1"]
ENDLESS = ["--epochs", "1000", "--batch-size", "8", "-o", "Global.print_batch_step=1"]
NEVER = "100000steps"  # an interruption that never comes still chooses Docker


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "digits"
    assert create_demo_data.main(["--output-dir", str(folder), "--count", "80", "--val-count", "16"]) == 0
    return folder


class Rehearsal:
    """One call of `submit` in a process of its own; its run is OUTPUT/run."""

    def __init__(self, output: Path, run: str, dataset: Path, *flags: str) -> None:
        self.folder = output / run
        command = [sys.executable, "-m", "launcher.submit", "--dataset", str(dataset), "--json"]
        self.process = subprocess.Popen(
            [*command, "--output", str(output), "--run", run, "--config-file", os.devnull, *flags],
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def finish(self, code: int = 0) -> dict:
        """Its JSON, once it has ended."""
        out, err = self.process.communicate(timeout=300)
        assert self.process.returncode == code, err
        self.errors = err
        return json.loads(out)

    @property
    def log(self) -> str:
        path = self.folder / "job.log"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def steps_of(self, kind: str) -> list[int]:
        events = [event for event in map(parse_event, self.log.splitlines()) if event]
        return [int(str(event["step"])) for event in events if event["event"] == kind]

    def wait_until_it_trains(self) -> None:
        wait_for(lambda: len(self.steps_of("train")) >= 3, 120)

    @property
    def model(self) -> Path:
        return self.folder / "model"


def docker_flags(image: str, *interruptions: str) -> list[str]:
    when = [word for interruption in interruptions or (NEVER,) for word in ("--interrupt-after", interruption)]
    return ["--instance", "local", "--image-uri", image, "--config", RECIPE, *when]


def containers_of(engine: docker.DockerClient, rehearsal: Rehearsal) -> list:
    label = f"{FOLDER_LABEL}={rehearsal.folder}"
    return engine.containers.list(all=True, filters={"label": label}, ignore_removed=True)


@pytest.fixture(scope="module")
def straight(dataset: Path, cpu_image: str, tmp_path_factory: pytest.TempPathFactory) -> Rehearsal:
    """The run that nothing interrupts, with the recipe as a file of the user's own."""
    output = tmp_path_factory.mktemp("straight")
    own = shutil.copy(CONFIGS / RECIPE, output / "mine.yml")
    rehearsal = Rehearsal(output, "straight", dataset, *docker_flags(cpu_image), "--config", str(own), *SHORT)
    assert rehearsal.finish()["steps"] == STEPS
    assert rehearsal.steps_of("train") == list(range(1, STEPS + 1))
    assert "recipe /opt/ml/input/data/recipe/mine.yml" in rehearsal.log
    return rehearsal


def test_an_interrupted_run_ends_with_the_weights_of_a_straight_one(
    tmp_path: Path, dataset: Path, cpu_image: str, straight: Rehearsal, engine: docker.DockerClient
) -> None:
    interrupted = Rehearsal(tmp_path, "r", dataset, *docker_flags(cpu_image, "5steps", "14steps"), *SHORT)
    result = interrupted.finish()
    stopped = interrupted.steps_of("interrupted")
    assert interrupted.steps_of("resume") == stopped
    assert 5 <= stopped[0] < 14 <= stopped[1] < STEPS
    assert interrupted.steps_of("train") == list(range(1, STEPS + 1)), "every step once, in order"
    assert result["steps"] == STEPS
    assert hash_of_weights(interrupted.model) == hash_of_weights(straight.model)
    predictions = [(each.model / "predictions.csv").read_bytes() for each in (interrupted, straight)]
    assert predictions[0] == predictions[1]
    assert containers_of(engine, interrupted) == []


def test_the_image_trains_as_the_process_platform_does(tmp_path: Path, dataset: Path, straight: Rehearsal) -> None:
    process = Rehearsal(tmp_path, "r", dataset, "--instance", "process", "--config", RECIPE, *SHORT)
    process.finish()
    assert_same_model(process.model, straight.model)


def test_what_is_left_belongs_to_the_caller(straight: Rehearsal) -> None:
    paths = [straight.folder, *straight.folder.rglob("*")]
    assert {path.name for path in straight.folder.iterdir()} == {"checkpoints", "job.log", "model", "model.tar.gz"}
    for path in paths:
        assert (path.stat().st_uid, path.stat().st_gid) == (os.getuid(), os.getgid()), path
        assert path.stat().st_mode & 0o444 == 0o444, path  # SageMaker's upload is another user than the container


def test_kill_9_of_the_launcher_ends_the_container(
    tmp_path: Path, dataset: Path, cpu_image: str, engine: docker.DockerClient
) -> None:
    rehearsal = Rehearsal(tmp_path, "r", dataset, *docker_flags(cpu_image), *ENDLESS)
    rehearsal.wait_until_it_trains()
    assert len(containers_of(engine, rehearsal)) == 1
    rehearsal.process.kill()
    rehearsal.process.communicate()
    wait_for(lambda: not containers_of(engine, rehearsal), 20)


def test_ctrl_c_saves_and_removes_the_container(
    tmp_path: Path, dataset: Path, cpu_image: str, engine: docker.DockerClient
) -> None:
    rehearsal = Rehearsal(tmp_path, "r", dataset, *docker_flags(cpu_image), *ENDLESS)
    rehearsal.wait_until_it_trains()
    rehearsal.process.send_signal(signal.SIGINT)
    answer = rehearsal.finish(130)
    assert answer["status"] == "stopped"
    (step,) = rehearsal.steps_of("interrupted")
    assert step == rehearsal.steps_of("train")[-1] == rehearsal.steps_of("checkpoint")[-1]
    assert (rehearsal.folder / f"checkpoints/step-{step:09d}/MANIFEST.json").is_file()
    assert containers_of(engine, rehearsal) == []


def test_an_early_interruption_is_heard(tmp_path: Path, dataset: Path, cpu_image: str) -> None:
    """PID 1 that has no handler yet would ignore SIGTERM, and the grace would have to pass."""
    rehearsal = Rehearsal(tmp_path, "r", dataset, *docker_flags(cpu_image, "0.1s"), *SHORT)
    assert rehearsal.finish()["steps"] == STEPS
    assert len(rehearsal.steps_of("interrupted")) == 1
    assert "SIGKILL" not in rehearsal.log


def test_a_dataset_that_cannot_train_is_refused_with_its_reason(
    tmp_path: Path, dataset: Path, cpu_image: str, engine: docker.DockerClient
) -> None:
    bad = shutil.copytree(dataset, tmp_path / "bad")
    text = (bad / "train.txt").read_text(encoding="utf-8")
    (bad / "train.txt").write_text(re.sub(r"\t.*", "\tตัว", text, count=1), encoding="utf-8")
    rehearsal = Rehearsal(tmp_path / "out", "r", bad, *docker_flags(cpu_image), *SHORT)
    answer = rehearsal.finish(1)
    assert answer["status"] == "refused"
    assert "/opt/ml/input/data/training/train.txt:1: the character 'ต' (U+0E15)" in answer["reason"]
    assert rehearsal.errors.splitlines()[-1] == f"error: {answer['reason']}"
    assert not (tmp_path / "out").exists()
    assert containers_of(engine, rehearsal) == []
