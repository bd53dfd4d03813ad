"""Bad input of a submission, as its user meets it: one sentence, exit 1, nothing written, nothing billed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from data_preparation.scripts import create_demo_data
from launcher import doctor, setup, submit
from launcher.cloud.permissions import ROLE, USER, Names, policy, trust_policy
from tests.launcher.an_account import ACCOUNT, REPOSITORY, AnAccount, an_account, single_image
from tests.launcher.aws_stand_in import use_no_aws
from tests.launcher.following import ServiceClock
from tests.launcher.running import RECIPE, ROOT
from tests.service import DENIED, EXPIRED_TOKEN, REGION, Refusal

BUCKET, FAR, ROLE_NAME = "my-bucket", "far-away", "ocr-train-exec"
NAMES = Names(ACCOUNT, REGION, BUCKET, "ocr", ROLE_NAME, REPOSITORY)
SPOT_QUOTA = "ml.g4dn.xlarge for spot training job usage"


@dataclass
class Bad:
    """An account in which only the input is wrong. Nothing is ever written, so one serves all tests."""

    account: AnAccount
    image: str

    def refused(self, capsys: pytest.CaptureFixture[str], *flags: str) -> str:
        """The one sentence of a submission that is refused."""
        self.account.service.recorded.clear()
        before = sorted(self.account.folder.rglob("*"))
        argv = ["--instance", "ml.g4dn.xlarge", "--config", RECIPE, "--run", "lines", "--spot", *flags]
        capsys.readouterr()
        assert submit.main(argv, clock=ServiceClock(self.account.service)) == 1
        out, err = capsys.readouterr()
        errors = [line for line in err.splitlines() if line.startswith("error: ")]
        assert len(errors) == 1
        assert err.splitlines()[-1] == errors[0]
        assert "Traceback" not in err
        assert out == ""
        assert self.account.service.writes() == []
        assert sorted(self.account.folder.rglob("*")) == before
        return errors[0].removeprefix("error: ")


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bad]:
    folder = tmp_path_factory.mktemp("user")
    assert create_demo_data.main(["--output-dir", str(folder / "words"), "--count", "20"]) == 0
    with pytest.MonkeyPatch.context() as environment, an_account(environment, folder, speed=0) as account:
        for bucket, region in ((BUCKET, REGION), (FAR, "eu-west-1")):
            s3 = account.service.own_client("s3", region)
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": region})
        iam = account.client("iam")
        iam.create_role(RoleName=ROLE_NAME, AssumeRolePolicyDocument=json.dumps(trust_policy(NAMES)))
        iam.put_role_policy(RoleName=ROLE_NAME, PolicyName="job", PolicyDocument=json.dumps(policy(ROLE, NAMES)))
        of_ec2 = json.dumps(trust_policy(NAMES)).replace("sagemaker.", "ec2.")
        iam.create_role(RoleName="of-ec2", AssumeRolePolicyDocument=of_ec2)
        account.grant(policy(USER, NAMES))
        image = account.push()
        (folder / "launcher.yml").write_text(
            f"dataset: words\nbucket: {BUCKET}\nrole: {ROLE_NAME}\nimage_uri: {image}\n"
        )
        yield Bad(account, image)


@pytest.fixture(autouse=True)
def _as_it_was(bad: Bad) -> Iterator[None]:
    yield
    bad.account.service.heal()
    bad.account.service.quotas.pop(SPOT_QUOTA, None)
    bad.account.aws.platform["architecture"] = "amd64"


def elsewhere(uri: str) -> str:
    return f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{uri}"


# flags, what is wrong, what to do
@pytest.mark.parametrize(
    ("flags", "wrong", "remedy"),
    [
        (("--region", "us-west-2"), "and the job in us-west-2", "or give --region ap-southeast-1"),
        (("--region", "nowhere"), "'nowhere' (from --region, AWS_REGION or the profile) is no AWS region", "known: "),
        (("--region", "Asia Pacific"), "is no AWS region", "known: "),
        (("--region", "ap-southeast1"), "is no AWS region", "did you mean 'ap-southeast-1'?"),
        (("--bucket", FAR), "far-away is in eu-west-1 and the job in ap-southeast-1", "give --region eu-west-1"),
        (("--output", f"s3://{FAR}/runs"), "far-away is in eu-west-1", "or a bucket in ap-southeast-1"),
        (("--checkpoint-uri", f"s3://{FAR}/x"), "far-away is in eu-west-1", "or a bucket in ap-southeast-1"),
        (("--dataset", f"s3://{FAR}/x"), "the bucket far-away is in eu-west-1", "give --region eu-west-1"),
        (("--validation", f"s3://{FAR}/x"), "the bucket far-away is in eu-west-1", "give --region eu-west-1"),
        (("--bucket", "not-there"), "there is no bucket not-there", "or correct --bucket"),
        (("--output", "s3://not-there/runs"), "there is no bucket not-there", "correct --output or"),
        (("--checkpoint-uri", "s3://not-there/x"), "there is no bucket not-there", "correct --output or"),
        (("--bucket", f"{BUCKET}/ocr"), "--bucket my-bucket/ocr: name the bucket alone", "with --prefix"),
        (("--role", "of-ec2"), "of-ec2 does not trust sagemaker.amazonaws.com", "as docs/iam/trust.json has it"),
        (("--role", "nobody"), "there is no role nobody in account", "correct --role"),
        (("--role", f"arn:aws:iam::{ACCOUNT}:role/nobody"), "there is no role nobody", "setup --write"),
        (("--role", "arn:aws:iam::999999999999:role/x"), "is of account 999999999999", "name another --role or"),
        (("--image-uri", elsewhere(f"{REPOSITORY}:gone")), "is not in ECR", "or correct --image-uri"),
        (("--image-uri", "library/ocr:v1"), "is no image in ECR", "run make push and leave it out"),
        (("--checkpoint-uri", "none"), "Spot without checkpoints starts over", "leave --checkpoint-uri none out"),
        (("--max-run", "2h", "--max-wait", "1h"), "--max-wait 1h is shorter than --max-run 2h", "make it longer"),
        (("--run", "x" * 64), "a run's name has at most 63 characters", "shorten it"),
        (("-o", f"Global.save_model_dir={'x' * 2501}"), "2,501 characters and SageMaker takes 2,500", "(--config)"),
        (
            ("--run", "run-1", "--checkpoint-uri", f"s3://{BUCKET}/ocr/runs/run-10/checkpoints"),
            "lies in the folder of the run run-10",
            "or leave it out",
        ),
        (("--prefix", "a b"), "--prefix a b: name folders with a–z", "one / between them"),
        (("--prefix", "ข้อมูล"), "--prefix ข้อมูล: name folders with a–z", "one / between them"),
        (("--prefix", "a/../b"), "--prefix a/../b", "none . or .."),
        (("--prefix", "x" * 1000), "has 1096 characters, S3 takes 1024", "name a shorter --prefix"),
        (("--dataset", "none"), "there is no dataset", "name another --dataset"),
        (("--dataset", "."), "train.txt is missing", "a dataset has train.txt and dict.txt"),
        (("--dataset", f"s3://{BUCKET}/none"), "holds nothing", "check the address"),
        (("--validation", f"s3://{BUCKET}/none"), "it has neither val.txt nor train.txt", "name a dataset"),
        (("--pretrained", f"s3://{BUCKET}/none"), "it holds no .pdparams files", "name a folder with one"),
        (("--config", f"s3://{BUCKET}/none.yml"), "there is no recipe s3://my-bucket/none.yml", "correct --config"),
        (("--instance", "ml.trn1.2xlarge"), "AWS's own chips", "such as ml.g4dn.xlarge"),
        (("--dataset", ""), "--dataset is empty", "give it a value or leave it out"),
    ],
)
def test_one_sentence_says_what_is_wrong_and_what_to_do(
    bad: Bad, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], wrong: str, remedy: str
) -> None:
    said = bad.refused(capsys, *flags)
    assert wrong in said
    assert remedy in said.partition(wrong)[2]


def test_a_quota_of_0(bad: Bad, capsys: pytest.CaptureFixture[str]) -> None:
    bad.account.service.quotas[SPOT_QUOTA] = 0
    said = bad.refused(capsys)
    assert f"quota: {SPOT_QUOTA} is 0 in {REGION}, and the job needs 1: request 1 at https://" in said
    assert said.endswith("(nothing was sent)")


def test_an_image_for_other_machines(bad: Bad, capsys: pytest.CaptureFixture[str]) -> None:
    bad.account.aws.platform["architecture"] = "arm64"
    assert "is for linux/arm64, and SageMaker's machines are linux/amd64: build it with" in bad.refused(capsys)
    entry = {"digest": single_image()["config"]["digest"], "size": 1, "mediaType": "x"}
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [entry] * 2}
    uri = bad.account.push(index, "index")
    assert "is an index of 2 images and not one single image" in bad.refused(capsys, "--image-uri", uri)


def test_a_dataset_that_fails_validation(bad: Bad, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    labels = shutil.copytree(bad.account.folder / "words", tmp_path / "labels")
    (labels / "dict.txt").write_text("0\n")
    said = bad.refused(capsys, "--dataset", str(labels))
    assert f"{labels}/train.txt:2: the character '" in said
    assert "python -m data_preparation validate lists all" in said
    images = shutil.copytree(bad.account.folder / "words", tmp_path / "images")
    next(iter(images.rglob("*.png"))).write_bytes(b"no image")
    assert "is not an image" in bad.refused(capsys, "--dataset", str(images))


def test_half_an_upload_is_no_dataset(bad: Bad, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder that somebody copied to S3 by hand, until the network broke; and one that only the console has made."""
    s3 = bad.account.client("s3")
    for path in (path for path in (bad.account.folder / "words").rglob("*") if path.is_file()):
        if path.name != "train.txt":
            s3.upload_file(str(path), BUCKET, f"half/{path.relative_to(bad.account.folder / 'words').as_posix()}")
    assert "s3://my-bucket/half/ holds no train.txt" in bad.refused(capsys, "--dataset", f"s3://{BUCKET}/half/")
    s3.put_object(Bucket=BUCKET, Key="made/", Body=b"")
    assert "holds no dict.txt and no train.txt" in bad.refused(capsys, "--dataset", f"s3://{BUCKET}/made")


def test_several_weights_are_none(bad: Bad, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a.pdparams", "b.pdparams"):
        bad.account.client("s3").put_object(Bucket=BUCKET, Key=f"two/{name}", Body=b"x")
    said = bad.refused(capsys, "--pretrained", f"s3://{BUCKET}/two")
    assert said == "--pretrained s3://my-bucket/two/: it holds 2 .pdparams files: name a folder with one"


def test_a_bucket_of_somebody_else(bad: Bad, capsys: pytest.CaptureFixture[str]) -> None:
    """It exists, and S3 says no more than that; so does one whose requester would have to pay."""
    bad.account.service.fail("HeadBucket", Refusal("403", "Forbidden", 403))
    bad.account.service.fail("ListObjectsV2", DENIED)
    said = bad.refused(capsys)
    assert "my-bucket is there, but these credentials may not list s3://my-bucket/ocr/ (AccessDenied)" in said
    bad.account.service.fail("GetObject", DENIED)
    said = bad.refused(capsys, "--dataset", f"s3://{BUCKET}/theirs")
    assert said.startswith("looking at s3://my-bucket/theirs/: AWS does not allow it")
    assert said.endswith("ask for this permission, or name another --profile")


@pytest.mark.parametrize("lifetime", ["expired", "none"])
def test_credentials(bad: Bad, capsys: pytest.CaptureFixture[str], lifetime: str) -> None:
    words = "no AWS credentials are found"
    with pytest.MonkeyPatch.context() as environment:
        if lifetime == "expired":
            bad.account.service.fail("*", EXPIRED_TOKEN)
            words = "the AWS credentials have expired"
        else:
            use_no_aws(environment)
            environment.setenv("AWS_REGION", REGION)
        assert words in bad.refused(capsys)
        for main in (doctor.main, setup.main):
            assert_one_problem(main, words, capsys)


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "http://nobody.invalid"])
def test_no_network(bad: Bad, capsys: pytest.CaptureFixture[str], address: str) -> None:
    """Nobody listens there; the name does not resolve."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", address)
        environment.setattr("data_preparation.aws.ATTEMPTS", 1)
        said = bad.refused(capsys)
        assert "AWS cannot be reached" in said
        assert said.endswith("check the network, the proxy and the region")
        assert_one_problem(doctor.main, "AWS cannot be reached", capsys)
        assert_one_problem(setup.main, "AWS cannot be reached", capsys)
        guess = "the installed boto3 lists no region ap-southest-1 with SageMaker: did you mean 'ap-southeast-1'?"
        assert guess in bad.refused(capsys, "--region", "ap-southest-1")


def assert_one_problem(main: Callable[[list[str]], int], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--dry-run"] if main is setup.main else []) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert "Traceback" not in err


def test_a_dry_run_without_credentials_lacks_nothing_else(bad: Bad, capsys: pytest.CaptureFixture[str]) -> None:
    """The role in launcher.yml is a name: only AWS knows its ARN."""
    with pytest.MonkeyPatch.context() as environment:
        use_no_aws(environment)
        environment.setenv("AWS_REGION", REGION)
        assert submit.main(["--instance", "ml.g4dn.xlarge", "--config", RECIPE, "--dry-run", "--json"]) == 0
    missing = json.loads(capsys.readouterr().out)["plan"]["missing"]
    assert [each.partition(":")[0] for each in missing] == ["asking AWS whose credentials these are"]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ((), "no AWS region is set, and no AWS credentials are found: run `aws configure`"),
        (("--region", REGION), "no AWS credentials are found: run `aws configure`"),
        (("--bucket", BUCKET), "no AWS region is set, and no AWS credentials are found: run `aws configure`"),
        (("--instance", "ml.g5.xlarg"), "did you mean 'ml.g5.xlarge'?"),
        (("--instance", "ml.g4dn.xlarge,ml.g5.xlarg"), "did you mean 'ml.g5.xlarge'?"),
        (("-o", "Optimizer.lr.nme=Cosine"), "did you mean 'Optimizer.lr.name'?"),
        (("-o", "Global.epoch_num=many"), "Global.epoch_num must be a whole number, not 'many'"),
        (("--config", "rec/demo_digit.yml"), "did you mean 'rec/demo_digits.yml'?"),
        (("--dataset", "not-there"), "not-there: not a folder"),
        (("--pretrained", "words"), "words: it holds no .pdparams files"),
    ],
)
def test_the_first_dry_run_of_all_names_what_is_wrong_with_it_before_aws(
    bad: Bad, flags: tuple[str, ...], words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither bucket nor region nor credentials."""
    use_no_aws(monkeypatch)
    argv = ["--instance", "ml.g4dn.xlarge", "--dataset", "words", "--config", RECIPE, "--config-file", os.devnull]
    capsys.readouterr()
    for mode in (["--dry-run"], []):
        assert submit.main([*argv, *mode, *flags]) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("error: ")
        assert err.count("\n") == 1
        assert words in err


def test_as_a_command_it_is_one_line_and_exit_1(bad: Bad) -> None:
    argv = ["--instance", "ml.g4dn.xlarge", "--config", RECIPE, "--max-run", "2h", "--max-wait", "1h", "--spot"]
    done = subprocess.run(
        [sys.executable, "-m", "launcher.submit", *argv, "--dry-run"],
        cwd=bad.account.folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert [line for line in done.stderr.splitlines() if not line.startswith("checking")] == [
        "error: --max-wait 1h is shorter than --max-run 2h, and it holds training and waiting together: make it "
        "longer, or --max-run shorter"
    ]
