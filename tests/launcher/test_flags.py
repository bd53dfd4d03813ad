"""Flags and exit codes that all verbs share, and those of submit that travel in the request: what each one does."""

from __future__ import annotations

import importlib
import io
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contract.hyperparameters import TABLE
from launcher.cloud.request import build_request
from launcher.cloud.submission import _Submission
from launcher.flags import SUBMIT, TUNING, VERBS
from launcher.image_settings import load_image_settings
from launcher.images.image import ImageSpec
from launcher.settings import load_settings
from launcher.sources import gather
from tests.launcher.cloud_plans import cloud_settings, planned
from tests.service import EXPIRED_TOKEN, REGION, Service, scripted_service

OF_AWS = [name for name, verb in VERBS.items() if "region" in verb.by_key]


def words_for(name: str) -> list[str]:
    """What a verb has to be given."""
    named = VERBS[name].by_key.get("named")
    if name == "submit":
        data = ["--dataset", "s3://my-bucket/words/", "--bucket", "my-bucket"]
        return ["--instance", "ml.g4dn.xlarge", *data, "--run", "lines"]
    return [] if named is None else ["lines", "words"] if named.many else ["lines"]


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with scripted_service(speed=0) as running:
        yield running


@pytest.fixture
def aws(service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Service]:
    """AWS as this process sees it."""
    for name in list(os.environ):
        if name.startswith("AWS_") and name != "AWS_CA_BUNDLE":
            monkeypatch.delenv(name)
    for name, value in service.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    service.recorded.clear()
    yield service
    service.heal()


def call(name: str, *words: str) -> int:
    return int(importlib.import_module(f"launcher.{name}").main([*words_for(name), *words]))


# ---------------------------------------------------------------- of all verbs that ask AWS
@pytest.mark.parametrize("name", OF_AWS)
def test_region_and_profile_say_where_and_who(
    name: str, aws: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keys = tmp_path / "credentials"
    keys.write_text("[work]\naws_access_key_id = AKIAWORK\naws_secret_access_key = x\n")
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(keys))
    aws.fail("GetCallerIdentity", EXPIRED_TOKEN)  # it is the first question: that ends the call
    assert call(name, "--region", "us-west-2", "--aws-profile", "work") == 1
    asked = aws.requests()[0]
    assert (asked.operation, asked.region, asked.key) == ("GetCallerIdentity", "us-west-2", "AKIAWORK")


@pytest.mark.parametrize("name", OF_AWS)
def test_expired_credentials_are_1_and_an_object_with_json(
    name: str, aws: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.fail("*", EXPIRED_TOKEN)
    assert call(name, "--json") == 1
    out, err = capsys.readouterr()
    assert "the AWS credentials have expired" in err
    assert isinstance(json.loads(out), dict)
    assert "Traceback" not in err
    assert aws.writes() == []


@pytest.mark.parametrize("name", OF_AWS)
def test_ctrl_c_is_130_and_an_object_with_json(name: str, aws: Service, capsys: pytest.CaptureFixture[str]) -> None:
    """While AWS is asked for the first time."""
    aws.delay("GetCallerIdentity", 3)

    def press() -> None:
        give_up = time.monotonic() + 20
        while not aws.requests("GetCallerIdentity") and time.monotonic() < give_up:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    assert call(name, "--json") == 130
    thread.join()
    out, err = capsys.readouterr()
    assert json.loads(out)["exit_code"] == 130
    assert len(out.splitlines()) == 1
    assert "Traceback" not in err
    assert aws.writes() == []


@pytest.mark.parametrize("name", VERBS)
def test_another_settings_file_may_be_named(name: str, tmp_path: Path) -> None:
    (tmp_path / "launcher.yml").write_text("unknown_key: 1\n")  # that of the folder is not read then
    (tmp_path / "other.yml").write_text("region: us-west-2\nnetwork: none\n")
    given = gather(VERBS[name], [*words_for(name), "--config-file=other.yml"], {}, tmp_path)
    key = "network" if name == "build" else "region"
    assert given[key].origin == "other.yml"


@pytest.mark.parametrize("name", VERBS)
def test_every_setting_of_every_verb_may_come_from_file_and_environment(name: str, tmp_path: Path) -> None:
    """The flag wins over the variable, and that over the file."""
    verb = VERBS[name]
    for flag in (flag for flag in verb.flags if flag.saved):
        value = "true" if not flag.metavar else "a=1" if flag.metavar == "KEY=VALUE" else "a"
        (tmp_path / "launcher.yml").write_text(f"{flag.key}: {value}\n")
        of_file = gather(verb, words_of_others(name, flag.flags), {}, tmp_path)
        assert of_file[flag.key].origin == "launcher.yml"
        if flag.variable:
            of_variable = gather(verb, words_of_others(name, flag.flags), {flag.variable: value}, tmp_path)
            assert of_variable[flag.key].origin == f"environment {flag.variable}"
        for alias in flag.flags:
            spelled = [alias] if not flag.metavar else [f"{alias}={value}"] if alias[1] == "-" else [alias, value]
            variable = {flag.variable: value} if flag.variable else {}
            by_flag = gather(verb, [*words_of_others(name, flag.flags), *spelled], variable, tmp_path)[flag.key]
            assert by_flag.origin.endswith(f"flag {flag.flags[0]}")
            if alias == flag.off:
                assert by_flag.raw == "false"


def words_of_others(name: str, flags: tuple[str, ...]) -> list[str]:
    """What the verb needs, without these flags."""
    words = words_for(name)
    return [
        word
        for n, word in enumerate(words)
        if word not in flags and not (n and words[n - 1].startswith("--") and words[n - 1] in flags)
    ]


# ---------------------------------------------------------------- of submit
VALUES = {"amp": "false", "processes": "1", "input_pipeline": "paddleocr", "learning_rate": "1e-4"}


@pytest.mark.parametrize(
    "row", [row for row in TABLE if row.name not in ("config", "run_id")], ids=lambda row: row.name
)
def test_each_hyperparameter_travels_as_it_is_written(row: Any) -> None:
    value = VALUES.get(row.name, "7")
    request = build_request(planned(row.flag, value))
    assert request["HyperParameters"][row.name] == value


def test_every_flag_for_tuning_is_one_of_the_contract() -> None:
    assert {flag.key for flag in SUBMIT.flags if flag.group == TUNING} | {"config", "run_id"} == {r.name for r in TABLE}


@pytest.mark.parametrize(
    ("long", "short"),
    [
        (("--instance", "ml.g5.xlarge"), ("--instance-type", "ml.g5.xlarge")),
        (("-o", "Optimizer.lr.name=Const"), ("--override", "Optimizer.lr.name=Const")),
        (("--run", "words"), ("--run-id", "words")),
        (("--no-wait",), ("--detach",)),
        (("--yes",), ("-y",)),
        (("--profile", "work"), ("--aws-profile", "work")),
    ],
)
def test_names_that_mean_the_same(long: tuple[str, ...], short: tuple[str, ...]) -> None:
    one, other = cloud_settings(*long), cloud_settings(*short)
    assert one.cloud == other.cloud != cloud_settings("--run", "nobody", "--instance", "ml.m5.large").cloud
    assert (one.overrides, one.run) == (other.overrides, other.run)


@pytest.mark.parametrize(("flags", "answer", "goes_on"), [(("--yes",), "n", True), ((), "n", False), ((), "y", True)])
def test_yes_answers_the_question(
    flags: tuple[str, ...], answer: str, goes_on: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal(f"{answer}\n"))
    monkeypatch.setattr("sys.stderr", Terminal())
    assert _Submission(cloud_settings(*flags), None)._is_confirmed() is goes_on


def test_switches_have_their_opposite(tmp_path: Path) -> None:
    (tmp_path / "launcher.yml").write_text("network_isolation: true\nspot: true\n")
    for flags, isolated, spot in (
        ((), True, True),
        (("--no-network-isolation",), False, True),
        (("--no-spot",), True, False),
        (("--no-spot", "--spot"), True, True),
    ):
        wanted = cloud_settings(*flags, folder=tmp_path).cloud
        assert wanted is not None
        assert (wanted.network_isolation, wanted.spot) == (isolated, spot)


def test_values_may_hold_signs_and_scripts_of_all_kinds(tmp_path: Path) -> None:
    flags = ("--tags", "a=b=c", "--env", "WORDS=ก ข = ค", "-o", "Global.character_dict_path=ไทย=.txt")
    settings = cloud_settings(*flags, "--dataset", "ข้อมูล/words ก", folder=tmp_path)
    assert settings.cloud is not None
    assert settings.cloud.tags == (("a", "b=c"),)
    assert settings.env == (("WORDS", "ก ข = ค"),)
    assert settings.overrides == (("Global.character_dict_path", "ไทย=.txt"),)
    assert settings.dataset == tmp_path / "ข้อมูล/words ก"


def test_the_root_of_a_bucket_is_a_prefix(tmp_path: Path) -> None:
    (tmp_path / "launcher.yml").write_text("prefix: /\n")
    wanted = cloud_settings(folder=tmp_path).cloud
    assert wanted is not None
    assert wanted.prefix == ""
    assert (
        build_request(planned("--prefix", "/"))["CheckpointConfig"]["S3Uri"] == "s3://my-bucket/runs/lines/checkpoints/"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("epochs: [1, 2]\n", "launcher.yml: epochs must be a single value"),
        ("epochs: many\n", "epochs must be a whole number"),
        ("spot: perhaps\n", "--spot is true or false"),
        ("tags: {team: {a: b}}\n", "launcher.yml: tags must be a mapping or a list"),
        ("max_run: 12\n", "--max-run: a duration"),
        ("instance_count: 1.5\n", "--instance-count is a whole number"),
        ("regoin: x\n", "launcher.yml: unknown key 'regoin': did you mean 'region'?"),
        ("dry_run: true\n", "launcher.yml: unknown key 'dry_run'"),
    ],
)
def test_a_wrong_type_in_the_file_is_one_sentence(tmp_path: Path, text: str, words: str) -> None:
    from contract.errors import UserError

    (tmp_path / "launcher.yml").write_text(text)
    with pytest.raises(UserError) as caught:
        load_settings(["--instance", "ml.g4dn.xlarge"], {}, tmp_path)
    assert words in str(caught.value)


# ---------------------------------------------------------------- of build and push
@pytest.mark.parametrize("verb", ["build", "push"])
def test_sources_of_a_build_become_arguments_of_the_dockerfile(verb: str, tmp_path: Path) -> None:
    flags = {
        "--debian-mirror": "https://debian.example/debian",
        "--paddle-index": "https://paddle.example/stable/",
        "--cuda-repository": "https://cuda.example/repos",
    }
    argv = [word for pair in flags.items() for word in pair]
    settings = load_image_settings(verb, ["--device", "gpu", *argv], {}, tmp_path)
    assert settings.debian_mirror == flags["--debian-mirror"]
    assert settings.paddle_index == "https://paddle.example/stable"
    assert settings.cuda_repository == flags["--cuda-repository"]
    assert (settings.network, settings.cuda) == ("host", "cu126")
    spec = ImageSpec("gpu", "cu126", settings.tree, "3.7.0", "", "", "debian:bookworm-slim", "", "gpu.lock", "0a")
    arguments = spec.arguments(settings.debian_mirror, settings.paddle_index, settings.cuda_repository)
    assert arguments["DEBIAN_MIRROR"] == settings.debian_mirror
    assert arguments["PADDLE_INDEX"] == settings.paddle_index
    assert arguments["CUDA_REPOSITORY"] == settings.cuda_repository


def test_push_knows_where(tmp_path: Path) -> None:
    flags = ["--repository", "mine", "--tag", "v1", "--region", REGION, "--profile", "work"]
    settings = load_image_settings("push", flags, {}, tmp_path)
    assert (settings.repository, settings.tag, settings.region, settings.profile) == ("mine", "v1", REGION, "work")
