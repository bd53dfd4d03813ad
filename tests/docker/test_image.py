"""The CPU image itself: what is in it, what is not, and how it behaves as SageMaker would run it."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import docker
import pytest
from docker.models.containers import Container

from contract.events import parse_event
from tests.container.jobs import Base, draw_dataset
from tests.docker.conftest import SECRETS

CHUNK = 1 << 20
CODE_LIMIT = 5_000_000  # bytes that a change of our code may push


def test_what_the_image_says(engine: docker.DockerClient, cpu_image: str) -> None:
    image = engine.images.get(cpu_image)
    config = image.attrs["Config"]
    assert (image.attrs["Os"], image.attrs["Architecture"]) == ("linux", "amd64")
    assert config["Entrypoint"] == ["python", "-m", "container"]
    assert config["Cmd"] == ["train"]
    labels = config["Labels"]
    assert labels["paddleocr-sagemaker.contract"] == "1"
    assert labels["paddleocr-sagemaker.device"] == "cpu"
    assert labels["paddleocr-sagemaker.tree"] == "pypi-3.7.0"
    assert len(labels["paddleocr-sagemaker.tree-revision"]) == 64
    assert len(labels["paddleocr-sagemaker.source"]) == 64
    assert "org.opencontainers.image.version" in labels
    layers = engine.api.history(cpu_image)
    sizes = [layer["Size"] for layer in layers]
    code = next(layer["Size"] for layer in layers if "/layers/program" in layer["CreatedBy"])
    print(f"image {image.attrs['Size']:,} bytes, {len(image.attrs['RootFS']['Layers'])} layers, "
          f"largest {max(sizes):,}, code {code:,}")  # fmt: skip
    assert len(image.attrs["RootFS"]["Layers"]) <= 12
    assert code < CODE_LIMIT
    newest = [layer["CreatedBy"] for layer in layers if layer["Size"]]
    assert "/layers/program" in newest[0], "what changes often must come last"


def test_what_is_not_in_it(engine: docker.DockerClient, cpu_image: str) -> None:
    script = (
        "for tool in gcc cc g++ make pip pip3 git curl wget gpg; do command -v $tool; done; "
        "ls -d /opt/ml /root/.cache /tmp/* /var/lib/apt/lists/* /lock /layers /run/secrets/* 2>/dev/null; "
        "find / -xdev \\( -name '*.whl' -o -name 'pip.conf' -o -name '.netrc' \\) 2>/dev/null; "
        "find /opt -xdev \\( -not -user root -o -perm /022 \\) -not -type l"
    )
    said = engine.containers.run(cpu_image, entrypoint=["sh", "-c"], command=[script], remove=True, network_mode="none")
    assert said.decode() == ""


def test_the_compiled_part_of_the_input_pipeline_is_in_it(engine: docker.DockerClient, cpu_image: str) -> None:
    script = (
        "from container.trainer.pipeline.native.build import SOURCE, library; print(library()._name, SOURCE.parent)"
    )
    said = engine.containers.run(
        cpu_image, entrypoint=["python", "-c"], command=[script], remove=True, network_mode="none", read_only=True
    )
    library, folder = said.decode().split()
    assert library.startswith(f"{folder}/built/")


def test_no_secret_of_the_build(engine: docker.DockerClient, cpu_image: str) -> None:
    """In no layer, deleted files included, no history, no label, no environment."""
    needles = {name: secret.encode() for name, secret in SECRETS.items()}
    found = set()
    count = 0
    with tarfile.open(fileobj=io.BufferedReader(Stream(engine.api.get_image(cpu_image)), CHUNK), mode="r|") as outer:
        for member in outer:
            file = outer.extractfile(member)
            if file:
                count += member.size
                found |= {name for name in search(file, needles)}
    assert count > 500_000_000, "these are not all layers"
    assert not found


def test_docker_stop_while_it_trains(engine: docker.DockerClient, cpu_image: str, tmp_path: Path) -> None:
    """SIGTERM to PID 1, as SageMaker sends it: saved inside the grace, and nobody is left behind."""
    dataset = draw_dataset(tmp_path / "digits", train=64, val=8)
    base = Base(
        tmp_path / "ml", dataset, config="rec/demo_digits.yml", epochs=500, batch_size=8, workers=2, run_id="stop",
        Global__print_batch_step=1,
    )  # fmt: skip
    with by_hand(engine, cpu_image, base, dataset) as container:
        until_event(container, "train")
        children = [row[0] for row in processes(container)]
        assert len(children) >= 4, "supervisor, trainer and its two workers"
        watch = Watch(container)
        began = time.monotonic()
        container.stop(timeout=100)
        took = time.monotonic() - began
        watch.join()
        container.reload()
        print(f"docker stop: {took:.1f} s")
        assert container.attrs["State"]["ExitCode"] == 75, container.logs().decode()
        assert took < 100
    published = sorted((base.folder / "checkpoints").glob("step-*/MANIFEST.json"))
    assert published
    assert json.loads((published[-1].parent / "state.json").read_text())["step"] > 0
    assert not watch.lasting_zombies()


def test_without_any_folder(engine: docker.DockerClient, cpu_image: str) -> None:
    """It refuses in one sentence, whoever runs it."""
    for user in ("0:0", "1234:1234"):
        container = engine.containers.run(
            cpu_image, detach=True, user=user, read_only=True, cap_drop=["ALL"], network_mode="none",
            tmpfs={"/tmp": "mode=1777"},
        )  # fmt: skip
        try:
            assert container.wait()["StatusCode"] == 1
            said = container.logs(stdout=False).decode()
            assert said.startswith("error: the hyperparameter 'config' is missing: name a recipe")
            assert "Traceback" not in said
        finally:
            container.remove(force=True)


class Stream(io.RawIOBase):
    """Chunks of bytes as a file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._rest = chunks, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        self._rest = self._rest or next(self._chunks, b"")
        part, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)


def search(file: IO[bytes], needles: dict[str, bytes]) -> Iterator[str]:
    """The names of the needles in a file; in what it holds, where it is compressed (an engine may save it so)."""
    start = file.read(2)
    body = Stream(iter(lambda: file.read(CHUNK), b""))
    body._rest = start
    plain: IO[bytes] = (
        gzip.GzipFile(fileobj=io.BufferedReader(body)) if start == b"\x1f\x8b" else io.BufferedReader(body)
    )
    kept = b""
    while part := plain.read(CHUNK):
        window = kept + part
        yield from (name for name, needle in needles.items() if needle in window)
        kept = window[-100:]


def by_hand(engine: docker.DockerClient, image: str, base: Base, dataset: Path) -> ContainerByHand:
    return ContainerByHand(engine, image, base, dataset)


class ContainerByHand:
    """`docker run` with SageMaker's folders and as little else as possible."""

    def __init__(self, engine: docker.DockerClient, image: str, base: Base, dataset: Path) -> None:
        link = base.folder / "input/data/training"  # the engine cannot follow the look-alike's link
        link.unlink()
        link.mkdir()
        (base.folder / "tmp").mkdir()
        volumes = {
            str(base.folder): {"bind": "/opt/ml", "mode": "rw"},
            str(dataset): {"bind": "/opt/ml/input/data/training", "mode": "ro"},
            str(base.folder / "tmp"): {"bind": "/tmp", "mode": "rw"},
        }
        self._container = engine.containers.run(
            image, "train", detach=True, volumes=volumes, network_mode="none", read_only=True, cap_drop=["ALL"],
            shm_size="1g",
        )  # fmt: skip

    def __enter__(self) -> Container:
        return self._container

    def __exit__(self, *_: object) -> None:
        self._container.remove(force=True)


class Watch(threading.Thread):
    """Looks at the container's processes until it has ended."""

    def __init__(self, container: Container) -> None:
        super().__init__(daemon=True)
        self._container = container
        self._seen: list[set[str]] = []  # the zombies of each look
        self.start()

    def run(self) -> None:
        while True:
            rows = processes(self._container)
            if not rows:
                return
            self._seen.append({number for number, state in rows if state.startswith("Z")})
            time.sleep(0.2)

    def lasting_zombies(self) -> set[str]:
        """Those of five looks in a row, a second: between a death and its waitpid any process is a zombie."""
        return set().union(*(set.intersection(*self._seen[i : i + 5]) for i in range(max(0, len(self._seen) - 4))))


def processes(container: Container) -> list[tuple[str, str]]:
    """Process id and state of each; empty when the container has ended."""
    try:
        rows = container.top(ps_args="-eo pid,stat")["Processes"]
    except docker.errors.APIError:
        return []
    return [(row[0], row[1]) for row in rows]


def until_event(container: Container, kind: str) -> None:
    for line in container.logs(stream=True, follow=True):
        event = parse_event(line.decode(errors="replace"))
        if event and event["event"] == kind:
            return
    pytest.fail(f"the container ended without event={kind}: {container.logs().decode()}")
