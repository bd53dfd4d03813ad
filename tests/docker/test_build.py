"""`build` with a real engine: tiny images from the layout of our own sources."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import docker
import pytest

from contract.errors import UserError
from launcher import build
from launcher.build import BuiltImage, build_image
from launcher.engine import LABEL_PREFIX, check_image, context_name, find_image
from launcher.image_settings import ImageSettings, load_image_settings
from launcher.images.build_secrets import CA_VARIABLES
from launcher.images.buildkit import BuildFailed, find_build_client
from launcher.images.image import ROOT, context_files, image_for, lock_of, source_hash
from tests.docker.a_docker_engine import BASE_IMAGE
from tests.launcher.sources import DOCKERFILE, write_sources

MARK = "paddleocr-sagemaker.of-a-test=yes"
PASSWORD, PROXY_PASSWORD, CERTIFICATE = "index-pass-7731", "proxy-pass-9942", "certificate-5518"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Sources that nothing else has, and an environment without settings of this machine."""
    for name in list(os.environ):
        if name.startswith(("OCR_", "PIP_")) or name.upper().endswith("_PROXY") or name in CA_VARIABLES:
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    root = write_sources(tmp_path / "project", f"{DOCKERFILE}LABEL {MARK}\n")
    (root / "contract/unique.py").write_text(repr(str(tmp_path)))
    return root


@pytest.fixture
def client(engine: docker.DockerClient) -> Iterator[docker.DockerClient]:
    """The engine, which loses what these tests make: images that say so in a label."""
    yield engine
    for _ in range(3):  # an image goes after those that were made from it
        for image in engine.api.images(filters={"label": MARK}):
            with suppress(docker.errors.APIError):
                engine.images.remove(image["Id"], force=True)


def settings(root: Path, *argv: str) -> ImageSettings:
    return load_image_settings("build", list(argv), {}, root)


def add(root: Path, *lines: str) -> None:
    """Put lines into the Dockerfile, before its last ones."""
    text = DOCKERFILE.replace("LABEL", "\n".join([*lines, f"LABEL {MARK}", "LABEL"]))
    (root / "Dockerfile").write_text(text)


def test_what_is_built_once_is_up_to_date_until_something_changes(
    client: docker.DockerClient, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build.main(["--json"], project) == 0
    first = json.loads(capsys.readouterr().out)
    assert first["built"] is True
    assert first["image"] == f"paddleocr-sagemaker:{first['tag']}"
    image = client.images.get(first["image"])
    assert (first["id"], first["size"], first["layers"]) == (
        *(image.id, image.attrs["Size"], len(image.attrs["RootFS"]["Layers"])),
    )
    assert image.labels[LABEL_PREFIX + "source"] == source_hash(project, lock_of("cpu", ""))
    assert image.labels[LABEL_PREFIX + "device"] == "cpu"
    assert image.labels[LABEL_PREFIX + "tree"] == "pypi-3.7.0"
    assert image.labels[LABEL_PREFIX + "base-id"] == client.images.get(BASE_IMAGE).id

    os.utime(project / "contract/errors.py", (1, 1))
    assert build.main([], project) == 0
    again = capsys.readouterr()
    assert again.out == f"{first['image']}\n"
    assert f"{first['image']} is up to date" in again.err

    (project / "contract/errors.py").write_text("changed = True\n")
    assert build.main(["--json"], project) == 0
    second = json.loads(capsys.readouterr().out)
    assert second["built"] is True
    assert second["tag"] != first["tag"]


def test_another_image_under_our_tag_is_not_taken_for_ours(client: docker.DockerClient, project: Path) -> None:
    first = build_image(settings(project), client, project)
    client.images.get(BASE_IMAGE).tag(first.image)
    again = build_image(settings(project), client, project)
    assert again.built
    assert again.id == first.id


def test_a_job_finds_the_image_of_todays_sources_only(client: docker.DockerClient, project: Path) -> None:
    with pytest.raises(UserError, match="run `make image`"):
        image_for(client, "cpu", project)
    built = build_image(settings(project), client, project)
    derived = io.BytesIO(f"FROM {built.image}\nRUN touch /theirs".encode())
    client.images.build(fileobj=derived, rm=True, tag="theirs/paddleocr-sagemaker:of-a-test")  # has our labels too
    assert image_for(client, "cpu", project).name == built.image
    with pytest.raises(UserError, match="run `python -m launcher build --device gpu`"):
        image_for(client, "gpu", project)
    (project / "container/new.py").write_text("")
    with pytest.raises(UserError, match="was built from other sources than today's: run `make image`"):
        image_for(client, "cpu", project)


def test_an_image_for_gpus_does_where_there_is_none_for_cpus(client: docker.DockerClient, project: Path) -> None:
    git = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    for words in (["init", "-q"], [*git, "commit", "-q", "--allow-empty", "-m", "release"], ["tag", "v3.7.0"]):
        subprocess.run(["git", "-C", project.parent, *words], check=True)
    url = f"file://{project.parent}"
    gpu = build_image(settings(project, "--device", "gpu", "--tree-url", url), client, project)
    head = subprocess.run(
        ["git", "-C", project.parent, "rev-parse", "HEAD"], check=True, capture_output=True, text=True
    )
    assert gpu.labels[LABEL_PREFIX + "tree-revision"] == head.stdout.strip()
    assert gpu.labels[LABEL_PREFIX + "cuda"] == "cu126"
    assert image_for(client, "gpu", project).name == image_for(client, "cpu", project).name == gpu.image
    cpu = build_image(settings(project), client, project)
    assert image_for(client, "cpu", project).name == cpu.image
    assert image_for(client, "gpu", project).name == gpu.image


def test_no_secret_is_in_the_image_its_history_or_a_command_line(
    client: docker.DockerClient, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ca.pem").write_text(CERTIFICATE)
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:{PROXY_PASSWORD}@proxy.example:3128")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    add(
        project,
        "RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf --mount=type=secret,id=ca.crt "
        'grep -q index-pass /etc/pip.conf && grep -q certificate /run/secrets/ca.crt && [ -n "$HTTPS_PROXY" ] '
        "&& cat /etc/pip.conf && echo $HTTPS_PROXY && sleep 2 && touch /it-had-them",
    )
    asked = load_image_settings("build", [], {"OCR_INDEX_URL": f"https://me:{PASSWORD}@index.example/simple"}, project)
    built, lines = watched(lambda: build_image(asked, client, project))
    secrets = (PASSWORD, PROXY_PASSWORD, CERTIFICATE)
    assert any("--secret" in line for line in lines)  # the client was seen
    assert not [line for line in lines for secret in secrets if secret in line]
    image = client.images.get(built.image)
    shown = json.dumps([image.history(), image.attrs])
    saved = b"".join(image.save())
    log = (project / "build" / f"{built.tag}.log").read_text()
    assert b"it-had-them" in saved
    for secret in secrets:
        assert secret not in shown
        assert secret.encode() not in saved
        assert secret not in log
    assert "https://me:****@index.example" in log


def watched(work: Callable[[], BuiltImage]) -> tuple[BuiltImage, set[str]]:
    """What the work returns, and every command line that ran on this machine meanwhile."""
    lines: set[str] = set()
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    lines.add(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
                except OSError:
                    pass  # it has just ended
            time.sleep(0.02)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        return work(), lines
    finally:
        over.set()
        thread.join()


# A file for another processor: the kernel reads no further than this header.
ARM64_PROGRAM = "\\x7fELF\\x02\\x01\\x01" + "\\x00" * 9 + "\\x02\\x00\\xb7\\x00\\x01" + "\\x00" * 59


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("RUN echo before && exit 3", "exit code: 3"),
        ("RUN --mount=type=tmpfs,target=/t dd if=/dev/zero of=/dev/full count=1", "the Docker engine's disk is full"),
        (f"RUN printf '{ARM64_PROGRAM}' > /p && chmod +x /p\nRUN [\"/p\"]", "not amd64 and emulates none"),
        ("FROM localhost:1/nowhere:1", "the image localhost:1/nowhere:1 cannot be pulled ("),
    ],
)
def test_a_build_that_fails_is_one_sentence_with_its_log(
    client: docker.DockerClient,
    project: Path,
    capsys: pytest.CaptureFixture[str],
    line: str,
    words: str,
) -> None:
    add(project, line)
    assert build.main(["--json"], project) == 2
    shown = capsys.readouterr()
    answer = json.loads(shown.out)
    assert answer["image"] is None
    assert words in answer["reason"]
    assert "\n" not in answer["reason"]
    (log,) = (project / "build").glob("cpu-*.log")
    assert answer["reason"].endswith(f"all of its output is in {log}")
    assert shown.err.splitlines()[-1] == f"error: {answer['reason']}"
    assert "ERROR" in log.read_text()


def test_ctrl_c_ends_the_build_in_the_engine_too(engine: docker.DockerClient, project: Path) -> None:
    add(project, "RUN sleep 4711.0815")
    code = (
        "import sys; from pathlib import Path; from launcher import build; sys.exit(build.main([], Path(sys.argv[1])))"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(project)], cwd=ROOT, stderr=subprocess.PIPE, text=True)

    def sleeps() -> bool:
        return (
            subprocess.run(["pgrep", "-f", "^sleep 4711.0815"], stdout=subprocess.DEVNULL, check=False).returncode == 0
        )

    assert within(60, sleeps)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in error
    assert within(20, lambda: not sleeps())


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def test_a_base_image_that_is_nowhere_is_one_sentence(engine: docker.DockerClient, project: Path) -> None:
    with pytest.raises(
        UserError, match=r"^the base image localhost:1/none:1 is not in this engine and cannot be pulled"
    ):
        build_image(settings(project, "--base-image", "localhost:1/none:1"), engine, project)
    assert not (project / "build").exists()


@pytest.fixture
def arm64_image(client: docker.DockerClient, tmp_path: Path) -> str:
    """An image for another processor, of which nothing needs to run."""
    name = "localhost:1/arm64-for-a-test:1"
    (tmp_path / "Dockerfile").write_text(f"FROM scratch\nCOPY Dockerfile /\nLABEL {MARK}\n")
    docker_build("--platform", "linux/arm64", "-t", name, str(tmp_path))
    return name


def docker_build(*words: str) -> str:
    """A build beside ours, by the same client. Returns the image's ID."""
    program = find_build_client(context_name())
    environment = os.environ | dict(program.environment)
    command = [*program.command, "-q", *words]
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def test_an_image_for_another_processor_is_refused(
    client: docker.DockerClient, arm64_image: str, project: Path
) -> None:
    image = find_image(client, arm64_image)
    assert image is not None
    with pytest.raises(UserError, match=r"is for linux/arm64, and SageMaker runs linux/amd64 only"):
        check_image(image, arm64_image)
    with pytest.raises(UserError, match="cannot be pulled"):  # the right one is looked for, in its registry
        build_image(settings(project, "--base-image", arm64_image), client, project)


@pytest.mark.parametrize(
    ("lines", "is_fit"),
    [
        ([], False),
        (["RUN touch /usr/bin/train"], False),
        (["RUN mkdir /usr/bin/train"], False),
        (["RUN ln -s nowhere /usr/bin/train"], False),
        (["RUN ln -s train /usr/bin/train"], False),
        (["RUN echo > /opt/train && chmod +x /opt/train"], False),
        (["RUN echo > /opt/train && chmod +x /opt/train", "ENV PATH=/usr/bin:/opt"], True),
        (["RUN echo > /opt/train && chmod +x /opt/train && ln -s ../../opt/train /usr/bin/train"], True),
        (['ENTRYPOINT ["python3"]'], True),
        (["LABEL paddleocr-sagemaker.contract=1"], True),
    ],
)
def test_an_image_that_lacks_train_is_refused_without_running_it(
    client: docker.DockerClient, tmp_path: Path, lines: list[str], is_fit: bool
) -> None:
    dockerfile = io.BytesIO("\n".join([f"FROM {BASE_IMAGE}", *lines]).encode())
    image, _ = client.images.build(fileobj=dockerfile, rm=True, labels=dict([MARK.split("=")]))
    containers = {each.id for each in client.containers.list(all=True)}
    if is_fit:
        check_image(image, "theirs")
    else:
        with pytest.raises(UserError, match=r"^image theirs cannot run `train`: it has no entry point"):
            check_image(image, "theirs")
    assert {each.id for each in client.containers.list(all=True)} <= containers


def test_our_reading_of_dockerignore_is_dockers(client: docker.DockerClient, tmp_path: Path) -> None:
    """The hash sees exactly the files that a build sees, in our real sources."""
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    image = client.images.get(docker_build("--label", MARK, "-f", str(tmp_path / "Dockerfile"), str(ROOT)))
    with tarfile.open(fileobj=io.BytesIO(b"".join(image.save()))) as saved:
        (layer,) = json.load(saved.extractfile("manifest.json"))[0]["Layers"]
        with tarfile.open(fileobj=saved.extractfile(layer)) as files:
            copied = {member.name for member in files.getmembers() if not member.isdir()}
    read_by_buildkit_itself = {"Dockerfile", ".dockerignore"}
    assert set(context_files(ROOT)) - read_by_buildkit_itself == copied - read_by_buildkit_itself


def test_failures_are_told_apart(engine: docker.DockerClient, project: Path) -> None:
    add(project, "RUN exit 3")
    with pytest.raises(BuildFailed):
        build_image(settings(project), engine, project)
    (project / "requirements/train.lock").unlink()
    with pytest.raises(UserError) as caught:
        build_image(settings(project), engine, project)
    assert not isinstance(caught.value, BuildFailed)
