"""`push` as it is: Docker's own engine pushes to a real registry over TLS; moto answers as ECR's API."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import sys
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import moto.ecr.models
import pytest
from botocore.exceptions import ClientError

from data_preparation.scripts import create_demo_data
from launcher import push
from launcher.image_settings import load_image_settings
from launcher.images.describe import describe_image
from launcher.images.image import ImageSpec
from launcher.images.pushed_images import FILE_NAME, find_pushed
from launcher.status_line import PlainStatus
from tests.docker.conftest import ROOT, need
from tests.docker.registry import USER, Fault, Registry, missing_programs, run_registry
from tests.docker.same_model import hash_of_weights
from tests.docker.test_gpu_image import copy_of_the_context
from tests.docker.test_rehearsal import Rehearsal
from tests.launcher.aws_stand_in import ACCOUNT, REGION, TOKEN, AwsStandIn, run_aws, use_aws
from tests.launcher.running import RECIPE

# The least that is an image of ours: what push makes of an image does not depend on what is in it.
DOCKERFILE = """\
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
ARG BASE_IMAGE
COPY container /opt/program/container
LABEL paddleocr-sagemaker.contract=1 push-test=${BASE_IMAGE}
CMD ["train"]
"""
EXPIRED = ("DENIED", "Your authorization token has expired. Reauthenticate and try again.")
NOWHERE = "127.0.0.1:1"  # where nobody listens


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    lacking = missing_programs()
    if lacking:
        need(lacking)
    with run_registry(tmp_path_factory.mktemp("registry"), TOKEN) as running:
        yield running


@pytest.fixture(scope="module")
def server(registry: Registry) -> Iterator[AwsStandIn]:
    """ECR's API, whose repositories are in our registry."""
    first = moto.ecr.models.Repository.__init__

    def at_our_registry(self: moto.ecr.models.Repository, *arguments: object, **named: object) -> None:
        first(self, *arguments, **named)
        # moto names AWS's own host, which is not on this machine; launcher.push takes the address that ECR gives.
        self.uri = f"{NOWHERE if self.name == 'nowhere' else registry.address}/{self.name}"

    with run_aws() as aws, pytest.MonkeyPatch.context() as patch:
        patch.setattr(moto.ecr.models.Repository, "__init__", at_our_registry)

        def put_image(name: str, tag: str, manifest: bytes, kind: str, digest: str) -> tuple[str, str] | None:
            try:
                aws.client("ecr").put_image(
                    repositoryName=name,
                    imageTag=tag,
                    imageManifest=manifest.decode(),
                    imageManifestMediaType=kind,
                    imageDigest=digest,
                )
            except ClientError:
                because = "and cannot be overwritten because the tag is immutable."
                return "TAG_INVALID", f"The image tag '{tag}' already exists in the '{name}' repository {because}"
            return None

        registry.on_manifest = put_image
        yield aws


@dataclass
class Project:
    """A folder with a Dockerfile, and `push` as its user would type it."""

    engine: docker.DockerClient
    registry: Registry
    aws: AwsStandIn
    root: Path
    base: str
    capture: pytest.CaptureFixture[str]

    def push(self, *flags: str, code: int = 0) -> tuple[str, str]:
        """stdout and stderr of one call, which ends with this code."""
        arguments = ["--device", "cpu", "--base-image", self.base, *flags]
        if "--repository" not in flags:
            arguments += ["--repository", self.repository]
        self.capture.readouterr()
        actual = push.main(arguments, self.root)
        out, err = self.capture.readouterr()
        assert actual == code, err
        assert TOKEN not in out + err
        here = (f"{self.registry.address}/", f"{NOWHERE}/")
        assert not any(tag.startswith(here) for tag in self.tags())  # the extra name is gone
        return out, err

    def refusal(self, *flags: str) -> str:
        """One sentence, and no other trace."""
        before = self.record()
        out, err = self.push(*flags, code=1)
        assert out == ""
        assert "Traceback" not in err
        assert self.record() == before
        last = err.rstrip("\n").splitlines()[-1]
        assert last.startswith("error: ")
        return last

    @property
    def repository(self) -> str:
        return self.base.partition(":")[0]

    @property
    def spec(self) -> ImageSpec:
        settings = load_image_settings("push", ["--device", "cpu", "--base-image", self.base], {}, self.root)
        return describe_image(settings, self.engine, self.root, PlainStatus(sys.stderr))

    @property
    def tag(self) -> str:
        return self.spec.tag

    @property
    def name(self) -> str:
        return f"paddleocr-sagemaker:{self.tag}"

    @property
    def source(self) -> str:
        return self.spec.source

    def record(self) -> str:
        file = self.root / FILE_NAME
        return file.read_text() if file.exists() else ""

    def tags(self) -> list[str]:
        return [tag for image in self.engine.images.list() for tag in image.tags]

    def in_ecr(self, tag: str) -> str:
        details = self.aws.client("ecr").describe_images(repositoryName=self.repository, imageIds=[{"imageTag": tag}])
        return details["imageDetails"][0]["imageDigest"]


@pytest.fixture
def project(
    engine: docker.DockerClient,
    registry: Registry,
    server: AwsStandIn,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Project]:
    """A base of its own for each test: the registry has seen none of its layers."""
    server.reset()
    registry.clear()
    use_aws(server, monkeypatch)
    monkeypatch.setattr("launcher.images.push_layers.PAUSES_S", (0.1, 0.1))
    root = tmp_path / "project"
    for path, text in {
        "Dockerfile": DOCKERFILE,
        ".dockerignore": "*\n!container/\n!requirements/*.lock\n",
        "container/tree.py": 'VERSION = "3.7.0"\nSHA256 = "0"\n',
        "requirements/train.lock": "",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    base = f"push-test-{os.urandom(4).hex()}:base"
    import_image(engine, base)
    yield Project(engine, registry, server, root, base, capsys)
    for image in [*engine.images.list(filters={"label": f"push-test={base}"}), *engine.images.list(name=base)]:
        engine.images.remove(image.id, force=True)


def import_image(engine: docker.DockerClient, name: str) -> str:
    """An image of one layer that nobody has seen before; its ID."""
    content = os.urandom(300_000)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo("noise")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    repository, tag = name.split(":")
    engine.api.import_image_from_data(packed.getvalue(), repository=repository, tag=tag)
    return str(engine.images.get(name).id)


def docker_config() -> bytes:
    file = Path(os.environ.get("DOCKER_CONFIG", Path.home() / ".docker")) / "config.json"
    return file.read_bytes() if file.exists() else b""


# ---------------------------------------------------------------- what it is for
def test_the_first_push_and_the_second(project: Project) -> None:
    logins = docker_config()
    out, err = project.push()
    digest = project.in_ecr(project.tag)
    uri = f"{project.registry.address}/{project.repository}@{digest}"
    assert out == f"{uri}\n"
    assert docker_config() == logins
    pushed = find_pushed(project.root, project.source, "cpu", REGION, ACCOUNT)
    assert pushed is not None
    assert (pushed.uri, pushed.tag) == (uri, project.tag)
    assert f"created the ECR repository {project.repository}" in err
    assert "layer 2/2 " in err
    assert f"{project.tag} is in ECR now" in err
    client = project.aws.client("ecr")
    found = client.describe_repositories(repositoryNames=[project.repository])["repositories"][0]
    assert (found["imageTagMutability"], found["imageScanningConfiguration"]["scanOnPush"]) == ("IMMUTABLE", True)

    # What SageMaker would pull is the image that was built.
    built = project.engine.images.get(project.name).id
    project.engine.images.remove(project.name)
    project.engine.images.remove(project.base)
    pulled = project.engine.images.pull(uri, auth_config={"username": USER, "password": TOKEN})
    assert pulled.id == built
    project.engine.images.remove(uri)


def test_the_second_push_touches_no_layer(project: Project) -> None:
    first, _ = project.push()
    project.registry.clear()
    (project.root / FILE_NAME).unlink()
    project.engine.images.remove(project.name)  # as on another machine
    out, err = project.push("--json")
    answer = json.loads(out)
    assert answer.pop("seconds") >= 0
    assert answer.pop("size") > 0
    assert answer == {
        "uri": first.strip(),
        "tag": project.tag,
        "digest": first.strip().partition("@")[2],
        "repository": project.repository,
        "pushed": False,
    }
    assert "nothing was pushed" in err
    assert project.registry.requests == []
    assert project.name not in project.tags()  # nor was it built
    pushed = find_pushed(project.root, project.source, "cpu", REGION, ACCOUNT)
    assert pushed is not None
    assert pushed.uri == first.strip()


def test_a_change_of_code_pushes_only_its_own_layer(project: Project) -> None:
    project.push()
    project.registry.clear()
    (project.root / "container/more.py").write_text("x = 1\n")
    _, err = project.push()
    assert "there already" in err
    assert project.registry.sent("PATCH", "/blobs/uploads/") == 2  # one layer, and the image's configuration
    assert len(json.loads(project.record())) == 2


# ---------------------------------------------------------------- tags that are taken
def test_another_build_of_the_same_sources_leaves_the_pushed_one(project: Project) -> None:
    first, _ = project.push()
    project.engine.images.build(
        fileobj=io.BytesIO(f"FROM {project.name}\nLABEL again=1\n".encode()), tag=project.name, rm=True
    )
    project.registry.clear()
    again, err = project.push()
    assert again == first
    assert f"{project.name} here is another build of the same sources" in err
    assert project.registry.requests == []


def test_a_tag_of_the_users_own(project: Project) -> None:
    first, _ = project.push("--tag", "v1")
    again, err = project.push("--tag", "v1")
    assert again == first
    assert "nothing was pushed" in err
    (project.root / "container/more.py").write_text("x = 1\n")
    sentence = project.refusal("--tag", "v1")
    assert f"{project.repository}:v1 is another image already ({project.in_ecr('v1')})" in sentence
    assert project.name not in project.tags()  # refused before it was built


def test_an_answer_that_got_lost_is_no_failure(project: Project) -> None:
    """ECR has the image, the engine does not know it, and a second try finds the tag taken: by itself."""
    project.registry.fail(Fault("PUT", "/manifests/", 500, is_late=True))
    out, err = project.push()
    assert project.registry.sent("PUT", "/manifests/") == 2
    assert out.strip().endswith(project.in_ecr(project.tag))
    assert "is in ECR now" in err


# ---------------------------------------------------------------- what goes wrong, and passes
def test_a_login_that_expires_in_the_middle_is_renewed(project: Project) -> None:
    # The first layer is on its way when the registry no longer takes the login for the next request.
    refuse = Fault("POST", "/blobs/uploads/", 403, EXPIRED)
    project.registry.fail(Fault("HEAD", "/blobs/", 404, before=lambda: project.registry.fail(refuse)))
    out, err = project.push()
    assert refuse.times == 0
    assert "the registry wants a fresh login" in err
    assert out.strip().endswith(project.in_ecr(project.tag))


@pytest.mark.parametrize("status", [500, 0])
def test_a_registry_that_fails_at_the_end_is_tried_again(project: Project, status: int) -> None:
    project.registry.fail(Fault("PUT", "/manifests/", status, times=2))
    out, err = project.push()
    assert err.count("the push stopped (") == 2
    assert project.registry.sent("PUT", "/manifests/") == 3
    assert out.strip().endswith(project.in_ecr(project.tag))


def test_a_layer_that_fails_is_tried_again_by_the_engine(project: Project) -> None:
    project.registry.fail(Fault("PATCH", "/blobs/uploads/", 500))
    out, err = project.push()
    assert "failed: retrying in 5 seconds" in err
    assert out.strip().endswith(project.in_ecr(project.tag))


# ---------------------------------------------------------------- what goes wrong, and stays
def test_a_registry_that_always_fails_is_one_sentence(project: Project) -> None:
    project.registry.fail(Fault("PUT", "/manifests/", 500, times=99))
    sentence = project.refusal()
    assert "failed 3 times in a row" in sentence
    assert "500 Internal Server Error" in sentence


@pytest.mark.slow
def test_a_layer_that_always_fails_is_one_sentence(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine gives a layer five tries in 50 seconds; ours would be three of those."""
    monkeypatch.setattr("launcher.images.push_layers.PAUSES_S", ())
    project.registry.fail(Fault("PATCH", "/blobs/uploads/", 500, times=99))
    assert "500 Internal Server Error" in project.refusal()
    assert project.registry.sent("PATCH", "/blobs/uploads/") >= 5


def test_a_login_that_the_registry_never_takes_is_one_sentence(project: Project) -> None:
    project.registry.set_password("another")
    try:
        sentence = project.refusal()
    finally:
        project.registry.set_password(TOKEN)
    assert "refuses a login that ECR has just given" in sentence


def test_a_permission_that_lacks_is_not_tried_again(project: Project) -> None:
    said = "User: arn:aws:iam::1:user/x is not authorized to perform: ecr:InitiateLayerUpload on resource: y"
    project.registry.fail(Fault("POST", "/blobs/uploads/", 403, ("DENIED", said), times=99))
    sentence = project.refusal()
    assert said in sentence
    assert "ask for the permission" in sentence
    assert project.registry.sent("GET", "^/v2/$") == 1


def test_a_registry_that_cannot_be_reached_is_one_sentence(project: Project) -> None:
    sentence = project.refusal("--repository", "nowhere")
    assert f"the push to {NOWHERE} failed 3 times in a row" in sentence
    assert "connection refused" in sentence


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (f"999999999999.dkr.ecr.{REGION}.amazonaws.com/ocr", "belongs to account 999999999999"),
        (f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/ocr", "--region eu-west-1"),
        ("ghcr.io/team/ocr", "is not ECR"),
    ],
)
def test_a_repository_elsewhere_is_refused_before_anything_happens(project: Project, address: str, words: str) -> None:
    assert words in project.refusal("--repository", address)
    assert project.registry.requests == []
    assert project.aws.client("ecr").describe_repositories()["repositories"] == []
    assert project.name not in project.tags()


def test_without_an_engine_no_repository_is_made(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    assert "Docker engine at" in project.refusal()
    assert project.aws.client("ecr").describe_repositories()["repositories"] == []


def test_ctrl_c_leaves_nothing_behind(project: Project) -> None:
    over = threading.Event()

    def interrupt() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        over.wait(20)

    project.registry.fail(Fault("PATCH", "/blobs/uploads/", 500, before=interrupt))
    try:
        out, _ = project.push(code=130)
    finally:
        over.set()
    assert out == ""
    assert project.record() == ""
    project.registry.clear()
    project.push()


@pytest.mark.slow
def test_the_real_image_is_pushed_pulled_by_digest_and_run(
    engine: docker.DockerClient,
    cpu_image: str,
    registry: Registry,
    server: AwsStandIn,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """All the way that an image goes, before SageMaker's local mode and the rehearsal run what came back."""
    use_aws(server, monkeypatch)
    root = copy_of_the_context(tmp_path / "project")  # so that .images.json is not written beside our own sources
    shutil.copy(ROOT / "requirements/train.lock", root / "requirements")
    assert push.main(["--device", "cpu", "--repository", "chain"], root) == 0
    uri = capsys.readouterr().out.strip()
    assert uri.startswith(f"{registry.address}/chain@sha256:")
    before = engine.images.get(cpu_image).id
    engine.images.remove(cpu_image)
    try:
        login = {"username": USER, "password": TOKEN}
        pulled = engine.images.pull(uri, auth_config=login)
        assert pulled.id == before
        dataset = tmp_path / "digits"
        assert create_demo_data.main(["--output-dir", str(dataset), "--count", "40", "--val-count", "8"]) == 0
        short = ["--image-uri", uri, "--config", RECIPE, "--epochs", "2", "--batch-size", "8", "--eval-steps", "8"]
        local = Rehearsal(tmp_path / "out", "local", dataset, "--instance", "local", *short)
        local.finish()
        rehearsed = Rehearsal(
            tmp_path / "out", "rehearsed", dataset, "--instance", "local", "--interrupt-after", "3steps", *short,
            "-o", "Global.print_batch_step=1",
        )  # fmt: skip
        rehearsed.finish()
        assert rehearsed.steps_of("resume")
        assert hash_of_weights(rehearsed.folder / "model") == hash_of_weights(local.folder / "model")
    finally:
        name, _, tag = cpu_image.partition(":")
        engine.api.tag(before, name, tag)
        engine.images.remove(uri)
