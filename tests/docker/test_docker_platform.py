"""The rehearsal in Docker with a tiny image: what a container may do and see, and what is refused before it runs."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from contract.recipe import CONFIGS
from launcher import submit
from launcher.platforms.leftovers import CHECKPOINTS_LABEL, FOLDER_LABEL
from tests.docker.a_docker_engine import BASE_IMAGE, tiny_image
from tests.docker.detour import Detour, socket_of
from tests.launcher.running import RECIPE, ROOT, call, log_of, wait_for

IMAGE = "paddleocr-sagemaker-test:says-what-it-sees"
DOCKERFILE = f"FROM {BASE_IMAGE}\nCOPY train /usr/local/bin/train\n"
TRAIN = b"""#!/bin/sh
echo "arguments: $0 $*"
echo "user: $(id -u):$(id -g)"
echo "host: $(hostname), network: $(ls /sys/class/net)"
sed -n 's/^\\(CapEff\\|CapBnd\\|NoNewPrivs\\):\\t/\\1 /p' /proc/self/status
df --output=size -k /dev/shm | tail -1 | sed 's/^ */shm: /'
env | grep -i -e aws -e secret
ls -1 /opt/ml/input/data | sed 's/^/channel: /'
sed 's/^/recipe: /' /opt/ml/input/data/recipe/*.yml 2> /dev/null | head -3
for place in / /usr/local/bin /opt/ml/input/data/training; do
    touch $place/x 2> /dev/null && echo "writable: $place"
done
for place in /tmp /opt/ml/checkpoints /opt/ml/output; do
    touch $place/x || echo "read-only: $place"
done
[ -e /opt/ml/checkpoints/wait ] && {
    trap 'sleep 1; exit 75' TERM
    echo '[ocr] event=train step=1'
    read -r lifeline
    exit 3
}
[ -e /opt/ml/checkpoints/fail ] && { echo "cannot go on" > /opt/ml/output/failure; exit 1; }
[ -e /opt/ml/checkpoints/mute ] && { echo '[ocr] event=failed reason="said, not written"'; exit 2; }
echo '{"run": "r", "status": "finished", "steps": 1, "seconds": 1}' > /opt/ml/model/run.json
"""
NEVER = "9000steps"  # an interruption chooses Docker instead of SageMaker's local mode, even if it never comes


@pytest.fixture(scope="module")
def image(engine: docker.DockerClient) -> Iterator[str]:
    yield tiny_image(engine, DOCKERFILE, IMAGE, train=TRAIN)
    engine.images.remove(IMAGE, force=True)


@pytest.fixture(autouse=True)
def _nothing_is_left(engine: docker.DockerClient) -> Iterator[None]:
    yield
    left = engine.containers.list(all=True, filters={"label": FOLDER_LABEL})
    for container in left:
        container.remove(force=True)
    assert not left


def rehearse(tmp_path: Path, *flags: str, image: str = IMAGE) -> int:
    return submit.main(local(tmp_path, *flags, image=image))


def local(tmp_path: Path, *flags: str, image: str = IMAGE) -> list[str]:
    return [*call(tmp_path, *flags), "--instance", "local", "--image-uri", image, "--interrupt-after", NEVER]


def test_the_container_has_what_sagemaker_gives_it_and_less(
    tmp_path: Path,
    image: str,
    engine: docker.DockerClient,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "planted")
    own = tmp_path / "own recipe.yml"
    own.write_text("# mine\n" + (CONFIGS / RECIPE).read_text())
    assert rehearse(tmp_path, "--config", str(own), "--json") == 0
    answer = json.loads(capfd.readouterr().out)
    assert (answer["status"], answer["exit_code"]) == ("finished", 0)
    said = log_of(tmp_path).splitlines()
    assert "arguments: /usr/local/bin/train " in said
    assert f"user: {os.getuid()}:{os.getgid()}" in said
    assert "host: algo-1, network: lo" in said
    assert {f"CapEff {0:016}", f"CapBnd {0:016}", "NoNewPrivs 1"} <= set(said)
    shared = int(next(line for line in said if line.startswith("shm: ")).split()[1]) * 1024
    assert shared == pytest.approx(engine.info()["MemTotal"] / 2, rel=0.01)
    assert not [line for line in said if line.startswith(("writable", "read-only")) or "planted" in line]
    assert [line for line in said if line.startswith("channel")] == ["channel: recipe", "channel: training"]
    assert "recipe: # mine" in said
    assert not (tmp_path / "dataset/x").exists()
    for path in (tmp_path / "out/r/model/run.json", tmp_path / "out/r/checkpoints/x"):
        assert (path.stat().st_uid, path.stat().st_gid) == (os.getuid(), os.getgid())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else; anybody else already is")
def test_files_belong_to_the_user_who_is_not_root(tmp_path: Path, image: str, engine: docker.DockerClient) -> None:
    """Once as root, so that everything is imported from folders that the other user may not read; then as that one."""
    code = (
        "import json, os, sys; from launcher.submit import main\n"
        "first, second, socket, home = json.loads(sys.argv[1])\n"
        "assert main(first) == 0\n"
        "os.setgroups([os.stat(socket).st_gid]); os.setgid(4712); os.setuid(4711); os.chdir(home)\n"
        "os.environ['HOME'] = home\n"
        "sys.exit(main(second))\n"
    )
    home = Path(f"/tmp/user-4711-{os.getpid()}")  # pytest's own folder is root's alone
    home.mkdir()
    os.chown(home, 4711, 4712)
    try:
        calls = [local(tmp_path), [*local(tmp_path), "--output", str(home / "out"), "--dataset", str(home / "data")]]
        (tmp_path / "dataset").rename(home / "data")
        calls[0] += ["--dataset", str(home / "data")]
        done = subprocess.run(
            [sys.executable, "-c", code, json.dumps([*calls, socket_of(engine), str(home)])],
            cwd=ROOT,
            text=True,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        said = (home / "out/r/job.log").read_text().splitlines()
        assert "user: 4711:4712" in said
        assert not [line for line in said if line.startswith("read-only")]
        for path in (home / "out").rglob("*"):
            assert (path.stat().st_uid, path.stat().st_gid) == (4711, 4712), path
    finally:
        subprocess.run(["rm", "-r", str(home)], check=True)


@pytest.mark.parametrize(
    ("file", "code", "status", "reason"),
    [("fail", 1, "refused", "cannot go on"), ("mute", 2, "failed", "said, not written")],
)
def test_the_reason_of_a_failure(
    tmp_path: Path, image: str, capfd: pytest.CaptureFixture[str], file: str, code: int, status: str, reason: str
) -> None:
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / file).touch()
    assert rehearse(tmp_path, "--checkpoint-uri", str(tmp_path / "saved"), "--json") == code
    answer = json.loads(capfd.readouterr().out)
    assert (answer["status"], answer["reason"]) == (status, reason)


def test_a_dry_run_names_the_image_and_writes_nothing(
    tmp_path: Path, image: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert submit.main([*local(tmp_path), "--dry-run", "--json"]) == 0
    captured = capsys.readouterr()
    answer = json.loads(captured.out)
    assert answer["request"]["AlgorithmSpecification"]["TrainingImage"] == IMAGE == answer["plan"]["image"]
    assert f"Docker on this machine, image {IMAGE}, rehearsing a Spot interruption" in captured.err
    assert not (tmp_path / "out").exists()


def test_refused_in_one_sentence(
    tmp_path: Path, image: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusal(*flags: str, image: str = IMAGE) -> str:
        capsys.readouterr()
        assert rehearse(tmp_path, *flags, image=image) == 1
        error = capsys.readouterr().err
        assert not (tmp_path / "out").exists()
        *_, last = error.rstrip("\n").split("\n")
        assert last.startswith("error: ")
        assert "Traceback" not in error
        return last

    assert "this Docker engine has no such image: pull it" in refusal(image="no-such-image:here")
    assert f"image {BASE_IMAGE} cannot run `train`" in refusal(image=BASE_IMAGE)
    assert "machine has no NVIDIA driver" in refusal_on_gpu(tmp_path, capsys)
    monkeypatch.setenv("DOCKER_HOST", "unix:///no/such.sock")
    assert "there is no Docker engine at unix:///no/such.sock" in refusal()


def refusal_on_gpu(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    if Path("/proc/driver/nvidia/version").exists():
        pytest.skip("this machine has a GPU")
    assert submit.main([*local(tmp_path), "--instance", "local_gpu"]) == 1
    return capsys.readouterr().err


def test_what_goes_away_after_the_plan_is_one_sentence(
    tmp_path: Path, engine: docker.DockerClient, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Image and dataset are there for the plan, and gone when the container is made."""
    import launcher.run_folder

    real = launcher.run_folder.open_run_folder
    gone = tiny_image(engine, DOCKERFILE + "LABEL gone=soon\n", "paddleocr-sagemaker-test:gone", train=TRAIN)

    def without_image(*arguments):
        engine.images.remove(gone, force=True)
        return real(*arguments)

    def without_dataset(*arguments):
        (tmp_path / "dataset").rename(tmp_path / "elsewhere")
        return real(*arguments)

    monkeypatch.setattr("launcher.run_folder.open_run_folder", without_image)
    assert rehearse(tmp_path, image=gone) == 1
    assert f"error: image {gone} is no longer in this Docker engine" in capfd.readouterr().err
    tiny_image(engine, DOCKERFILE + "LABEL gone=soon\n", gone, train=TRAIN)
    monkeypatch.setattr("launcher.run_folder.open_run_folder", without_dataset)
    assert rehearse(tmp_path, image=gone) == 1
    error = capfd.readouterr().err.splitlines()[-1]
    assert error.startswith("error: Docker cannot mount a folder of this job (")
    assert f"{tmp_path}/dataset" in error
    assert not (tmp_path / "out").exists()
    engine.images.remove(gone, force=True)


@pytest.mark.parametrize("what", ["engine", "dataset"])
def test_what_goes_away_while_the_job_runs_is_a_failure_that_keeps_the_run(
    tmp_path: Path,
    image: str,
    engine: docker.DockerClient,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    what: str,
) -> None:
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved/wait").touch()
    detour = Detour(engine)
    monkeypatch.setenv("DOCKER_HOST", detour.address)

    def take_away() -> None:
        wait_for(lambda: (tmp_path / "out/r/job.log").exists() and "event=train" in log_of(tmp_path))
        detour.close() if what == "engine" else (tmp_path / "dataset").rename(tmp_path / "elsewhere")

    thread = threading.Thread(target=take_away)
    thread.start()
    flags = ["--checkpoint-uri", str(tmp_path / "saved"), "--json"]
    when = NEVER if what == "engine" else "1steps"
    code = submit.main(
        [*call(tmp_path, *flags), "--instance", "local", "--image-uri", image, "--interrupt-after", when]
    )
    thread.join()
    detour.close()
    captured = capfd.readouterr()
    assert code == 2
    assert json.loads(captured.out)["status"] == "failed"
    (error,) = (line for line in captured.err.splitlines() if line.startswith("error: "))
    if what == "engine":
        assert "the Docker engine has gone away while the job ran" in error
    else:
        assert "it could not be started again: Docker cannot mount a folder of this job" in error
    assert "--run r" in captured.err.splitlines()[-1]
    assert "event=train" in log_of(tmp_path)
    label = {"label": f"{FOLDER_LABEL}={tmp_path / 'out/r'}"}
    wait_for(lambda: not engine.containers.list(all=True, filters=label, ignore_removed=True))


@pytest.mark.parametrize("label", [FOLDER_LABEL, CHECKPOINTS_LABEL])
@pytest.mark.parametrize("state", ["running", "created", "exited"])
def test_a_container_of_an_earlier_start_may_save_and_goes(
    tmp_path: Path, image: str, engine: docker.DockerClient, capfd: pytest.CaptureFixture[str], label: str, state: str
) -> None:
    place = str(tmp_path / ("out/r" if label == FOLDER_LABEL else "saved"))
    saves = "trap 'touch /here/was-told; sleep 1; touch /here/has-saved; exit' TERM; echo hears; sleep 60 & wait"
    other = engine.containers.create(
        BASE_IMAGE,
        ["sh", "-c", saves if state == "running" else "exit"],
        labels={label: place},
        volumes={str(tmp_path): {"bind": "/here"}},
        network_mode="none",
    )
    try:
        if state != "created":
            other.start()
            wait_for(lambda: b"hears" in other.logs() if state == "running" else other.wait())
        assert rehearse(tmp_path, "--run", "another") == 0
        other.reload()
        assert other.status == state
        assert rehearse(tmp_path, "--checkpoint-uri", str(tmp_path / "saved"), "--grace", "30s") == 0
        said = f"container {other.name} is left of an earlier start: it has 30 s to save, then it is removed"
        assert said in capfd.readouterr().err
        with pytest.raises(docker.errors.NotFound):
            other.reload()
    finally:
        with contextlib.suppress(docker.errors.NotFound):
            other.remove(force=True)
    assert (tmp_path / "has-saved").exists() == (state == "running")


def test_a_deaf_container_of_an_earlier_start_goes_after_the_grace(
    tmp_path: Path, image: str, engine: docker.DockerClient
) -> None:
    label = {FOLDER_LABEL: str(tmp_path / "out/r")}
    engine.containers.run(BASE_IMAGE, ["sleep", "60"], labels=label, detach=True, network_mode="none")
    started = time.monotonic()
    assert rehearse(tmp_path, "--grace", "1s") == 0
    assert time.monotonic() - started < 45  # it would have slept for 60
