"""One container by the Docker SDK: lines, exit codes, signals, and an engine that goes away."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

import docker
import pytest

from launcher.platforms.docker_container import OUT_OF_MEMORY, DockerContainer
from launcher.platforms.platform import ContainerLost
from tests.docker.a_docker_engine import BASE_IMAGE
from tests.docker.detour import Detour

LABEL = "paddleocr-sagemaker.test"
DEAF = "trap '' TERM; while :; do sleep 0.1; done"
POLITE = "trap 'exit 75' TERM; while :; do sleep 0.1; done"


@pytest.fixture
def made(engine: docker.DockerClient):
    """Makes containers that run a shell script; in the end none is left."""

    def make(script: str, client: docker.DockerClient = engine, **options: object) -> DockerContainer:
        options = {"stdin_open": True, "auto_remove": True, "network_mode": "none", "labels": [LABEL]} | options
        return DockerContainer(client.containers.create(BASE_IMAGE, ["sh", "-c", script], **options))

    yield make
    left = engine.containers.list(all=True, filters={"label": LABEL})
    for container in left:
        container.remove(force=True)
    assert not left


def lines_of(container: DockerContainer, seconds: float = 30.0) -> list[bytes]:
    """What it prints until it has finished."""
    lines: list[bytes] = []
    give_up = time.monotonic() + seconds
    while not container.finished:
        assert time.monotonic() < give_up, "waited in vain"
        line = container.next_line(0.1)
        lines += [] if line is None else [line]
    return lines


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("exit 0", 0),
        ("exit 1", 1),
        ("exit 75", 75),
        ("kill -9 $$; exit 3", 3),  # the kernel protects PID 1 from its own container
        ("exit 137", -9),  # what Docker, and a shell of its child, says when SIGKILL was the end
        ("exit 143", -15),
    ],
)
def test_exit_codes(made, script: str, code: int) -> None:
    with made(script) as container:
        assert lines_of(container) == []
        assert container.exit_code == code
        assert container.reason == ""


def test_no_line_is_lost_or_mixed_with_another(made) -> None:
    script = "for i in $(seq 5000); do echo out $i; echo err $i >&2; done; printf 'ก้าวหน้า\\n\\nlast'; printf torn >&2"
    with made(script) as container:
        lines = lines_of(container)
    out = [line for line in lines if not line.startswith((b"err", b"torn"))]
    assert out == [b"out %d\n" % i for i in range(1, 5001)] + ["ก้าวหน้า\n".encode(), b"\n", b"last"]
    assert [line for line in lines if line not in out] == [b"err %d\n" % i for i in range(1, 5001)] + [b"torn"]


def test_a_line_comes_as_soon_as_it_is_printed(made) -> None:
    with made("echo first; sleep 60") as container:
        assert container.next_line(10.0) == b"first\n"
        assert container.exit_code is None
        assert not container.finished


def test_terminate_is_heard_and_kill_is_not_refused(made) -> None:
    for script, end, code in ((POLITE, "terminate", 75), (DEAF, "kill", -9)):
        with made(script) as container:
            getattr(container, end)()
            assert lines_of(container) == []
            assert container.exit_code == code
            getattr(container, end)()  # nothing is there to end any more


def test_terminate_waits_until_pid_1_can_hear_it(made) -> None:
    with made(f"sleep 0.7; {POLITE}") as container:
        container.terminate()
        lines_of(container)
        assert container.exit_code == 75


@pytest.mark.parametrize("script", [DEAF, "exit 0"])
def test_nothing_is_left_when_the_launcher_fails(made, engine: docker.DockerClient, script: str) -> None:
    with pytest.raises(ZeroDivisionError), made(script) as container:
        1 / 0  # noqa: B018
    assert container.name.removeprefix("container ") not in [each.name for each in engine.containers.list(all=True)]


def test_a_container_that_cannot_start_is_removed(made) -> None:
    with pytest.raises(docker.errors.APIError, match="no-such-program"):
        made("", entrypoint=["no-such-program"])


def test_out_of_memory_is_said(made, engine: docker.DockerClient) -> None:
    if not engine.info()["MemoryLimit"]:
        pytest.skip("this kernel limits no container's memory")
    hungry = "exec tail /dev/zero"  # keeps the one endless line in memory
    with made(hungry, mem_limit="16m", memswap_limit="16m") as container:
        lines_of(container)
        assert container.exit_code == -9
        assert container.reason == OUT_OF_MEMORY


def test_stdin_is_open_until_the_launcher_is_gone(made, engine: docker.DockerClient) -> None:
    """`read` returns at the end of the input only."""
    container = made("read line; echo gone; exit 5")
    with container:
        time.sleep(0.5)
        assert container.exit_code is None
        with contextlib.closing(Detour(engine)) as detour, made("read line; exit 5", detour.client()) as other:
            found = engine.containers.get(other.name.removeprefix("container "))
            detour.close()  # for the engine this is what `kill -9` of the launcher is
            assert found.wait(timeout=10)["StatusCode"] == 5
        assert container.exit_code is None


def test_an_engine_that_goes_away_is_one_sentence(made, engine: docker.DockerClient) -> None:
    with contextlib.closing(Detour(engine)) as detour, made("echo up; read line", detour.client()) as container:
        assert container.next_line(10.0) == b"up\n"
        detour.close()
        with pytest.raises(ContainerLost, match="the Docker engine has gone away while the job ran") as lost:
            lines_of(container)
        assert "\n" not in str(lost.value)
        with pytest.raises(ContainerLost):
            container.kill()
    wait_until_gone(engine, container)


def wait_until_gone(engine: docker.DockerClient, container: DockerContainer) -> None:
    give_up = time.monotonic() + 10
    while engine.containers.list(all=True, filters={"name": container.name.removeprefix("container ")}):
        assert time.monotonic() < give_up, "the container is still there"
        time.sleep(0.05)


@pytest.fixture(autouse=True)
def _no_thread_fails_unseen() -> Iterator[None]:
    before = threading.excepthook
    failures: list[object] = []
    threading.excepthook = failures.append
    yield
    threading.excepthook = before
    assert not failures
