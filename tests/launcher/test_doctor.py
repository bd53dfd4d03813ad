"""Checks before money, against the scripted service: what a new user sees, and what each check says."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from data_preparation.scripts import create_demo_data
from launcher import doctor, setup
from launcher.aws import open_account
from launcher.cloud.checks import Check, CheckRequest, problems_of, run_checks
from launcher.cloud.layout import S3Uri
from launcher.cloud.permissions import USER, policy
from launcher.cloud.probes.role import judge_trust, role_name
from launcher.cloud.pushed import push_command
from tests.launcher.an_account import ACCOUNT, HOST, REGION, REPOSITORY, AnAccount, an_account, single_image
from tests.launcher.aws_stand_in import use_no_aws
from tests.launcher.running import ROOT
from tests.service import DENIED, EXPIRED_TOKEN

RECIPE = "rec/demo_digits.yml"
WRITES_NOTHING = {
    *("GetCallerIdentity", "HeadBucket", "ListObjectsV2", "GetRole", "SimulatePrincipalPolicy", "BatchGetImage"),
    *("ListServiceQuotas", "ListAWSDefaultServiceQuotas", "GetProducts", "GetObject", "HeadObject"),
}


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AnAccount]:
    with an_account(monkeypatch, tmp_path) as found:
        yield found


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "digits"
    assert create_demo_data.main(["--output-dir", str(folder), "--kinds", "digits", "--count", "200"]) == 0
    return folder


def seen(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, dict[str, Any], dict[str, dict[str, str]], str]:
    """Exit code, the JSON, its checks by name, and people's text."""
    capsys.readouterr()
    code = doctor.main([*argv, "--json"])
    out, err = capsys.readouterr()
    shown = json.loads(out)
    return code, shown, {check["name"]: check for check in shown["checks"] or ()}, err


def set_up(account: AnAccount, capsys: pytest.CaptureFixture[str]) -> str:
    """A user with the least permissions, everything made, an image pushed. Returns the image."""
    assert setup.main(["--write"]) == 0
    account.grant(policy(USER, account.names))
    capsys.readouterr()
    return account.push()


def check(request: CheckRequest, name: str) -> Check:
    found = {each.name: each for each in run_checks(request)}
    return found[name]


# ---------------------------------------------------------------- a new user
def test_a_new_user_is_told_what_to_do_first_and_then_next(
    account: AnAccount, dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ("--dataset", str(dataset), "--config", RECIPE)
    code, shown, checks, _ = seen(capsys, *data)
    assert code == 1
    assert shown["next"] == "python -m launcher.setup --write"
    assert {name for name, each in checks.items() if each["status"] == "problem"} == {"bucket", "role", "image"}
    assert setup.main(["--write"]) == 0
    account.grant(policy(USER, account.names))
    code, shown, checks, _ = seen(capsys, *data)
    assert (code, shown["next"]) == (1, push_command("ml.g4dn.xlarge"))
    uri = account.push()
    code, shown, checks, _ = seen(capsys, *data, "--image-uri", uri)
    assert {name: each["status"] for name, each in checks.items()} == dict.fromkeys(checks, "ok")
    assert list(checks) == [
        *("region", "credentials", "bucket", "role", "role trust", "permissions", "role permissions", "image"),
        *("instance", "quota", "dataset", "disk", "price"),
    ]
    assert (code, shown["ok"]) == (0, True)
    assert shown["next"].startswith("python -m launcher.submit --instance ml.g4dn.xlarge")
    assert shown["next"].endswith(f"--dataset {dataset} --config {RECIPE} --image-uri {uri} --dry-run")


def test_it_writes_nothing(account: AnAccount, dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    uri = set_up(account, capsys)
    account.service.recorded.clear()
    before = sorted(account.folder.rglob("*"))
    code, *_ = seen(capsys, "--dataset", str(dataset), "--config", RECIPE, "--image-uri", uri)
    assert code == 0
    assert {request.operation for request in account.service.requests()} <= WRITES_NOTHING
    assert sorted(account.folder.rglob("*")) == before


def test_without_credentials_the_rest_is_checked_all_the_same(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use_no_aws(monkeypatch)
    monkeypatch.chdir(tmp_path)
    code, shown, checks, _ = seen(capsys, "--dataset", str(dataset), "--config", RECIPE, "--region", REGION)
    assert code == 1
    assert shown["next"] == "aws configure"
    assert {name: each["status"] for name, each in checks.items()} == {
        **{"credentials": "problem", "instance": "ok", "dataset": "ok", "disk": "ok", "price": "ok"},
    }
    assert "fallback table of 2026-11-22 for us-east-1, because AWS could not be asked" in checks["price"]["detail"]


def test_expired_credentials(account: AnAccount, capsys: pytest.CaptureFixture[str]) -> None:
    account.service.fail("*", EXPIRED_TOKEN)
    code, _, checks, _ = seen(capsys)
    assert code == 1
    assert "have expired" in checks["credentials"]["detail"]
    assert "sign in again" in checks["credentials"]["remedy"]


def test_the_text_is_a_line_a_check_with_its_remedy_below(
    account: AnAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    assert doctor.main([]) == 1
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert lines[-2] == "next: python -m launcher.setup --write"
    where = next(n for n, line in enumerate(lines) if line.startswith("problem  bucket"))
    assert lines[where + 1].strip().startswith("→ run `python -m launcher.setup --write`")


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--instance", "process"], "doctor checks jobs on SageMaker"),
        (["--instance", "ml.g4dn"], "look like ml.g4dn.xlarge"),
        (["--config", "rec/none.yml"], "there is no recipe 'rec/none.yml'"),
        (["--bucket", "A_B"], "--bucket A_B"),
        (["--instanc", "x"], "did you mean '--instance'"),
    ],
)
def test_bad_input_is_one_sentence(
    account: AnAccount, argv: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert doctor.main(argv) == 1
    err = capsys.readouterr().err
    assert words in err
    assert len(err.splitlines()) == 1


def test_an_instance_of_this_machine_in_launcher_yml_is_no_obstacle(
    account: AnAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    (account.folder / "launcher.yml").write_text("instance: process\nregion: us-west-2\n")
    _, _, checks, _ = seen(capsys)
    assert checks["instance"]["detail"].startswith("ml.g4dn.xlarge has 1 × T4")
    assert checks["region"]["detail"] == "us-west-2"


def test_flags_of_the_job_say_what_is_checked(
    account: AnAccount, dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up(account, capsys)
    account.service.make_bucket("mine")
    account.service.quotas["ml.p3.2xlarge for spot training job usage"] = 3
    job = ("--instance", "ml.p3.2xlarge", "--bucket", "mine", "--role", "nobody", "--volume-size", "77")
    job += ("--dataset", str(dataset), "--config", RECIPE)
    _, _, on_demand, _ = seen(capsys, *job)
    assert "mine" in on_demand["bucket"]["detail"]
    assert "nobody" in on_demand["role"]["detail"]
    assert "ml.p3.2xlarge for training job usage" in on_demand["quota"]["detail"]
    assert "77 GB" in on_demand["disk"]["detail"]
    _, _, three, _ = seen(capsys, *job, "--spot", "--instance-count", "3")
    assert three["quota"]["status"] == "ok", three["quota"]
    assert "spot" in three["quota"]["detail"].lower()
    _, _, four, _ = seen(capsys, *job, "--spot", "--instance-count", "4")
    assert four["quota"]["status"] == "problem"


def test_as_a_process_it_ends_when_aws_does_not_answer(account: AnAccount) -> None:
    """A thread that waits for AWS must not keep the process alive."""
    account.service.delay("ListServiceQuotas", 60)
    code = (
        "import sys\nfrom launcher.cloud.checks import CheckRequest, run_checks\n"
        "found = {c.name: c for c in run_checks(CheckRequest(('ml.g4dn.xlarge',)), time_limit_s=3)}\n"
        "print(found['quota'].status, found['quota'].detail)\nsys.exit(7)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=40,
    )
    assert (done.returncode, done.stdout.strip()) == (7, "unknown AWS has not answered for 3 seconds")


# ---------------------------------------------------------------- bucket, role, permissions
def test_a_bucket_in_another_region(account: AnAccount) -> None:
    place = {"LocationConstraint": "eu-west-1"}
    far = account.service.own_client("s3", "eu-west-1")
    far.create_bucket(Bucket="far-away", CreateBucketConfiguration=place)
    found = check(CheckRequest(bucket="far-away"), "bucket")
    assert found.status == "problem"
    assert "is in eu-west-1 and the job in ap-southeast-1" in found.detail
    assert "--region eu-west-1" in found.remedy


def test_a_bucket_that_is_not_there_or_not_to_be_seen(account: AnAccount) -> None:
    assert "there is no bucket nowhere-1" in check(CheckRequest(bucket="nowhere-1"), "bucket").detail
    account.client("s3").create_bucket(Bucket="private-1", CreateBucketConfiguration={"LocationConstraint": REGION})
    account.service.fail("ListObjectsV2", DENIED)
    found = check(CheckRequest(bucket="private-1"), "bucket")
    assert found.status == "problem"
    assert "may not list s3://private-1/ocr/" in found.detail
    account.service.heal()
    # The least policy allows the listing of the folder alone, so HeadBucket is refused, and that is fine.
    account.service.fail("HeadBucket", DENIED)
    found = check(CheckRequest(bucket="private-1"), "bucket")
    assert found.status == "unknown"  # the refusal of the stand-in has no region in it, as AWS's has
    assert "can be listed" in found.detail


def test_roles_that_no_job_can_run_as(account: AnAccount) -> None:
    assert "there is no role nobody" in check(CheckRequest(role="nobody"), "role").detail
    assert "of account 999999999999" in check(CheckRequest(role="arn:aws:iam::999999999999:role/x"), "role").detail
    assert "neither a role's name nor its ARN" in check(CheckRequest(role="a b"), "role").detail
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    account.client("iam").create_role(RoleName="of-ec2", Path="/team/", AssumeRolePolicyDocument=document)
    found = {each.name: each for each in run_checks(CheckRequest(role=f"arn:aws:iam::{ACCOUNT}:role/team/of-ec2"))}
    assert found["role"].status == "ok"
    assert found["role trust"].status == "problem"
    assert "docs/iam/trust.json" in found["role trust"].remedy
    account.service.fail("GetRole", DENIED)
    found = {each.name: each for each in run_checks(CheckRequest(role="of-ec2"))}
    assert (found["role"].status, found["role trust"].status) == ("unknown", "unknown")
    assert "AWS does not allow it" in found["role"].detail


SAGEMAKER = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}


@pytest.mark.parametrize(
    ("statements", "status"),
    [
        ([SAGEMAKER], "ok"),
        ([SAGEMAKER | {"Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}}}], "ok"),
        ([SAGEMAKER | {"Condition": {"StringEquals": {"aws:SourceAccount": "999999999999"}}}], "problem"),
        ([SAGEMAKER | {"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:sagemaker:*"}}}], "unknown"),
        ([SAGEMAKER | {"Principal": {"Service": ["ec2.amazonaws.com", "sagemaker.amazonaws.com"]}}], "ok"),
        ([SAGEMAKER | {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}], "problem"),
        ([SAGEMAKER, SAGEMAKER | {"Effect": "Deny"}], "problem"),
        ([SAGEMAKER | {"Action": "sts:TagSession"}], "problem"),
        (SAGEMAKER, "ok"),
        ([], "problem"),
    ],
)
def test_trust_policies(statements: Any, status: str) -> None:
    assert judge_trust("r", {"Statement": statements}, ACCOUNT, "setup").status == status


def test_names_and_arns_of_roles() -> None:
    assert role_name("a-role") == "a-role"
    assert role_name(f"arn:aws:iam::{ACCOUNT}:role/service-role/a-role") == "a-role"
    assert role_name("arn:aws:iam::1:role/a") == role_name("a/b") == ""


def test_each_missing_permission_is_named(account: AnAccount, capsys: pytest.CaptureFixture[str]) -> None:
    set_up(account, capsys)
    names = account.names
    request = CheckRequest(bucket=names.bucket, role=names.role, image_uris=(f"{HOST}/{REPOSITORY}:gpu",))
    assert check(request, "permissions").status == "ok"
    lacking = policy(USER, names)
    for statement in lacking["Statement"]:
        statement["Action"] = [action for action in statement["Action"] if action != "sagemaker:StopTrainingJob"]
    account.grant(lacking)
    found = check(request, "permissions")
    assert (found.status, "may not do sagemaker:StopTrainingJob" in found.detail) == ("unknown", True)
    assert "docs/iam/launching-user.json" in found.remedy
    passes_any_role = policy(USER, names)
    for statement in passes_any_role["Statement"]:
        if statement["Sid"] == "PassedRole":
            statement["Condition"] = {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
    account.grant(passes_any_role)
    found = check(request, "permissions")
    assert (found.status, "iam:PassRole" in found.detail) == ("problem", True)
    account.client("iam").delete_role_policy(RoleName=names.role, PolicyName="paddleocr-sagemaker")
    assert "may not do" in check(request, "role permissions").detail


def test_where_the_simulator_is_not_allowed_nothing_is_claimed(
    account: AnAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    """moto knows no user of this name here, as IAM's simulator refuses those it may not be asked about."""
    assert setup.main(["--write"]) == 0
    found = check(CheckRequest(bucket=account.names.bucket, role=account.names.role), "permissions")
    assert found.status == "unknown"
    assert "NoSuchEntity" in found.detail


# ---------------------------------------------------------------- image
def test_images_that_sagemaker_cannot_run(account: AnAccount, capsys: pytest.CaptureFixture[str]) -> None:
    def image(uri: str) -> Check:
        return check(CheckRequest(image_uris=(uri,)), "image")

    good = account.push()
    assert (image(good).status, "3.0 GB compressed, one image for linux/amd64" in image(good).detail) == ("ok", True)
    assert image(f"{HOST}/{REPOSITORY}:gpu").status == "ok"
    account.aws.platform["architecture"] = "arm64"
    assert "is for linux/arm64" in image(good).detail
    assert image(good).status == "problem"
    index = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{"digest": single_image()["config"]["digest"], "size": 1, "mediaType": "x"}] * 2,
    }
    found = image(account.push(index, "index"))
    assert (found.status, "is an index of 2 images" in found.detail) == ("problem", True)
    assert "--provenance=false" in found.remedy
    assert "is not in ECR" in image(f"{HOST}/{REPOSITORY}:none").detail
    assert "has no repository nothing-here" in image(f"{HOST}/nothing-here:gpu").detail
    assert "SageMaker pulls from ECR only" in image("ghcr.io/team/ocr:1").detail
    far = image(f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/{REPOSITORY}:gpu")
    assert (far.status, "is in eu-west-1 and the job in" in far.detail) == ("problem", True)
    account.service.fail("BatchGetImage", DENIED)
    assert image(good).status == "unknown"


# ---------------------------------------------------------------- quota
def test_quotas_of_exactly_this_instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quotas = {"ml.g4dn.xlarge for spot training job usage": 0, "ml.g5.xlarge for training job usage": 2}
    with an_account(monkeypatch, tmp_path, quotas=quotas) as account:

        def quota(*instances: str, count: int = 1, spot: bool = False) -> Check:
            return check(CheckRequest(instances, count, spot), "quota")

        assert quota("ml.g4dn.xlarge").status == "ok"
        none = quota("ml.g4dn.xlarge", spot=True)
        assert none.status == "problem"
        assert "ml.g4dn.xlarge for spot training job usage is 0 in ap-southeast-1, and the job needs 1" in none.detail
        assert "request 1 at https://ap-southeast-1.console.aws.amazon.com/servicequotas/home/services/" in none.remedy
        assert "/quotas/L-" in none.remedy
        assert quota("ml.g5.xlarge", count=3).status == "problem"
        assert quota("ml.g4dn.xlarge", "ml.g5.xlarge", spot=True).status == "ok"  # submit moves on to the second
        assert quota("ml.none.xlarge").status == "unknown"
        account.service.fail("ListServiceQuotas", DENIED)
        denied = quota("ml.g4dn.xlarge")
        assert (denied.status, "AWS does not allow it" in denied.detail) == ("unknown", True)


# ---------------------------------------------------------------- dataset and disk
def test_a_dataset_that_the_recipe_cannot_learn(
    account: AnAccount, dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "own"
    shutil.copytree(dataset, own)
    (own / "dict.txt").write_text("0\n1\n")
    code, _, checks, _ = seen(capsys, "--dataset", str(own), "--config", RECIPE)
    assert code == 1
    assert checks["dataset"]["status"] == "problem"
    assert "is not in dict.txt" in checks["dataset"]["detail"]
    _, _, checks, _ = seen(capsys, "--dataset", str(dataset), "--config", RECIPE, "-o", "Global.max_text_length=1")
    assert "add -o Global.max_text_length=" in checks["dataset"]["remedy"]
    _, _, checks, _ = seen(capsys, "--dataset", str(tmp_path / "none"))
    assert "is not a dataset folder" in checks["dataset"]["detail"]


def test_a_dataset_in_s3(account: AnAccount, dataset: Path) -> None:
    s3 = account.client("s3")
    s3.create_bucket(Bucket="data-1", CreateBucketConfiguration={"LocationConstraint": REGION})
    for path in (path for path in dataset.rglob("*") if path.is_file()):
        s3.upload_file(str(path), "data-1", f"ocr/digits/{path.relative_to(dataset).as_posix()}")
    request = CheckRequest(("ml.g4dn.xlarge",), bucket="data-1", dataset=S3Uri("data-1", "ocr/digits/"))
    found = {each.name: each for each in run_checks(request)}
    assert (found["dataset"].status, "labels checked, images not opened" in found["dataset"].detail) == ("ok", True)
    assert found["disk"].status == "ok"
    opened = [each for each in account.service.requests("GetObject", "HeadObject") if "images/" in str(each)]
    assert not opened
    s3.delete_object(Bucket="data-1", Key="ocr/digits/dict.txt")
    assert "has no dict.txt" in check(request, "dataset").detail
    empty = CheckRequest(dataset=S3Uri("data-1", "ocr/none/"))
    assert "there is nothing at s3://data-1/ocr/none/" in check(empty, "dataset").detail


@pytest.mark.parametrize(
    ("instance", "volume", "size", "status", "words"),
    [
        ("ml.g4dn.xlarge", None, 100e9, "ok", "ml.g4dn.xlarge has 125 GB"),
        (
            "ml.g4dn.xlarge",
            None,
            114e9,
            "problem",
            "114 GB of data need 125 GB, and ml.g4dn.xlarge has",
        ),
        ("ml.g4dn.xlarge", 500, 114e9, "problem", "its disk cannot be chosen"),
        ("ml.p3.2xlarge", None, 30e9, "problem", "give --volume-size 34"),
        ("ml.p3.2xlarge", 40, 30e9, "ok", "ml.p3.2xlarge has 40 GB"),
        ("ml.g7.2xlarge", None, 30e9, "unknown", "not in this version's table"),
        ("ml.g5.xlarge", None, None, "unknown", "not known"),
    ],
)
def test_data_against_the_disk(instance: str, volume: int | None, size: float | None, status: str, words: str) -> None:
    from launcher.cloud.probes.dataset import check_disk

    found = check_disk(None if size is None else int(size), (instance,), volume)
    assert found.status == status
    assert words in found.sentence


# ---------------------------------------------------------------- for submit
def test_submit_refuses_on_problems_and_not_on_what_is_unknown(
    account: AnAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    uri = set_up(account, capsys)
    names = account.names
    request = CheckRequest(
        ("ml.g4dn.xlarge",), spot=True, bucket=names.bucket, role=names.role, image_uris=(uri,), dataset_size=10**9
    )
    opened = open_account()
    account.service.fail("ListServiceQuotas", DENIED)
    checks = run_checks(request, opened)
    assert {each.status for each in checks} == {"ok", "unknown"}
    assert problems_of(checks) == ()
    account.service.heal()
    account.aws.platform["architecture"] = "arm64"
    assert [each.name for each in problems_of(run_checks(request, opened))] == ["image"]
    assert len(account.service.requests("GetCallerIdentity")) == 2  # of setup and of open_account
