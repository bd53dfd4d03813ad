"""SageMaker's local mode for real: SDK, Compose, engine. Scripted containers where training would only take time."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from contract.errors import UserError
from launcher import submit
from launcher.platforms.leftovers import FOLDER_LABEL
from launcher.platforms.local_mode.clean_up import COMPOSE_NETWORK_LABEL, NETWORK, give_back, remove_network
from launcher.platforms.local_mode.compose import find_compose
from launcher.platforms.local_mode.job import JOB_LABEL
from tests.container.jobs import draw_dataset
from tests.docker.a_docker_engine import BASE_IMAGE, tiny_image
from tests.docker.conftest import need
from tests.docker.detour import Detour
from tests.docker.same_model import assert_same_model
from tests.launcher.running import ROOT, SCRIPTED, call, log_of, wait_for

SCRIPTED_IMAGE = "paddleocr-sagemaker-test:scripted"
SLOW = "--steps 4000 --pause 0.02"


@pytest.fixture(scope="module", autouse=True)
def _compose() -> None:
    try:
        find_compose(os.environ)
    except UserError as error:
        need(str(error))


@pytest.fixture(scope="module")
def scripted_image(engine: docker.DockerClient, cpu_image: str) -> Iterator[str]:
    """Our image with the scripted container in the place of the real one; its options are in the variable SCRIPT."""
    dockerfile = (
        f"FROM {cpu_image}\nCOPY scripted.py /\nENV PYTHONPATH=/opt/program\n"
        'ENTRYPOINT ["sh", "-c", "exec python /scripted.py $SCRIPT"]\n'
    )
    yield tiny_image(engine, dockerfile, SCRIPTED_IMAGE, **{"scripted.py": SCRIPTED.read_bytes()})
    engine.images.remove(SCRIPTED_IMAGE, force=True)


@pytest.fixture
def launcher(
    engine: docker.DockerClient, scripted_image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Launcher]:
    """Calls of the launcher; afterwards nothing may be left of them but the output folder."""
    private = tmp_path / "private"
    private.mkdir()
    monkeypatch.setenv("TMPDIR", str(private))
    started = Launcher(tmp_path, scripted_image, engine)
    yield started
    assert started.containers() == []
    assert started.leftovers() == []
    for network in engine.networks.list(names=[NETWORK]):
        network.reload()
        assert network.attrs["Containers"], "nobody uses it: it should have been removed"


class Launcher:
    """`python -m launcher.submit --instance local` on a tiny dataset."""

    def __init__(self, folder: Path, image: str, engine: docker.DockerClient) -> None:
        self.folder = folder
        self._image = image
        self._engine = engine

    def containers(self) -> list[docker.models.containers.Container]:
        """Those of this test, stopped ones too."""
        label = f"{FOLDER_LABEL}={os.path.realpath(self.folder / 'out/r')}"
        return self._engine.containers.list(all=True, filters={"label": label})

    def leftovers(self) -> list[Path]:
        """The private folder goes last, when a job is cleaned up."""
        return list((self.folder / "private").iterdir())

    def start(self, *flags: str, script: str = "", **environment: str) -> subprocess.Popen[str]:
        arguments = [*call(self.folder, *flags), "--instance", "local", "--image-uri", self._image]
        if script:
            arguments += ["--env", f"SCRIPT={script}"]
        return subprocess.Popen(
            [sys.executable, "-m", "launcher.submit", *arguments],
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *flags: str, script: str = "", **environment: str) -> tuple[int, str, str]:
        """Exit code, stdout, stderr."""
        process = self.start(*flags, script=script, **environment)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    def wait_until_it_is_started(self, process: subprocess.Popen[str]) -> None:
        """The SDK's process is there; its container will take some seconds."""
        wait_for(lambda: any((self.folder / "private").glob("*/sdk.log")), 60)

    def wait_until_it_trains(self) -> None:
        log = self.folder / "out/r/job.log"
        wait_for(lambda: log.exists() and "event=train" in log.read_text(encoding="utf-8"), 60)


def test_a_run_leaves_what_is_promised_and_nothing_else(launcher: Launcher) -> None:
    code, out, err = launcher.run("--json", script="--steps 20 --say ไทย")
    assert code == 0, err
    answer = json.loads(out)
    assert (answer["status"], answer["best"]["step"], answer["resumed_from"]) == ("finished", 20, None)
    run = launcher.folder / "out/r"
    assert sorted(path.name for path in run.iterdir()) == ["checkpoints", "job.log", "model", "model.tar.gz"]
    assert sorted(path.name for path in (run / "model").iterdir()) == ["dict.txt", "inference", "run.json"]
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == ["step-000000010", "step-000000020"]
    log = log_of(launcher.folder)
    assert "\r" not in log
    assert "\nไทย\n" in log
    assert re.findall(r"event=train step=(\d+)", log) == [str(step) for step in range(1, 21)]  # every line, once


def test_ctrl_c_saves_and_the_same_run_goes_on(launcher: Launcher) -> None:
    process = launcher.start(script=SLOW)
    launcher.wait_until_it_trains()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    (stopped,) = re.findall(r"event=interrupted step=(\d+)", log_of(launcher.folder))
    assert (launcher.folder / f"out/r/checkpoints/step-{int(stopped):09d}").is_dir()
    assert "stopped by you" in err

    code, out, err = launcher.run("--json", script=f"--steps {int(stopped) + 5}")
    assert (code, json.loads(out)["resumed_from"]) == (0, int(stopped)), err


def test_ctrl_c_before_there_is_a_container(launcher: Launcher) -> None:
    process = launcher.start(script=SLOW)
    launcher.wait_until_it_is_started(process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "stopped by you" in err


def test_a_deaf_container_is_killed(launcher: Launcher) -> None:
    process = launcher.start("--grace", "1s", script=f"{SLOW} --deaf")
    launcher.wait_until_it_trains()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "killed before it had saved" in err


@pytest.mark.parametrize("delay_s", [None, 0.0, 2.5, 3.2])
def test_a_killed_launcher_leaves_nothing_running(launcher: Launcher, delay_s: float | None) -> None:
    """Killed while it trains, while the SDK is imported, and about when Compose starts the container."""
    process = launcher.start(script=SLOW)
    if delay_s is None:
        launcher.wait_until_it_trains()
    else:
        launcher.wait_until_it_is_started(process)
        time.sleep(delay_s)
    process.kill()
    process.communicate()
    wait_for(lambda: not launcher.leftovers(), 20)
    assert launcher.containers() == []
    if delay_s is None:
        code, _, err = launcher.run(script="--steps 20")  # the lock is free again
        assert code == 0, err


def test_a_container_that_outlived_everybody_is_ended_first(launcher: Launcher) -> None:
    process = launcher.start(script=SLOW)
    launcher.wait_until_it_trains()
    sdk = sdk_of(process)
    (orphan,) = launcher.containers()
    os.killpg(sdk, signal.SIGKILL)
    process.kill()
    process.communicate()
    orphan.reload()
    assert orphan.status == "running"
    last = int(re.findall(r"event=train step=(\d+)", log_of(launcher.folder))[-1])
    code, out, err = launcher.run("--json", script="--steps 20")
    assert code == 0, err
    assert json.loads(out)["resumed_from"] > last  # it was allowed to save
    with pytest.raises(docker.errors.NotFound):
        orphan.reload()
    (left,) = launcher.leftovers()  # nobody was there to remove it
    shutil.rmtree(left)


def test_the_sdk_dies_and_the_container_saves(launcher: Launcher) -> None:
    process = launcher.start(script=SLOW)
    launcher.wait_until_it_trains()
    sdk = sdk_of(process)
    os.killpg(sdk, signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2, err
    assert "local mode ended before its container (exit code -9)" in err
    assert "event=interrupted" in log_of(launcher.folder)


def test_the_engine_goes_away(launcher: Launcher, engine: docker.DockerClient) -> None:
    """What cannot be cleaned up then is named and left alone; the next start of the run removes the container."""
    detour = Detour(engine)
    process = launcher.start(script=SLOW, DOCKER_HOST=detour.address)
    launcher.wait_until_it_trains()
    detour.close()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2, err
    assert "the Docker engine has gone away while the job ran" in err
    assert f"warning: a container of this job may be left: docker ps -a --filter label={JOB_LABEL}=" in err
    assert "Traceback" not in err
    (orphan,) = launcher.containers()
    code, _, err = launcher.run(script="--steps 20")
    assert code == 0, err
    assert f"container {orphan.name} is left of an earlier start" in err
    (left,) = launcher.leftovers()
    shutil.rmtree(left)


@pytest.mark.parametrize(
    ("script", "code", "why"),
    [
        ("--steps 20 --fail 9", 2, "the disk is full: free space and start the run again"),
        ("--refuse line-3-has-no-tab", 1, "line-3-has-no-tab"),
    ],
)
def test_a_job_that_fails_says_why(launcher: Launcher, script: str, code: int, why: str) -> None:
    found, _, err = launcher.run(script=script)
    assert found == code, err
    assert why in err
    assert "Traceback" not in err
    assert (launcher.folder / "out").exists() == (code == 2)


def test_what_the_job_is_given_and_what_not(launcher: Launcher, engine: docker.DockerClient) -> None:
    """Whatever the user has of AWS stays out of the job, and nobody outside is asked for anything."""
    recipe = launcher.folder / "mine.yml"
    recipe.write_bytes((ROOT / "configs/rec/demo_digits.yml").read_bytes())
    home = launcher.folder / "home"
    (home / ".aws").mkdir(parents=True)
    (home / ".aws/credentials").write_text(
        "[default]\naws_access_key_id = PLANTED1\naws_secret_access_key = PLANTED2\n"
        "[other]\naws_access_key_id = PLANTED3\naws_secret_access_key = PLANTED4\n"
    )
    (home / ".aws/config").write_text("[default]\nregion = planted-5\n[profile other]\nregion = planted-6\n")
    with Listener() as outside:
        environment = {
            "HOME": str(home),
            "AWS_ACCESS_KEY_ID": "PLANTED7",
            "AWS_SECRET_ACCESS_KEY": "PLANTED8",
            "AWS_SESSION_TOKEN": "PLANTED9",
            "AWS_PROFILE": "other",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": outside.address,
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": outside.address,
            "AWS_ENDPOINT_URL": outside.address,
            "HTTP_PROXY": outside.address,
            "HTTPS_PROXY": outside.address,
        }
        flags = ["--config", str(recipe), "--env", "PRICE=5$ or $HOME", "--grace", "90s"]
        process = launcher.start(*flags, script=SLOW, **environment)
        launcher.wait_until_it_trains()
        (container,) = launcher.containers()
        beside_the_recipe = container.exec_run(["ls", "/opt/ml/input/data/recipe"]).output.split()
        hyperparameters = json.loads(container.exec_run(["cat", "/opt/ml/input/config/hyperparameters.json"]).output)
        shared_kb = container.exec_run(["df", "--output=size", "/dev/shm"]).output.split()[-1]
        (root,) = launcher.leftovers()
        seen = {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert hyperparameters == {"config": "/opt/ml/input/data/recipe/mine.yml", "run_id": "r"}
    assert beside_the_recipe == [b"mine.yml"]
    assert int(shared_kb) == pytest.approx(engine.info()["MemTotal"] / 2048, abs=4)
    assert container.attrs["Config"]["StopTimeout"] == 90
    assert "PRICE=5$ or $HOME" in container.attrs["Config"]["Env"]
    assert "OCR_CHECKPOINTS=/opt/ml/input/data/checkpoints" in container.attrs["Config"]["Env"]

    assert {Path(name).name for name in seen} >= {"docker-compose.yaml", "job.json", "sdk.log"}
    seen |= {"container": json.dumps(container.attrs).encode(), "log": log_of(launcher.folder).encode()}
    seen |= {"stdout": out.encode(), "stderr": err.encode()}
    assert [name for name, content in seen.items() if b"planted" in content.lower()] == []
    assert outside.calls == 0


def test_newer_compose_and_what_it_complains_of(launcher: Launcher, tmp_path: Path) -> None:
    """Compose 5 as the SDK sees it, through the shim; the Compose of this machine does its work, then refuses."""
    real = shutil.which("docker")
    folder = tmp_path / "bin"
    folder.mkdir()
    docker_5 = folder / "docker"
    docker_5.write_text(
        '#!/bin/sh\nif [ "$1 $2" = "compose version" ]; then echo Docker Compose version v5.0.2\n'
        f'elif [ "$1" = compose ]; then shift; exec docker-compose-1 "$@"\nelse exec {real} "$@"; fi\n'
    )
    docker_5.chmod(0o755)
    (folder / "docker-compose-1").symlink_to(shutil.which("docker-compose") or real or "")
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    code, _, err = launcher.run(script="--steps 20", PATH=path)
    assert code == 0, err
    (folder / "docker-compose-1").unlink()
    (folder / "docker-compose-1").write_text("#!/bin/sh\necho 'ERROR: for x  no space left on device'\nexit 1\n")
    (folder / "docker-compose-1").chmod(0o755)
    code, _, err = launcher.run("--run", "s", PATH=path)
    assert code == 1
    assert (
        err.splitlines()[-1].startswith("error: SageMaker's local mode has not started the container (for x no") or err
    )
    assert not (launcher.folder / "out/s").exists()


def test_what_only_the_sdk_refuses_is_said_in_its_own_words(
    launcher: Launcher, scripted_image: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A check of ours is taken away, so that the SDK itself refuses to mount the folder of the recipe."""
    monkeypatch.setattr("launcher.platforms.local_mode.checks.check_folders", lambda plan: None)
    recipe = launcher.folder / "mine.yml"
    recipe.write_bytes((ROOT / "configs/rec/demo_digits.yml").read_bytes())
    private = launcher.folder / "home/.config/x"
    private.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(launcher.folder / "home"))
    monkeypatch.setattr("tempfile.tempdir", str(private))
    (launcher.folder / "out/r").mkdir(parents=True)  # it stays, and so does its log
    arguments = call(launcher.folder, "--config", str(recipe), "--instance", "local", "--image-uri", scripted_image)
    assert submit.main(arguments) == 1
    err = capfd.readouterr().err
    why = f"Local Mode does not support mounting from restricted system paths. Got: {private}/"
    sentence = err.splitlines()[-1]
    assert sentence.startswith(f"error: SageMaker's local mode has not started the container ({why}")
    assert sentence.endswith("/recipe): --instance process runs the same job without Docker")
    assert "container of run r started" not in err
    assert f"local mode: ValueError: {why}" in log_of(launcher.folder)
    assert list(private.iterdir()) == []


def test_the_network_stays_as_long_as_another_job_needs_it(engine: docker.DockerClient) -> None:
    """Compose finds it, creates its container and starts that: only then does the engine call the network used."""
    if engine.networks.list(names=[NETWORK]):
        pytest.skip("another local job uses the network")
    network = engine.networks.create(NETWORK, labels={COMPOSE_NETWORK_LABEL: NETWORK})
    created = []
    try:
        command = {"image": BASE_IMAGE, "command": ["true"]}
        created.append(engine.containers.create(**command, network=NETWORK))
        created.append(engine.containers.create(**command, network_mode="none", labels={JOB_LABEL: "another"}))
        while created:
            remove_network(engine)
            network.reload()
            assert network.attrs["Containers"] == {}, "for the engine nobody uses it"
            other = created.pop(0)
            other.start()  # its network is still there
            other.remove(force=True)
        remove_network(engine)
        with pytest.raises(docker.errors.NotFound):
            network.reload()
    finally:
        for container in created:
            container.remove(force=True)
        for left in engine.networks.list(names=[NETWORK]):
            left.remove()


def test_files_of_root_are_given_back(engine: docker.DockerClient, cpu_image: str, tmp_path: Path) -> None:
    """As for a user who is not root; every other user will do."""
    if os.getuid() != 0:
        pytest.skip("only root can see that files change hands")
    for name in ("checkpoints/step-1/state.json", "private/output/data/x"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    outside = tmp_path / "outside"
    outside.touch()
    (tmp_path / "checkpoints/link").symlink_to(outside)
    (tmp_path / "private").chmod(0o700)
    give_back(engine, cpu_image, [tmp_path / "checkpoints", tmp_path / "private"], 4711, 4712)
    given = [tmp_path / "checkpoints", tmp_path / "private", *(tmp_path / "checkpoints").rglob("*")]
    given += (tmp_path / "private").rglob("*")
    assert {(path.lstat().st_uid, path.lstat().st_gid) for path in given} == {(4711, 4712)}
    assert outside.stat().st_uid == 0


@pytest.mark.slow
def test_the_same_model_as_without_docker(engine: docker.DockerClient, cpu_image: str, tmp_path: Path) -> None:
    """Same seed, same wheels: the weights are the same, bit by bit; and its checkpoints are found again."""
    digits = draw_dataset(tmp_path / "digits", train=60, val=10)
    for instance, image in (("process", []), ("local", ["--image-uri", cpu_image])):
        arguments = ["--instance", instance, *image, "--dataset", str(digits), "--config", "rec/demo_digits.yml"]
        arguments += ["--epochs", "2", "--output", str(tmp_path / instance), "--run", "r", "--json"]
        command = [sys.executable, "-m", "launcher.submit", *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert_same_model(tmp_path / "process/r/model", tmp_path / "local/r/model")
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["resumed_from"] == json.loads(done.stdout)["steps"]


def sdk_of(launcher: subprocess.Popen[str]) -> int:
    """The process group of the SDK and its Compose."""
    (child,) = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()
    return int(child)


class Listener:
    """Counts who knocks at a port of this machine, and answers nobody."""

    def __init__(self) -> None:
        self.calls = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self) -> Listener:
        threading.Thread(target=self._count, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _count(self) -> None:
        while True:
            try:
                caller, _ = self._socket.accept()
            except OSError:
                return
            self.calls += 1
            caller.close()
