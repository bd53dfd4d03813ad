"""The way of a new user: from nothing to a submitted job, doing at each step what the last message says."""

from __future__ import annotations

import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import moto.ecr.models
import pytest

from data_preparation.scripts import create_demo_data
from launcher import doctor
from launcher.cloud.permissions import OWNER, USER, policy
from tests.docker.conftest import (
    engine,  # noqa: F401 - a fixture
    need,
)
from tests.docker.registry import Registry, missing_programs, run_registry
from tests.docker.test_push import DOCKERFILE, import_image
from tests.launcher.an_account import ACCOUNT, HOST, AnAccount, an_account
from tests.launcher.aws_stand_in import KEYS, TOKEN, use_no_aws
from tests.launcher.running import ROOT
from tests.service import DENIED, EXPIRED_TOKEN, REGION

ROOMS = ("launcher", "contract", "data_preparation", "container", "configs")
NEXT = re.compile(r"^next: (.+)$", re.MULTILINE)


@dataclass
class NewUser:
    """A folder with a dataset, a copy of the project elsewhere, and a shell without any settings of AWS."""

    account: AnAccount
    project: Path
    environment: dict[str, str]
    said: str = ""  # by the last command

    @property
    def folder(self) -> Path:
        return self.account.folder

    def run(self, command: str, code: int = 0) -> str:
        """Run a line as it stands, with this Python; returns what it says to do next."""
        words = [sys.executable if word == "python" else word for word in shlex.split(command)]
        done = subprocess.run(words, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False)
        self.said = done.stderr
        assert done.returncode == code, f"{command}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        found = NEXT.findall(done.stderr)
        return found[-1] if found else ""

    def aws_configure(self, **answers: str) -> None:
        """What `aws configure` writes when it gets these answers. AWS's command line is not part of this project."""
        keys = {key: text for key, text in answers.items() if key != "region"}
        for variable, content in (("AWS_SHARED_CREDENTIALS_FILE", keys), ("AWS_CONFIG_FILE", answers)):
            lines = [
                "[default]",
                *(f"{key} = {text}" for key, text in content.items() if content is keys or key not in keys),
            ]
            Path(self.environment[variable]).write_text("\n".join(lines) + "\n")


@pytest.fixture
def new_user(
    engine: docker.DockerClient,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[NewUser]:
    """The image that is built and pushed is small: what is in it does not matter on this way."""
    if lacking := missing_programs():
        need(lacking)
    (tmp_path / "registry").mkdir()
    (tmp_path / "work").mkdir()
    base = f"push-test-{os.urandom(4).hex()}:base"
    import_image(engine, base)
    with (
        run_registry(tmp_path / "registry", TOKEN) as registry,
        an_account(monkeypatch, tmp_path / "work", speed=0, strict=True) as account,
    ):
        _let_ecr_be(registry, account, monkeypatch)
        project = _copy_of_the_project(tmp_path / "project")
        environment = {name: text for name, text in os.environ.items() if not name.startswith("AWS_") or "URL" in name}
        environment |= {
            "PYTHONPATH": str(project),
            "AWS_CONFIG_FILE": str(tmp_path / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
            "AWS_EC2_METADATA_DISABLED": "true",
            "OCR_BASE_IMAGE": base,  # these two: this machine reaches neither a registry nor a git server
            "OCR_TREE": "pypi",
        }
        yield NewUser(account, project, environment)
    for image in [*engine.images.list(filters={"label": f"push-test={base}"}), *engine.images.list(name=base)]:
        engine.images.remove(image.id, force=True)


def _let_ecr_be(registry: Registry, account: AnAccount, patch: pytest.MonkeyPatch) -> None:
    """moto's repositories are in this registry, and moto learns what is pushed to it."""
    first = moto.ecr.models.Repository.__init__

    def at_our_registry(self: moto.ecr.models.Repository, *arguments: object, **named: object) -> None:
        first(self, *arguments, **named)
        self.uri = f"{registry.address}/{self.name}"

    def put_image(name: str, tag: str, manifest: bytes, kind: str, digest: str) -> None:
        account.client("ecr").put_image(
            repositoryName=name,
            imageTag=tag,
            imageManifest=manifest.decode(),
            imageManifestMediaType=kind,
            imageDigest=digest,
        )

    patch.setattr(moto.ecr.models.Repository, "__init__", at_our_registry)
    registry.on_manifest = put_image


def _copy_of_the_project(folder: Path) -> Path:
    for room in ROOMS:
        shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "requirements").mkdir()
    for name, text in {
        "Dockerfile": DOCKERFILE,
        ".dockerignore": "*\n!container/\n!requirements/*.lock\n",
        "requirements/train.lock": "",
        "requirements/gpu-cu126.lock": "",  # made by `make lock-gpu`, where Paddle's own index can be reached
    }.items():
        (folder / name).write_text(text)
    return folder


def as_in_ecr(project: Path, registry_host: str) -> None:
    """The one thing that a registry on loopback cannot have is ECR's name, by which SageMaker pulls."""
    noted = project / ".images.json"
    noted.write_text(noted.read_text().replace(registry_host, HOST))


def test_from_doctor_to_a_submitted_job_in_five_commands(new_user: NewUser) -> None:
    user, account = new_user, new_user.account
    assert create_demo_data.main(["--output-dir", str(user.folder / "words"), "--count", "20"]) == 0
    account.grant(_may(OWNER, USER, account=account))  # what an administrator gives: docs/iam

    # First not even credentials, then half of them.
    assert user.run("python -m launcher doctor", code=1) == "aws configure"
    user.aws_configure(aws_access_key_id=KEYS[0], region=REGION)
    assert user.run("python -m launcher doctor", code=1) == "aws configure"
    assert "missing: aws_secret_access_key" in user.said
    user.aws_configure(aws_access_key_id=KEYS[0], aws_secret_access_key=KEYS[1], region=REGION)

    commands = ["python -m launcher doctor"]
    commands.append(user.run(commands[-1], code=1))
    commands.append(user.run(commands[-1]))
    commands.append(user.run(commands[-1]))
    as_in_ecr(user.project, _host_of(user.project))
    before = len(account.service.writes())
    commands.append(user.run(commands[-1]))
    assert account.service.writes()[before:] == []
    assert account.service.requests("CreateTrainingJob") == []
    user.run(f"{commands[-1]} --no-wait")
    assert commands == [
        "python -m launcher doctor",
        "python -m launcher.setup --write",
        "python -m launcher.push",
        "python -m launcher.submit --instance ml.g4dn.xlarge --dataset words --dry-run",
        "python -m launcher.submit --instance ml.g4dn.xlarge --dataset words",
    ]
    created = [each.body for each in account.service.requests("CreateTrainingJob") if not each.error]
    assert [each["AlgorithmSpecification"]["TrainingImage"] for each in created] == [_noted(user.project)]
    assert "problem" not in user.said
    # doctor says the same as submit, and the way on.
    assert user.run("python -m launcher doctor") == commands[3]
    assert not re.search(r"^problem", user.said, re.MULTILINE)


def _may(*who: str, account: AnAccount) -> dict[str, object]:
    policies = [policy(one, account.names)["Statement"] for one in who]
    statements = [each | {"Sid": f"{each['Sid']}{n}"} for n, those in enumerate(policies) for each in those]
    return {"Version": "2012-10-17", "Statement": statements}


def _noted(project: Path) -> str:
    (devices,) = json.loads((project / ".images.json").read_text()).values()
    return str(devices["gpu"][f"{ACCOUNT}/{REGION}"]["uri"])


def _host_of(project: Path) -> str:
    return _noted(project).partition("/")[0]


# ---------------------------------------------------------------- stumbling blocks, each mended by what is said
@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AnAccount]:
    with an_account(monkeypatch, tmp_path, quotas={"ml.g4dn.xlarge for training job usage": 0}) as found:
        found.grant(_may(OWNER, USER, account=found))
        yield found


def next_of(capsys: pytest.CaptureFixture[str], command: str, code: int | None = 1) -> str:
    """What a command line, run in this process, says to do next."""
    _, _, module, *words = shlex.split(command)
    capsys.readouterr()
    assert importlib.import_module(module).main(words) == (code if code is not None else 0)
    found = NEXT.findall(capsys.readouterr().err)
    return found[-1] if found else ""


def test_what_stands_in_the_way_in_an_account_names_what_mends_it(
    account: AnAccount, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    look = "python -m launcher.doctor"
    # no region: one is chosen with the command that is shown, and the next one keeps it
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    again = next_of(capsys, look)
    assert again == f"python -m launcher.doctor --region {REGION}"
    make = next_of(capsys, again)
    assert make == f"python -m launcher.setup --write --region {REGION}"
    # a role that does not trust SageMaker, a bucket far away
    file = account.folder / "launcher.yml"
    far = account.service.own_client("s3", "eu-west-1")
    far.create_bucket(Bucket="far-away", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    account.client("iam").create_role(RoleName="of-ec2", AssumeRolePolicyDocument=document)
    file.write_text(f"region: {REGION}\nbucket: far-away\nrole: of-ec2\n")
    make = next_of(capsys, look)
    assert make == f"python -m launcher.setup --write --bucket {account.names.bucket}"
    next_of(capsys, make, code=0)
    make = next_of(capsys, look)
    assert make == f"python -m launcher.setup --write --role {account.names.role}"
    push = next_of(capsys, make, code=0)
    assert f"bucket: {account.names.bucket}\nrole: {account.names.role}\n" in file.read_text()
    assert next_of(capsys, look) == push  # the image is what is missing now
    uri = account.push()
    # no quota: where one is asked for
    step = next_of(capsys, f"{look} --image-uri {uri}")
    assert step.startswith(f"quota: request 1 at https://{REGION}.console.aws.amazon.com/servicequotas/home/services/")
    assert "or try --spot" in step
    ready = next_of(capsys, f"{look} --image-uri {uri} --spot", code=0)
    assert ready == "python -m data_preparation demo --output-dir demo_digits --kinds digits"  # no dataset is here
    (account.folder / "words").mkdir()
    for name in ("train.txt", "dict.txt"):
        (account.folder / "words" / name).write_text("")
    ready = next_of(capsys, f"{look} --image-uri {uri} --spot", code=0)
    assert ready == (
        f"python -m launcher.submit --instance ml.g4dn.xlarge --image-uri {uri} --spot --dataset words --dry-run"
    )


def test_setup_that_is_not_allowed_names_the_policy(account: AnAccount, capsys: pytest.CaptureFixture[str]) -> None:
    account.service.fail("CreateBucket", DENIED)
    next_of(capsys, "python -m launcher.setup --write")
    assert importlib.import_module("launcher.setup").main(["--write"]) == 1
    assert "docs/iam/setup.json has all that setup needs" in capsys.readouterr().err


def test_what_is_wrong_with_credentials_names_what_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use_no_aws(monkeypatch)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_REGION", REGION)
    config = tmp_path / "config"
    config.write_text(
        f"[profile corp]\nsso_session = corp\nsso_account_id = {ACCOUNT}\nsso_role_name = dev\nregion = {REGION}\n"
        "[sso-session corp]\nsso_start_url = https://corp.awsapps.com/start\nsso_region = us-east-1\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    look = "python -m launcher.doctor"
    assert next_of(capsys, look) == "aws configure"
    assert next_of(capsys, f"{look} --profile wrok") == "aws configure --profile wrok"
    assert doctor.main(["--profile", "wrok"]) == 1
    assert "name one of corp with --profile" in " ".join(capsys.readouterr().err.split())
    assert next_of(capsys, f"{look} --profile corp") == "aws sso login --profile corp"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEYS[0])
    assert next_of(capsys, look) == "unset AWS_ACCESS_KEY_ID"
    # A region that is misspelt cannot be reached: its name is what is wrong, not the network.
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEYS[1])
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_REGION", "ap-southeats-1")
    assert next_of(capsys, look) == "python -m launcher.doctor --region ap-southeast-1"


@pytest.mark.parametrize("verb", ["doctor", "setup", "submit", "watch"])
def test_without_boto3_the_command_that_installs_it_is_named(verb: str, tmp_path: Path) -> None:
    """As after `make smoke`: training on this machine needs none of it."""
    words = {"submit": ["--instance", "ml.g4dn.xlarge"], "watch": ["lines"]}.get(verb, [])
    blocked = "import sys\nsys.modules |= dict.fromkeys(('boto3', 'botocore', 'docker', 'sagemaker'))"
    code = f"{blocked}\nfrom launcher import {verb}\nraise SystemExit({verb}.main({words}))"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert "boto3 is not installed here" in done.stderr
    assert "bash setup.sh --launch" in done.stderr
    assert "Traceback" not in done.stderr


def test_keys_of_the_environment_that_have_expired_are_not_sent_to_sign_in(
    account: AnAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    """They win over every sign-in."""
    account.service.fail("*", EXPIRED_TOKEN)
    assert doctor.main([]) == 1
    assert "fresh AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN" in capsys.readouterr().err
