"""`submit --instance ml.…` from the first question to the last line, on the scripted service."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from data_preparation.scripts import create_demo_data
from launcher import submit
from launcher.cloud.permissions import ROLE, USER, Names, policy, trust_policy
from tests.launcher.an_account import ACCOUNT, REPOSITORY, AnAccount, an_account
from tests.launcher.following import TWICE_INTERRUPTED, ServiceClock
from tests.launcher.running import RECIPE, ROOT, wait_for
from tests.service import (
    CONNECTION_RESET,
    DENIED,
    EXPIRED_TOKEN,
    REGION,
    SERVER_ERROR,
    THROTTLED,
    Refusal,
    Timeline,
    capacity_error,
    completed,
    curve,
    failed,
    pending,
    starting,
    timeline,
    training,
)

BUCKET, ROLE_NAME = "my-bucket", "ocr-train-exec"
NAMES = Names(ACCOUNT, REGION, BUCKET, "ocr", ROLE_NAME, REPOSITORY)
SHORT = timeline(starting(5), pending(60), training(60, curve(1, 30)), completed())


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound dataset of 20 words."""
    folder = tmp_path_factory.mktemp("data") / "words"
    assert create_demo_data.main(["--output-dir", str(folder), "--count", "20"]) == 0
    return folder


@dataclass
class Cloud:
    """An account in which a job can be submitted, with the policies of docs/iam and nothing more."""

    account: AnAccount
    image: str

    @property
    def service(self) -> Any:
        return self.account.service

    def flags(self, *flags: str) -> list[str]:
        return ["--instance", "ml.g4dn.xlarge", "--config", RECIPE, "--run", "lines", "--spot", *flags]

    def submit(self, *flags: str) -> int:
        return submit.main(self.flags(*flags), clock=ServiceClock(self.service))

    def start(self, *flags: str, **options: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "launcher.submit", *self.flags(*flags)],
            cwd=self.account.folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            text=True,
            **({"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options),
        )

    @property
    def created(self) -> list[dict[str, Any]]:
        return [each.body for each in self.service.requests("CreateTrainingJob") if not each.error]

    def objects(self, bucket: str = BUCKET) -> list[str]:
        listed = self.account.client("s3").list_objects_v2(Bucket=bucket)
        return [each["Key"] for each in listed.get("Contents", [])]


@pytest.fixture
def cloud(words: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    # The SDK checks our constant settings 22 times a job, for two seconds; test_cloud_requests.py lets it.
    monkeypatch.setattr("jsonschema.validate", lambda *_: None)
    with an_account(monkeypatch, tmp_path, speed=0) as account:
        account.service.plan(SHORT)
        image = account.make_ready(BUCKET, ROLE_NAME)
        shutil.copytree(words, tmp_path / "words")
        (tmp_path / "launcher.yml").write_text(
            f"dataset: words\nbucket: {BUCKET}\nrole: {ROLE_NAME}\nimage_uri: {image}\n"
        )
        yield Cloud(account, image)


# ---------------------------------------------------------------- the way it goes
def test_from_a_dataset_to_a_finished_job(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    cloud.service.plan(TWICE_INTERRUPTED)
    assert cloud.submit("--epochs", "3") == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    request = cloud.created[0]
    assert request["AlgorithmSpecification"]["TrainingImage"] == cloud.image
    assert request["RoleArn"] == f"arn:aws:iam::{ACCOUNT}:role/{ROLE_NAME}"
    training_uri = request["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"]
    assert training_uri.startswith(f"s3://{BUCKET}/ocr/datasets/words/")
    assert f"{training_uri.removeprefix(f's3://{BUCKET}/')}manifest.json" in cloud.objects()
    text = captured.err
    assert "run          lines: new" in text
    assert "is submitted: https://ap-southeast-1.console.aws.amazon.com" in text
    assert "interrupted 2 times" in text
    assert "run lines is done" in text
    assert "problem:" not in text
    assert "unknown:" not in text


def test_the_same_run_again_is_followed_and_then_finished_and_never_paid_twice(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cloud.submit("--no-wait") == 0
    uploaded = len(cloud.service.requests("PutObject"))
    assert cloud.submit("--epochs", "7") == 0  # follows it to its end
    text = capsys.readouterr().err
    assert "is running already, as job lines-" in text
    assert "note: it trains without epochs=7: to change that, `python -m launcher.stop lines` first" in text
    assert cloud.submit() == 0
    assert "nothing to do: lines-" in capsys.readouterr().err
    assert cloud.submit("--resume", "lines", "--json") == 0
    assert json.loads(capsys.readouterr().out)["status"] == "Completed"
    assert len(cloud.created) == 1
    assert len(cloud.service.requests("PutObject")) == uploaded
    assert cloud.submit("--epochs", "7", "--no-wait") == 0  # that is more training
    assert "continues after lines-" in capsys.readouterr().err
    first, second = cloud.created
    assert first["CheckpointConfig"] == second["CheckpointConfig"]
    assert first["TrainingJobName"] != second["TrainingJobName"]
    assert len(cloud.service.requests("PutObject")) == uploaded  # the data is there


def test_starting_over_takes_other_checkpoints_and_a_resume_stays_with_them(cloud: Cloud) -> None:
    assert cloud.submit() == 0
    assert cloud.submit("--fresh") == 0
    assert cloud.submit("--resume", "lines", "--epochs", "9") == 0
    first, fresh, resumed = (each["CheckpointConfig"]["S3Uri"] for each in cloud.created)
    assert first == f"s3://{BUCKET}/ocr/runs/lines/checkpoints/"
    assert fresh.startswith(f"s3://{BUCKET}/ocr/runs/lines/checkpoints-")
    assert resumed == fresh


def test_a_job_is_repeated_as_a_new_run(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    assert cloud.submit("--epochs", "3", "-o", "Optimizer.lr.name=Const", "--env", "A=b") == 0
    job = cloud.created[0]["TrainingJobName"]
    (cloud.account.folder / "launcher.yml").write_text("epochs: 99\ndataset: gone\n")
    assert submit.main(["--from-job", job, "--no-wait", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    first, again = cloud.created
    assert result["run"] == again["HyperParameters"]["run_id"] != "lines"
    assert again["CheckpointConfig"]["S3Uri"] == f"s3://{BUCKET}/ocr/runs/{result['run']}/checkpoints/"
    for key in ("AlgorithmSpecification", "InputDataConfig", "Environment", "ResourceConfig", "StoppingCondition"):
        assert again[key] == first[key]
    assert {**again["HyperParameters"], "run_id": "lines"} == first["HyperParameters"]
    assert submit.main(["--from-job", "nothing", "--no-wait"]) == 1
    assert "there is no run and no job 'nothing'" in capsys.readouterr().err


def test_a_run_is_resumed_from_anywhere_with_its_name_alone(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    assert cloud.submit("--epochs", "3", "-o", "Optimizer.lr.name=Const", "--max-run", "2h") == 0
    (cloud.account.folder / "launcher.yml").write_text("max_run: 3h\n")
    assert submit.main(["--resume", "lines", "--epochs", "9", "--no-wait"]) == 0
    assert "note         the image is that of lines-" in capsys.readouterr().err
    first, second = cloud.created
    for key in ("AlgorithmSpecification", "InputDataConfig", "ResourceConfig", "CheckpointConfig", "RoleArn"):
        assert second[key] == first[key]
    assert second["HyperParameters"] == first["HyperParameters"] | {"epochs": "9"}
    assert second["StoppingCondition"]["MaxRuntimeInSeconds"] == 3 * 3600
    assert submit.main(["--resume", "nothing", "--no-wait"]) == 1
    assert "there is no run and no job 'nothing'" in capsys.readouterr().err


def test_a_run_of_this_machine_is_not_looked_for_unsaid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.chdir(tmp_path)
    assert submit.main(["--resume", "lines"]) == 1
    assert "a run of this machine is resumed with its --instance" in capsys.readouterr().err


def of_the_channel(cloud: Cloud, job: int, channel: str) -> list[str]:
    """The objects that a channel of a job has."""
    source = next(each for each in cloud.created[job]["InputDataConfig"] if each["ChannelName"] == channel)
    place = source["DataSource"]["S3DataSource"]["S3Uri"].removeprefix(f"s3://{BUCKET}/")
    return sorted(key.removeprefix(place) for key in cloud.objects() if key.startswith(place))


def test_a_recipe_and_weights_of_ones_own_travel_once(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    folder = cloud.account.folder
    (folder / "own.yml").write_text((ROOT / "configs" / RECIPE).read_text() + "\n# mine\n")
    (folder / "weights").mkdir()
    (folder / "weights/start.pdparams").write_bytes(b"weights")
    flags = ("--config", "own.yml", "--pretrained", "weights", "--validation", "words")
    assert cloud.submit(*flags) == 0
    assert cloud.submit(*flags, "--run", "second", "--no-wait") == 0
    first, second = cloud.created
    assert first["InputDataConfig"] == second["InputDataConfig"]
    uris = {
        each["ChannelName"]: each["DataSource"]["S3DataSource"]["S3Uri"].removeprefix(f"s3://{BUCKET}/")
        for each in first["InputDataConfig"]
    }
    assert first["HyperParameters"]["config"] == "/opt/ml/input/data/recipe/own.yml"
    assert sorted(uris) == ["pretrained", "recipe", "training", "validation"]
    assert {f"{uris['recipe']}own.yml", f"{uris['pretrained']}start.pdparams"} <= set(cloud.objects())
    assert "recipe: own.yml is in S3 already" in capsys.readouterr().err
    (folder / "weights/start.pdparams").rename(folder / "weights/v1.pdparams")
    assert cloud.submit(*flags, "--run", "third", "--no-wait") == 0
    assert of_the_channel(cloud, 2, "pretrained") == ["v1.pdparams"]
    for characters in ("0\n", "0\n1\n"):
        (folder / "weights/dict.txt").write_text(characters)
        assert cloud.submit(*flags, "--run", f"with{len(characters)}", "--no-wait") == 0
    assert of_the_channel(cloud, 3, "pretrained") == of_the_channel(cloud, 4, "pretrained")
    assert of_the_channel(cloud, 3, "pretrained") == ["dict.txt", "v1.pdparams"]
    assert cloud.created[3]["InputDataConfig"] != cloud.created[4]["InputDataConfig"], (
        "another dictionary, another place"
    )
    for cloud.service.hides_missing in (False, True):
        none = f"s3://{BUCKET}/ocr/none.yml"
        assert cloud.submit("--from-job", first["TrainingJobName"], "--no-wait", "--config", none) == 1
        assert f"there is no recipe {none}" in capsys.readouterr().err


def test_a_dataset_in_s3_is_used_where_it_lies(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    s3, folder = cloud.account.client("s3"), cloud.account.folder
    for path in (folder / "words").rglob("*"):
        if path.is_file():
            s3.upload_file(str(path), BUCKET, f"ocr/mine/{path.relative_to(folder / 'words').as_posix()}")
    s3.upload_file(str(ROOT / "configs" / RECIPE), BUCKET, "ocr/mine/its-own.yml")
    assert cloud.submit("--dataset", f"s3://{BUCKET}/ocr/mine", "--config", "its-own.yml", "--no-wait") == 0
    assert cloud.service.requests("PutObject") == []
    assert cloud.created[0]["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] == f"s3://{BUCKET}/ocr/mine/"
    assert cloud.created[0]["HyperParameters"]["config"] == "its-own.yml"
    assert cloud.submit("--dataset", f"s3://{BUCKET}/ocr/empty", "--run", "x", "--no-wait") == 1
    assert "holds nothing" in capsys.readouterr().err
    s3.put_object(Bucket=BUCKET, Key="ocr/mine/dict.txt", Body=b"0\n1\n")
    assert cloud.submit("--dataset", f"s3://{BUCKET}/ocr/mine", "--run", "z", "--no-wait") == 1
    assert "dataset: s3://my-bucket/ocr/mine/: train.txt:" in capsys.readouterr().err
    wrong = ("-o", "Global.epochs=3", "--run", "y", "--no-wait")
    assert cloud.submit("--dataset", f"s3://{BUCKET}/ocr/mine", "--config", "its-own.yml", *wrong) == 1
    assert "unknown recipe key 'Global.epochs'" in capsys.readouterr().err


def test_without_waiting_the_next_commands_are_told(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    assert cloud.submit("--no-wait", "--json", "--region", REGION) == 0
    captured = capsys.readouterr()
    result = json.loads(captured.out)
    assert (result["run"], result["status"], result["exit_code"]) == ("lines", "InProgress", 0)
    assert f"watch        python -m launcher.watch lines --region {REGION}" in captured.err


# ---------------------------------------------------------------- permissions
def test_a_user_who_may_submit_these_runs_only(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    text = json.dumps(policy(USER, NAMES))
    cloud.account.grant(json.loads(text.replace("training-job/*", "training-job/lines-*")))
    assert cloud.submit("--no-wait") == 0
    assert "permissions:" not in capsys.readouterr().err
    assert cloud.submit("--no-wait", "--run", "other") == 1
    assert "may not do sagemaker:AddTags, sagemaker:CreateTrainingJob" in capsys.readouterr().err


def test_what_the_bucket_or_another_account_may_allow_stops_nobody(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    document = policy(ROLE, NAMES)
    document["Statement"] = [each for each in document["Statement"] if "s3:" not in str(each["Action"])]
    iam = cloud.account.client("iam")
    iam.put_role_policy(RoleName=ROLE_NAME, PolicyName="job", PolicyDocument=json.dumps(document))
    assert cloud.submit("--no-wait") == 0
    err = capsys.readouterr().err
    assert "unknown: role permissions: by its own policies" in err
    assert "may not do s3:ListBucket, s3:GetObject" in err
    denied = {"Sid": "No", "Effect": "Deny", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/*"}
    document["Statement"].append(denied)
    iam.put_role_policy(RoleName=ROLE_NAME, PolicyName="job", PolicyDocument=json.dumps(document))
    assert cloud.submit("--no-wait", "--run", "other") == 1
    assert "may not do s3:GetObject" in capsys.readouterr().err


def test_a_name_may_look_like_a_placeholder(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    name = "MY-BUCKET-ROLE"
    iam, names = cloud.account.client("iam"), replace(NAMES, role=name)
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust_policy(names)))
    iam.put_role_policy(RoleName=name, PolicyName="job", PolicyDocument=json.dumps(policy(ROLE, names)))
    cloud.account.grant(policy(USER, names))
    assert cloud.submit("--no-wait", "--role", name) == 0
    assert "unknown:" not in capsys.readouterr().err


def test_an_alias_names_no_key_of_a_volume(cloud: Cloud) -> None:
    kms = cloud.account.client("kms")
    arn = kms.create_key()["KeyMetadata"]["Arn"]
    kms.create_alias(AliasName="alias/ocr", TargetKeyId=arn)
    cloud.service.quotas["ml.m5.xlarge for spot training job usage"] = 1
    assert cloud.submit("--no-wait", "--instance", "ml.m5.xlarge", "--kms-key", "alias/ocr") == 0
    assert cloud.created[0]["ResourceConfig"]["VolumeKmsKeyId"] == arn
    assert cloud.created[0]["OutputDataConfig"]["KmsKeyId"] == "alias/ocr"


# ---------------------------------------------------------------- a dry run
def test_a_dry_run_asks_and_writes_nothing(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(cloud.account.folder.rglob("*"))
    assert cloud.submit("--dry-run", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert set(shown) == {"request", "plan"}
    assert cloud.service.writes() == []
    assert sorted(cloud.account.folder.rglob("*")) == before
    assert cloud.submit("--no-wait") == 0
    sent = cloud.created[0]
    same = {"TrainingJobName": ""}
    assert sent | same == shown["request"] | same
    assert cloud.submit("--dry-run") == 0
    captured = capsys.readouterr()
    assert "it will be followed, nothing is submitted" in captured.err
    assert json.loads(captured.out)["TrainingJobName"].startswith("lines-")


def test_a_dry_run_imports_neither_the_sdk_nor_what_looks_at_images(cloud: Cloud) -> None:
    """So it takes little CPU: benchmarks/command_line.py says how little."""
    for name in ("train.txt", "dict.txt"):
        cloud.account.client("s3").put_object(Bucket=BUCKET, Key=f"ocr/mine/{name}", Body=b"x")
    command = [sys.executable, "-X", "importtime", "-m", "launcher.submit"]
    done = subprocess.run(
        [*command, *cloud.flags("--dry-run", "--dataset", f"s3://{BUCKET}/ocr/mine")],
        cwd=cloud.account.folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "boto3" in imported
    assert imported & {"sagemaker", "numpy", "cv2", "docker", "paddle"} == set()


@pytest.mark.parametrize("fault", [EXPIRED_TOKEN, DENIED, None])
def test_a_dry_run_without_aws_shows_what_it_can(
    cloud: Cloud, fault: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if fault:
        cloud.service.fail("GetCallerIdentity", fault)
    else:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    arn = f"arn:aws:iam::{ACCOUNT}:role/{ROLE_NAME}"
    assert cloud.submit("--dry-run", "--json", "--role", arn) == 0
    captured = capsys.readouterr()
    shown = json.loads(captured.out)
    assert shown["request"]["RoleArn"] == arn
    assert shown["plan"]["ladder"][0]["price"]["source"].startswith("fallback table")
    assert len(shown["plan"]["missing"]) == 1
    assert "asking AWS whose credentials these are" in shown["plan"]["missing"][0]
    assert cloud.submit() == 1
    assert cloud.created == []


# ---------------------------------------------------------------- a ladder
def test_a_ladder_moves_on_at_a_quota(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    cloud.service.quotas["ml.g4dn.xlarge for spot training job usage"] = 0
    assert cloud.submit("--instance", "ml.g4dn.xlarge,ml.g5.xlarge") == 0
    text = capsys.readouterr().err
    assert "SageMaker has no room for the job on ml.g4dn.xlarge" in text
    assert "moving on to ml.g5.xlarge" in text
    assert [each["ResourceConfig"]["InstanceType"] for each in cloud.created] == ["ml.g5.xlarge"]


@pytest.mark.parametrize(
    "no_machine",
    [
        timeline(starting(5), pending(600), capacity_error()),
        timeline(starting(5), pending(3600), completed()),  # --max-wait ends it before
    ],
)
def test_a_ladder_moves_on_without_capacity_with_the_same_checkpoints(
    cloud: Cloud, no_machine: Timeline, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.service.plan(no_machine, SHORT)
    times = ("--max-run", "20m", "--max-wait", "30m")
    assert cloud.submit("--instance", "ml.g4dn.xlarge,ml.g5.xlarge", *times, "--json") == 0
    captured = capsys.readouterr()
    first, second = cloud.created
    assert [each["ResourceConfig"]["InstanceType"] for each in (first, second)] == ["ml.g4dn.xlarge", "ml.g5.xlarge"]
    assert first["CheckpointConfig"] == second["CheckpointConfig"]
    assert "moving on to ml.g5.xlarge" in captured.err
    assert json.loads(captured.out)["job"] == second["TrainingJobName"]


def test_a_ladder_that_ends_in_the_middle_says_what_was(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    cloud.service.plan(timeline(starting(5), pending(60), capacity_error()))
    cloud.service.fail("CreateTrainingJob", Refusal("ResourceLimitExceeded", "The account-level limit is 0"), after=1)
    assert cloud.submit("--instance", "ml.g4dn.xlarge,ml.g5.xlarge", "--json") == 2
    captured = capsys.readouterr()
    assert "SageMaker has no room for the job on ml.g5.xlarge" in captured.err
    assert "goes on" not in captured.err
    assert json.loads(captured.out)["run"] == "lines"


def test_a_ladder_spends_the_limit_of_money_once(cloud: Cloud) -> None:
    no_machine = timeline(starting(5), pending(60), training(600, curve(1, 9, total=90)), capacity_error())
    cloud.service.plan(no_machine, SHORT)
    assert cloud.submit("--instance", "ml.g4dn.xlarge,ml.g4dn.2xlarge", "--no-spot", "--max-cost", "2") == 0
    first, second = (each["StoppingCondition"]["MaxRuntimeInSeconds"] for each in cloud.created)
    name = cloud.created[0]["TrainingJobName"]
    ended = cloud.account.client("sagemaker").describe_training_job(TrainingJobName=name)
    spent = 0.9205 / 3600 * ended["BillableTimeInSeconds"]
    assert spent > 0.1
    around_s = 600  # what is billed beside the training
    assert first == pytest.approx(2 / 0.9205 * 3600 - around_s, abs=2)
    assert second == pytest.approx((2 - spent) / 1.175 * 3600 - around_s, abs=2)


def test_a_ladder_stays_when_the_job_itself_fails(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    cloud.service.plan(timeline(training(60, curve(1, 9)), failed("AlgorithmError: disk full")))
    assert cloud.submit("--instance", "ml.g4dn.xlarge,ml.g5.xlarge") == 2
    assert len(cloud.created) == 1
    text = capsys.readouterr().err
    assert "moving on" not in text
    assert "python -m launcher.submit --resume lines --instance ml.g4dn.xlarge" in text  # with the flags of this call


def test_the_last_rung_has_no_next(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    cloud.service.quotas["ml.g4dn.xlarge for spot training job usage"] = 0
    assert cloud.submit() == 1
    assert "quota: ml.g4dn.xlarge for spot training job usage is 0" in capsys.readouterr().err
    assert cloud.service.writes() == []


# ---------------------------------------------------------------- what is refused
def test_problems_of_the_account_are_told_before_anything_is_sent(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    for flags, words in (
        (("--role", "nobody"), "there is no role nobody in account"),
        (("--bucket", "no-such-bucket"), "there is no bucket no-such-bucket"),
        (("--region", "us-west-2"), "is in ap-southeast-1 and the job in us-west-2"),
        (("--image-uri", cloud.image.partition("@")[0] + ":gone"), "is not in ECR"),
        (("--processes", "2"), "--processes 2: ml.g4dn.xlarge has 1 GPU: give 1 or less, or leave it out"),
        (("--resume", "never"), "--run lines and --resume never name two runs"),
    ):
        assert cloud.submit(*flags) == 1, flags
        assert words in capsys.readouterr().err
    assert cloud.service.writes() == []


def test_what_a_submission_lacks_is_one_sentence(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    (cloud.account.folder / "launcher.yml").write_text("dataset: words\n")
    for flags, words in (
        ((), "there is no bucket: run `python -m launcher.setup --write`"),
        (("--bucket", BUCKET, "--image-uri", cloud.image), "there is no execution role"),
    ):
        assert cloud.submit(*flags) == 1
        errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
        assert len(errors) == 1
        assert words in errors[0]
    assert cloud.service.writes() == []


def test_a_dataset_that_will_not_train_is_refused(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    (cloud.account.folder / "words/dict.txt").write_text("0\n1\n")
    assert cloud.submit("--json") == 1
    captured = capsys.readouterr()
    assert "dict.txt" in captured.err or "dictionary" in captured.err
    assert json.loads(captured.out)["status"] == "refused"
    assert cloud.service.writes() == []


def test_a_dataset_that_trains_with_other_settings_says_which(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    assert cloud.submit("--max-text-length", "1", "--dry-run") == 1
    text = capsys.readouterr().err
    flags = text.partition("with these flags the recipe takes it: ")[2].split()
    assert flags[0] == "-o"
    without_limit = cloud.submit("--dry-run", *flags)
    assert without_limit == 0


def test_the_role_of_a_notebook_and_of_the_environment_will_do(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from launcher.aws import Account
    from launcher.cloud.role import resolve_role

    monkeypatch.setenv("SAGEMAKER_ROLE", ROLE_NAME)
    (cloud.account.folder / "launcher.yml").write_text(f"dataset: words\nbucket: {BUCKET}\nimage_uri: {cloud.image}\n")
    assert cloud.submit("--dry-run") == 0
    assert json.loads(capsys.readouterr().out)["RoleArn"].endswith(f"role/{ROLE_NAME}")
    monkeypatch.delenv("SAGEMAKER_ROLE")

    class InANotebook(Account):
        def client(self, service: str, region: str = "") -> Any:
            return cloud.account.client(service)

    notebook = InANotebook(ACCOUNT, REGION, None, f"arn:aws:sts::{ACCOUNT}:assumed-role/{ROLE_NAME}/SageMaker")
    assert resolve_role(notebook, "", "setup") == f"arn:aws:iam::{ACCOUNT}:role/{ROLE_NAME}"
    someone = InANotebook(ACCOUNT, REGION, None, f"arn:aws:sts::{ACCOUNT}:assumed-role/{ROLE_NAME}/me")
    assert resolve_role(someone, "", "setup") == ""


def test_flags_that_mean_nothing_where_the_job_runs_are_named(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    assert cloud.submit("--dry-run", "--interrupt-after", "20s") == 0
    assert "note: --interrupt-after does nothing on SageMaker" in capsys.readouterr().err
    assert cloud.submit("--dry-run", "--instance", "process", "--bucket", BUCKET) == 0
    assert "note: --spot, --bucket does nothing on this machine" in capsys.readouterr().err


# ---------------------------------------------------------------- trouble while submitting
def test_a_lost_answer_makes_no_second_job(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    cloud.service.lose_answer("CreateTrainingJob")
    assert cloud.submit("--no-wait") == 0
    assert [each.error for each in cloud.service.requests("CreateTrainingJob")] == ["", "ResourceInUse"]
    assert len(cloud.service.jobs) == 1


def test_a_request_that_never_arrived_is_sent_again(cloud: Cloud) -> None:
    cloud.service.fail("CreateTrainingJob", CONNECTION_RESET, times=1)
    assert cloud.submit("--no-wait") == 0
    assert len(cloud.service.jobs) == 1


def test_a_job_that_may_exist_is_never_called_refused(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("launcher.cloud.creation.APPEARS_WITHIN_S", 0)
    cloud.service.lose_answer("CreateTrainingJob", times=1)
    cloud.service.fail("CreateTrainingJob", CONNECTION_RESET, after=1)
    cloud.service.fail("DescribeTrainingJob", CONNECTION_RESET)
    assert cloud.submit("--no-wait", "--json") == 2
    captured = capsys.readouterr()
    job = cloud.created[0]["TrainingJobName"]
    assert json.loads(captured.out) | {"reason": ""} == {
        "run": "lines", "job": job, "status": "unknown", "reason": "", "exit_code": 2,
    }  # fmt: skip
    assert f"whether the job {job} exists is not known" in captured.err
    assert "it may exist and be billed: python -m launcher.watch lines" in captured.err
    cloud.service.heal()
    assert cloud.submit("--no-wait") == 0  # the same again
    assert f"is running already, as job {job}" in capsys.readouterr().err
    assert len(cloud.service.jobs) == 1


def test_two_submissions_at_the_same_time_make_one_job(cloud: Cloud) -> None:
    """Neither sees the other's job when it looks: ListTrainingJobs shows it late."""
    both = [cloud.start("--no-wait") for _ in range(2)]
    outputs = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert len(cloud.service.jobs) == 1


def test_a_second_submission_with_other_settings_says_what_the_job_trains_without(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("launcher.cloud.submission.jobs_of_run", lambda *_: [])  # it does not see the first one
    assert cloud.submit("--no-wait") == 0
    assert cloud.submit("--no-wait", "--epochs", "7", "--no-spot", "--max-run", "2h") == 0
    assert len(cloud.service.jobs) == 1
    assert "note: it trains without epochs=7 spot=false max_run=2h: to change that" in capsys.readouterr().err


def test_following_a_job_says_what_data_it_has_not(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    assert cloud.submit("--no-wait") == 0
    shutil.copytree(cloud.account.folder / "words", cloud.account.folder / "more words")
    assert cloud.submit("--dataset", "more words", "--instance", "ml.g5.xlarge") == 0
    text = capsys.readouterr().err
    assert f"it trains without dataset={cloud.account.folder / 'more words'} instance=ml.g5.xlarge: " in text


def test_an_own_tag_does_not_take_the_place_of_ours(cloud: Cloud) -> None:
    assert cloud.submit("--no-wait", "--tags", "paddleocr-sagemaker:run=other", "--tags", "team=ocr") == 0
    tags = {each["Key"]: each["Value"] for each in cloud.created[0]["Tags"]}
    assert (tags["paddleocr-sagemaker:run"], tags["team"]) == ("lines", "ocr")


def test_a_retry_that_meets_its_own_job_is_no_error(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    from launcher.cloud import estimator

    def twice(account: Any, request: Any) -> None:  # as botocore does when the first answer is lost
        make(account, request)
        make(account, request)

    make = estimator.create_job
    monkeypatch.setattr(estimator, "create_job", twice)
    assert cloud.submit("--no-wait") == 0
    assert [each.error for each in cloud.service.requests("CreateTrainingJob")] == ["", "ResourceInUse"]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (DENIED, "AWS does not allow it"),
        (EXPIRED_TOKEN, "the AWS credentials have expired"),
        (SERVER_ERROR, "submitting the job"),
    ],
)
def test_a_refused_submission_is_one_sentence(
    cloud: Cloud, fault: Any, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("launcher.cloud.creation.APPEARS_WITHIN_S", 0)
    cloud.service.fail("CreateTrainingJob", fault)
    assert cloud.submit("--no-wait") == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("error: submitting the job lines-")
    assert said in last
    assert cloud.service.jobs == {}


def test_throttling_is_waited_out(cloud: Cloud) -> None:
    cloud.service.fail("CreateTrainingJob", THROTTLED, times=2)
    assert cloud.submit("--no-wait") == 0
    assert len(cloud.service.jobs) == 1


def test_a_run_that_somebody_else_has_started_meanwhile_is_followed(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from launcher.cloud import upload

    def slowly(*arguments: Any, **options: Any) -> Any:
        brought = bring(*arguments, **options)
        cloud.service.seed("lines-261122100000", SHORT, HyperParameters={"run_id": "lines", "config": RECIPE})
        return brought

    bring = upload.bring
    monkeypatch.setattr(upload, "bring", slowly)
    assert cloud.submit() == 0
    assert cloud.created == []
    assert "running already, as job lines-261122100000" in capsys.readouterr().err


# ---------------------------------------------------------------- Ctrl-C
def interrupt_when(
    cloud: Cloud, process: subprocess.Popen[str], operation: str, after: int = 1, sent: int = signal.SIGINT
) -> tuple[int, str, str]:
    """Ctrl-C, or another signal, as soon as the service has seen so many calls."""
    give_up = time.monotonic() + 120
    while len(cloud.service.requests(operation)) < after:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < give_up
        time.sleep(0.01)
    process.send_signal(sent)
    out, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    return process.returncode, out, err


def test_ctrl_c_while_asking_leaves_nothing(cloud: Cloud) -> None:
    cloud.service.delay("ListServiceQuotas", 20)
    code, _, err = interrupt_when(cloud, cloud.start(), "ListServiceQuotas")
    assert (code, err.splitlines()[-1]) == (130, "stopped: nothing was sent, nothing is billed")
    assert cloud.service.writes() == []


def test_ctrl_c_while_uploading_keeps_what_is_there(cloud: Cloud) -> None:
    cloud.service.delay("PutObject", 0.3)
    code, _, err = interrupt_when(cloud, cloud.start(), "PutObject", after=4)
    assert code == 130
    assert "no job was submitted; what is in S3 stays" in err.splitlines()[-1]
    assert cloud.created == []
    there = len(cloud.objects())
    cloud.service.heal()
    assert cloud.submit("--no-wait") == 0
    assert len(cloud.created) == 1
    assert there >= 3


def test_killed_while_uploading_or_submitting_the_same_again_goes_on(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    fast = 2  # the index and the shard; the label files hang
    cloud.service.delay("PutObject", 5, after=fast)
    killed = cloud.start()
    wait_for(lambda: len(cloud.objects()) == fast, 120)
    assert interrupt_when(cloud, killed, "PutObject", after=fast + 1, sent=signal.SIGKILL)[0] == -signal.SIGKILL
    there = cloud.objects()
    sent_before = len(cloud.service.requests("PutObject"))
    cloud.service.heal()
    cloud.service.delay("CreateTrainingJob", 1)
    assert interrupt_when(cloud, cloud.start(), "CreateTrainingJob", sent=signal.SIGKILL)[0] == -signal.SIGKILL
    # Nothing that was there is sent again; what was on its way when the first was killed may be.
    sent_later = {request.path for request in cloud.service.requests("PutObject")[sent_before:]}
    assert any(key.endswith("shards/00000.bin") for key in there)
    assert sent_later
    assert {f"/{BUCKET}/{key}" for key in there} & sent_later == set()
    wait_for(lambda: cloud.service.jobs)  # it had been on its way
    cloud.service.heal()
    assert cloud.submit("--no-wait") == 0
    assert "is running already, as job lines-" in capsys.readouterr().err
    assert len(cloud.created) == 1


def test_ctrl_c_while_submitting_finds_out_whether_there_is_a_job(cloud: Cloud) -> None:
    cloud.service.delay("CreateTrainingJob", 5)
    code, _, err = interrupt_when(cloud, cloud.start("--no-wait"), "CreateTrainingJob")
    assert code == 130
    assert len(cloud.service.jobs) == 1  # it had been on its way
    assert "stopped; the job goes on\n  watch        python -m launcher.watch lines" in err


def test_ctrl_c_before_a_job_is_asked_for_says_that_there_is_none(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from launcher.cloud import creation, estimator

    def stopped(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(estimator, "create_job", stopped)
    monkeypatch.setattr(creation, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(creation, "APPEARS_WITHIN_S", 0.02)
    assert cloud.submit("--json") == 130
    captured = capsys.readouterr()
    assert "was not submitted, nothing is billed" in captured.err
    assert json.loads(captured.out) == {"run": "lines", "job": None, "status": "stopped", "exit_code": 130}


def test_ctrl_c_while_following_leaves_the_job(cloud: Cloud) -> None:
    code, out, err = interrupt_when(cloud, cloud.start("--json"), "DescribeTrainingJob", after=3)
    assert code == 130
    assert json.loads(out)["exit_code"] == 130
    assert "the job goes on" in err
    assert "python -m launcher.watch lines" in err
    assert cloud.service.job().status == "InProgress"


# ---------------------------------------------------------------- the question
@pytest.mark.parametrize(("reply", "jobs"), [("y", 1), ("n", 0), ("", 0)])
def test_a_person_is_asked(cloud: Cloud, reply: str, jobs: int) -> None:
    ours, theirs = pty.openpty()
    process = cloud.start("--no-wait", stdin=theirs, stderr=theirs, stdout=subprocess.PIPE)
    os.close(theirs)
    seen = b""
    while b"Submit? [y/N]" not in seen:
        seen += os.read(ours, 4096)
    assert cloud.service.writes() == []
    os.write(ours, f"{reply}\n".encode())
    while process.poll() is None:
        try:
            seen += os.read(ours, 4096)
        except OSError:
            break
    process.communicate()
    os.close(ours)
    assert process.returncode == (0 if jobs else 1)
    assert len(cloud.service.jobs) == jobs
