"""What local mode is asked for, what is refused before it, and what is taken from it. The real thing: tests/docker/."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from contract.errors import UserError
from contract.paths import LIFELINE_VARIABLE
from launcher.interruption import Interruption
from launcher.plan import Plan, plan_run
from launcher.platforms.local_mode.checks import check_compose, check_folders, check_sdk, refused_prefixes
from launcher.platforms.local_mode.complaints import (
    SAYS_AFTER_COMPOSE,
    SAYS_BEFORE_COMPOSE,
    complaint_in,
    lines_to_keep,
    our_error_in,
    why_not_started,
)
from launcher.platforms.local_mode.compose import Compose
from launcher.platforms.local_mode.job import LocalModeJob, read_job, write_job
from launcher.platforms.local_mode.model import take_failure, take_model
from launcher.platforms.local_mode.request import build_job, sdk_environment
from launcher.platforms.platform import request_of
from launcher.settings import load_settings
from tests.launcher.running import call

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="local mode needs Linux or macOS")


ENGINE = {"MemTotal": 8 << 30, "SecurityOptions": ["name=seccomp,profile=default"]}


def plan(tmp_path: Path, *flags: str) -> Plan:
    return replace(plan_run(load_settings([*call(tmp_path, *flags), "--instance", "local"], {})), image="ours:tag")


def test_the_request_is_the_jobs_own_without_what_local_mode_refuses(tmp_path: Path) -> None:
    planned = plan(tmp_path, "--epochs", "3", "--env", "PRICE=$5", "--grace", "30s")
    job = build_job(planned, Path("/private/root"), ENGINE)
    assert job.request["AlgorithmSpecification"]["TrainingImage"] == "ours:tag"
    assert job.request["HyperParameters"] == {"config": "rec/demo_digits.yml", "run_id": "r", "epochs": "3"}
    assert job.request["Environment"] == {"PRICE": "$$5", "OCR_CHECKPOINTS": "/opt/ml/input/data/checkpoints"}
    assert "CheckpointConfig" not in job.request
    assert job.request["OutputDataConfig"] == {"S3OutputPath": "file:///private/root/output"}
    channels = {channel["ChannelName"]: channel["DataSource"] for channel in job.request["InputDataConfig"]}
    assert {name: source["FileDataSource"]["FileUri"] for name, source in channels.items()} == {
        "training": f"file://{tmp_path}/dataset",
        "checkpoints": f"file://{tmp_path}/out/r/checkpoints",
    }
    assert job.container_config["stop_grace_period"] == "30s"
    assert job.container_config["labels"] == {
        "paddleocr-sagemaker.job": job.id,
        "paddleocr-sagemaker.run": "r",
        "paddleocr-sagemaker.folder": f"{tmp_path}/out/r",
        "paddleocr-sagemaker.checkpoints": f"{tmp_path}/out/r/checkpoints",
    }
    assert job.container_config["shm_size"] == 4 << 30
    assert "userns_mode" not in job.container_config


def test_root_of_the_container_is_root_of_the_folders_where_the_engine_renames_users(tmp_path: Path) -> None:
    for options, mode in ((["name=userns"], "host"), (["name=rootless", "name=userns"], None), (None, None)):
        job = build_job(plan(tmp_path), tmp_path, ENGINE | {"SecurityOptions": options})
        assert job.container_config.get("userns_mode") == mode


def test_a_dry_run_shows_what_the_sdk_is_given(tmp_path: Path) -> None:
    planned = replace(plan(tmp_path, "--env", "A=1"), sends_recipe=True)
    shown = request_of(planned)
    private = shown["OutputDataConfig"]["S3OutputPath"].removeprefix("file://").removesuffix("/output")
    assert Path(private).parent == Path(tempfile.gettempdir()).resolve()
    assert not Path(private).exists()
    assert shown == build_job(planned, Path(private), ENGINE).request
    assert shown != request_of(replace(planned, interruptions=(Interruption(seconds=1),)))


def test_a_job_is_read_as_written_and_private(tmp_path: Path) -> None:
    job = build_job(plan(tmp_path), tmp_path, ENGINE)
    write_job(job, tmp_path / "job.json")
    assert read_job(tmp_path / "job.json") == job
    assert (tmp_path / "job.json").stat().st_mode & 0o777 == 0o600


def test_the_sdk_finds_no_credentials(tmp_path: Path) -> None:
    """The SDK's own Estimator and session, in the variables that its process gets."""
    home = tmp_path / "home"
    (home / ".aws").mkdir(parents=True)
    keys = "aws_access_key_id = K\naws_secret_access_key = S\n"
    (home / ".aws/credentials").write_text(f"[default]\n{keys}[other]\n{keys}")
    (home / ".boto").write_text(f"[Credentials]\n{keys}")
    theirs = {"AWS_PROFILE": "other", "AWS_ACCESS_KEY_ID": "K", "AWS_SECRET_ACCESS_KEY": "S", "COMPOSE_FILE": "x"}
    theirs |= {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9/", "AWS_ROLE_ARN": "arn", "HOME": str(home)}
    variables = sdk_environment(os.environ | theirs, tmp_path / "bin")
    assert variables["PATH"].split(os.pathsep)[0] == str(tmp_path / "bin")
    assert not set(theirs) - {"HOME"} & set(variables)
    file = tmp_path / "job.json"
    write_job(build_job(plan(tmp_path), tmp_path, ENGINE), file)
    code = (
        "import json, sys; from pathlib import Path\n"
        "from launcher.platforms.local_mode.sdk import build_estimator\n"
        "from launcher.platforms.local_mode.job import read_job\n"
        "from sagemaker.utils import _SENSITIVE_SYSTEM_PATHS\n"
        "estimator, inputs = build_estimator(read_job(Path(sys.argv[1])))\n"
        "session = estimator.sagemaker_session\n"
        "print(json.dumps([session.boto_session.get_credentials(), session.config, inputs, _SENSITIVE_SYSTEM_PATHS]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(file)],
        cwd=tmp_path,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    credentials, config, inputs, refused = json.loads(done.stdout.splitlines()[-1])
    assert credentials is None
    assert config["local"]["container_root"] == str(tmp_path)
    assert inputs["training"] == f"file://{tmp_path}/dataset"
    # and what it refuses to mount is what we refuse before it
    assert sorted(path.replace(str(home), str(Path.home())) for path in refused) == sorted(refused_prefixes())


@pytest.mark.parametrize(
    ("change", "flag"),
    [
        ({"channels": {"training": Path("/root/data")}}, "--dataset /root/data"),
        ({"channels": {"training": Path("/rootless")}}, "--dataset /rootless"),  # the SDK looks at letters, not folders
        ({"channels": {"validation": Path("/var/lib/x")}}, "--validation /var/lib/x"),
        ({"channels": {"pretrained": Path.home() / ".config/x"}}, f"--pretrained {Path.home()}/.config/x"),
        ({"checkpoints": Path("/etc/x")}, "--checkpoint-uri /etc/x"),
        ({"folder": Path("/root/out/r"), "checkpoints": Path("/root/out/r/checkpoints")}, "--output /root/out/r"),
    ],
)
def test_folders_that_the_sdk_refuses(tmp_path: Path, change: dict, flag: str) -> None:
    with pytest.raises(UserError) as error:
        check_folders(replace(plan(tmp_path), **change))
    message = str(error.value)
    assert message.startswith(flag)
    assert "mounts nothing below" in message
    assert "--instance process" in message
    assert "--interrupt-after" in message


@pytest.mark.parametrize("odd", ["a:b", "a$b", "a#b", "a?b", "a;b", "a\nb"])
def test_paths_that_would_be_mounted_wrongly(tmp_path: Path, odd: str) -> None:
    with pytest.raises(UserError, match="cannot mount a path with"):
        check_folders(replace(plan(tmp_path), channels={"training": tmp_path / odd}))


def test_ordinary_paths_are_fine(tmp_path: Path) -> None:
    check_folders(replace(plan(tmp_path), channels={"training": tmp_path / "ป้าย, 100% [new] (2)"}))


def test_temporary_files_lie_in_a_folder_that_can_be_mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a:b").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "a:b"))
    with pytest.raises(UserError, match="TMPDIR"):
        check_folders(plan(tmp_path))


@pytest.mark.parametrize("folder", ["/root/x", "/var/lib/x", "~/.config/x"])
def test_a_recipe_of_ones_own_is_not_handed_over_where_the_sdk_mounts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(Path(folder).expanduser()))
    check_folders(plan(tmp_path))  # without one, nothing of it is mounted as a channel
    with pytest.raises(UserError, match=r"\(TMPDIR\) .*/x, in which a recipe .* mounts nothing below"):
        check_folders(replace(plan(tmp_path), sends_recipe=True))


def test_compose_1_has_no_gpus() -> None:
    old, new = Compose("1.29.2", "docker", False), Compose("2.40.0", "docker", False)
    check_compose(old, "local")
    check_compose(new, "local_gpu")
    with pytest.raises(UserError, match=r"needs Docker Compose 2, and 1\.29\.2 is installed"):
        check_compose(old, "local_gpu")


@pytest.mark.parametrize("version", [None, "3.27.0"])
def test_the_sdk_is_there_and_is_version_2(version: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    check_sdk()

    def answer(name: str) -> str:
        if version is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(importlib.metadata, "version", answer)
    with pytest.raises(UserError, match=r"run bash setup\.sh --launch"):
        check_sdk()


def pack(archive: Path, *entries: tuple[tarfile.TarInfo, bytes]) -> Path:
    archive.parent.mkdir(exist_ok=True)
    with tarfile.open(archive, "w:gz") as tar:
        for entry, data in entries:
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return archive


def file(name: str, data: bytes = b"new") -> tuple[tarfile.TarInfo, bytes]:
    return tarfile.TarInfo(name), data


def special(name: str, kind: bytes, target: str = "") -> tuple[tarfile.TarInfo, bytes]:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry, b""


def old_model(tmp_path: Path) -> Path:
    model = tmp_path / "model"
    (model / "inference").mkdir(parents=True)
    for name in ("run.json", "gone.txt", "inference/old"):
        (model / name).write_text("old")
    return model


def content(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_a_complete_model_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    model = old_model(tmp_path)
    pack(
        tmp_path / "output/model.tar.gz",
        file("run.json"),
        special("inference", tarfile.DIRTYPE),
        file("inference/a"),
        file("dict.txt"),
    )
    take_model(tmp_path / "output", model)
    assert content(model) == {"run.json": "new", "inference/a": "new", "dict.txt": "new"}


@pytest.mark.parametrize("entries", [(), (file("dict.txt"),)])
def test_an_incomplete_model_changes_nothing(tmp_path: Path, entries: tuple) -> None:
    model = old_model(tmp_path)
    take_model(tmp_path / "output", model)  # there is no archive
    pack(tmp_path / "output/model.tar.gz", *entries)
    take_model(tmp_path / "output", model)
    assert content(model) == {"run.json": "old", "gone.txt": "old", "inference/old": "old"}


@pytest.mark.parametrize(
    "entry",
    [
        file("../outside"),
        file("/tmp/outside"),
        file("inference/../../outside"),
        special("link", tarfile.SYMTYPE, "/etc/passwd"),
        special("link", tarfile.LNKTYPE, "run.json"),
        special("pipe", tarfile.FIFOTYPE),
        special("device", tarfile.CHRTYPE),
    ],
)
def test_what_has_no_place_in_a_model_is_refused(tmp_path: Path, entry: tuple[tarfile.TarInfo, bytes]) -> None:
    model = old_model(tmp_path)
    pack(tmp_path / "output/model.tar.gz", file("run.json"), entry)
    with pytest.raises(OSError, match="has no place in a model"):
        take_model(tmp_path / "output", model)
    assert content(model) == {"run.json": "old", "gone.txt": "old", "inference/old": "old"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "output"]


def test_a_torn_archive_is_refused(tmp_path: Path) -> None:
    model = old_model(tmp_path)
    archive = pack(tmp_path / "output/model.tar.gz", file("run.json"), file("best", os.urandom(100_000)))
    archive.write_bytes(archive.read_bytes()[:50_000])
    with pytest.raises(OSError, match="the archive is damaged"):
        take_model(tmp_path / "output", model)
    assert content(model)["run.json"] == "old"


def test_why_the_job_failed(tmp_path: Path) -> None:
    failure = tmp_path / "failure"
    take_failure(tmp_path / "output", failure)
    pack(tmp_path / "output/output.tar.gz", special("data", tarfile.DIRTYPE))
    take_failure(tmp_path / "output", failure)
    assert not failure.exists()
    pack(tmp_path / "output/output.tar.gz", file("failure", "ดิสก์เต็ม\nmore".encode()))
    take_failure(tmp_path / "output", failure)
    assert failure.read_text() == "ดิสก์เต็ม\nmore"


GPU = (
    """ERROR: for x  Cannot start service algo-1: could not select device driver "nvidia" with capabilities: [[gpu]]"""
)


@pytest.mark.parametrize(
    ("compose", "sdk", "why"),
    [
        ("Creating x ... error\n\n" + GPU + "\nERROR: Encountered errors\n", "error: Failed to run", "has no GPU"),
        ("Error response from daemon: port is taken", "error: Failed to run", "(response from daemon: port is taken)"),
        ("Traceback\nTypeError: ssl_version", "error: Failed to run", "(TypeError: ssl_version)"),
        ("", "error: Failed to run", "(Failed to run)"),
        (None, "Killed", "(Killed)"),
        (None, "", "(without saying why)"),
    ],
)
def test_why_there_was_no_container(compose: str | None, sdk: str, why: str) -> None:
    ran = f"INFO:{SAYS_BEFORE_COMPOSE}docker-compose up\n{compose}{SAYS_AFTER_COMPOSE}see https\n"
    log = f"sagemaker.config INFO - defaults\n{'' if compose is None else ran}{sdk}\n" if sdk else ""
    assert why in why_not_started(complaint_in(log))


def run_sdk(job: LocalModeJob, folder: Path) -> str:
    """The SDK's own process on a machine with Compose, as far as it goes. What it prints."""
    (folder / "bin").mkdir()
    (folder / "bin/docker").write_text('#!/bin/sh\n[ "$1 $2" = "compose version" ] && echo v2.40.0\n')
    (folder / "bin/docker").chmod(0o755)
    write_job(job, folder / "job.json")
    lifeline, held = os.pipe()
    with (folder / "sdk.log").open("wb") as log:
        process = subprocess.run(
            [sys.executable, "-m", "launcher.platforms.local_mode.sdk", str(folder / "job.json")],
            env=sdk_environment(os.environ, folder / "bin") | {LIFELINE_VARIABLE: str(lifeline)},
            cwd=folder,
            stdout=log,
            stderr=log,
            pass_fds=[lifeline],
            check=False,
        )
    os.close(lifeline)
    os.close(held)
    assert process.returncode == 1
    return (folder / "sdk.log").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("training", "why"),
    [
        ("/etc/x", "Local Mode does not support mounting from restricted system paths. Got: /etc/x"),
        ("/no/such", "Invalid data source: /no/such does not exist."),
    ],
)
def test_why_the_sdk_failed_before_compose(tmp_path: Path, training: str, why: str) -> None:
    """The SDK's real log: an error of its own comes after the exception and only says where to read."""
    planned = replace(plan(tmp_path), channels={"training": Path(training)})
    text = run_sdk(build_job(planned, tmp_path, ENGINE), tmp_path)
    assert SAYS_AFTER_COMPOSE in text
    assert complaint_in(text) == our_error_in(text) == why
    assert f"({why}): --instance process" in why_not_started(complaint_in(text))
    assert "\n".join(lines_to_keep(text, container_ran=False)) == text.rstrip("\n")
    first, *_, last = lines_to_keep(text, container_ran=True)
    assert (first, last) == ("Traceback (most recent call last):", f"error: {why}")


def test_the_sdk_says_what_we_look_for() -> None:
    """The lines between which Compose speaks are still in the SDK's source."""
    package = importlib.util.find_spec("sagemaker")
    assert package
    assert package.origin
    logger, _, words = SAYS_BEFORE_COMPOSE.partition(":")
    assert logger == "sagemaker.local.image"
    source = Path(package.origin).with_name("local") / "image.py"
    assert f'"{words}%s"' in source.read_text(encoding="utf-8")
