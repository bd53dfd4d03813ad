"""setup makes, teardown removes; both say beforehand what they would do, and touch nothing that is not ours."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contract.errors import UserError
from launcher import setup, teardown
from launcher.cloud.parts import bucket as part_bucket
from launcher.cloud.permissions import OWNER, ROLE, TABLE, policy, trust_policy
from launcher.config_file import write_settings
from tests.launcher.an_account import ACCOUNT, HOST, REGION, REPOSITORY, AnAccount, an_account
from tests.service import DENIED, UNAVAILABLE, completed, downloading, timeline, training

# How tests/service names some calls of S3, by their address: boto3's names.
WIRE_NAMES = {
    "PutBucketPublicAccessBlock": "PutPublicAccessBlock",
    "GetBucketLifecycle": "GetBucketLifecycleConfiguration",
    "PutBucketLifecycle": "PutBucketLifecycleConfiguration",
}
TAG = {"Key": "created-by", "Value": "paddleocr-sagemaker"}


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AnAccount]:
    with an_account(monkeypatch, tmp_path) as found:
        yield found


def run(capsys: pytest.CaptureFixture[str], verb: object, *argv: str) -> tuple[int, dict[str, object], str]:
    capsys.readouterr()
    code = verb.main([*argv, "--json"])  # type: ignore[attr-defined]
    out, err = capsys.readouterr()
    return code, json.loads(out), err


def typed(monkeypatch: pytest.MonkeyPatch, text: str, *, terminal: bool = False) -> None:
    stream = io.StringIO(text)
    stream.isatty = lambda: terminal  # type: ignore[method-assign]
    monkeypatch.setattr("sys.stdin", stream)


def is_there(account: AnAccount) -> dict[str, bool]:
    return {
        "bucket": account.names.bucket in [each["Name"] for each in account.client("s3").list_buckets()["Buckets"]],
        "role": account.names.role in [each["RoleName"] for each in account.client("iam").list_roles()["Roles"]],
        "repository": REPOSITORY
        in [each["repositoryName"] for each in account.client("ecr").describe_repositories()["repositories"]],
    }


@pytest.fixture
def over_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    """S3 is taken for AWS's own; the stand-in speaks HTTP."""
    monkeypatch.setattr(part_bucket, "is_encrypted", lambda _: True)


# ---------------------------------------------------------------- setup
def test_a_dry_run_says_everything_and_changes_nothing(account: AnAccount, capsys: pytest.CaptureFixture[str]) -> None:
    code, shown, text = run(capsys, setup, "--dry-run", "--write")
    assert code == 0
    assert shown["would_create"] == [account.names.bucket, account.names.role, REPOSITORY]
    assert account.service.writes() == []
    assert list(account.folder.iterdir()) == []
    assert "encrypted connections only" not in text  # the stand-in speaks none
    for words in ("private, versioned", "for SageMaker in account", "launcher.yml would"):
        assert words in text


def test_what_is_made_is_private_versioned_encrypted_in_transit_and_tagged(
    account: AnAccount, over_tls: None, capsys: pytest.CaptureFixture[str]
) -> None:
    code, shown, _ = run(capsys, setup)
    assert code == 0
    assert shown["created"] == [account.names.bucket, account.names.role, REPOSITORY]
    s3, bucket = account.client("s3"), account.names.bucket
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] == REGION
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert set(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values()) == {True}
    (statement,) = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    (rule,) = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
    assert TAG in s3.get_bucket_tagging(Bucket=bucket)["TagSet"]
    iam = account.client("iam")
    role = iam.get_role(RoleName=account.names.role)["Role"]
    assert role["AssumeRolePolicyDocument"] == trust_policy(account.names)
    assert role["Tags"] == [TAG]
    (name,) = iam.list_role_policies(RoleName=account.names.role)["PolicyNames"]
    document = iam.get_role_policy(RoleName=account.names.role, PolicyName=name)["PolicyDocument"]
    assert document == policy(ROLE, account.names)
    assert "BUCKET" not in json.dumps(document)
    assert not (account.folder / "launcher.yml").exists()  # only with --write


def test_in_us_east_1_a_bucket_has_no_location(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with an_account(monkeypatch, tmp_path, region="us-east-1") as account:
        assert setup.main([]) == 0
        bucket = f"paddleocr-sagemaker-{ACCOUNT}-us-east-1"
        assert account.client("s3").get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"


def test_what_is_named_is_noted_so_that_submit_works_in_the_folder_that_the_role_may_use(
    account: AnAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    assert setup.main(["--write", "--dry-run", "--prefix", "team", "--repository", "words"]) == 0
    assert "prefix: team; repository: words" in capsys.readouterr().err
    assert setup.main(["--write", "--prefix", "team"]) == 0
    settings = (account.folder / "launcher.yml").read_text().splitlines()
    assert "prefix: team" in settings
    assert not any(line.startswith("repository") for line in settings)


def test_a_second_setup_changes_nothing(account: AnAccount, capsys: pytest.CaptureFixture[str]) -> None:
    assert setup.main(["--write"]) == 0
    before = (account.folder / "launcher.yml").read_text()
    account.service.recorded.clear()
    code, shown, text = run(capsys, setup, "--write")
    assert (code, shown["created"]) == (0, [])
    assert account.service.writes() == []
    assert text.count("is there") == 3
    assert (account.folder / "launcher.yml").read_text() == before


@pytest.mark.parametrize("operation", ["PutBucketTagging", "PutBucketPolicy", "PutRolePolicy", "CreateRepository"])
def test_a_setup_that_was_cut_short_goes_on(
    account: AnAccount, operation: str, over_tls: None, capsys: pytest.CaptureFixture[str]
) -> None:
    account.service.fail(operation, DENIED, after=1 if operation == "PutBucketTagging" else 0)
    code, shown, text = run(capsys, setup)
    assert (code, shown["created"]) == (1, None)
    assert "AWS does not allow it" in text
    account.service.heal()
    code, shown, text = run(capsys, setup)
    assert code == 0
    assert shown["created"]
    account.service.recorded.clear()
    assert run(capsys, setup)[1]["created"] == []
    assert account.service.writes() == []
    bucket = account.names.bucket
    assert account.client("s3").get_bucket_policy(Bucket=bucket)


def test_what_others_made_stays_as_it_is(account: AnAccount, capsys: pytest.CaptureFixture[str]) -> None:
    account.client("s3").create_bucket(Bucket="theirs-1", CreateBucketConfiguration={"LocationConstraint": REGION})
    document = json.dumps(trust_policy(account.names))
    account.client("iam").create_role(RoleName="theirs", AssumeRolePolicyDocument=document)
    flags = ("--bucket", "theirs-1", "--role", f"arn:aws:iam::{ACCOUNT}:role/theirs")
    code, shown, text = run(capsys, setup, *flags, "--write")
    assert (code, shown["created"]) == (0, [REPOSITORY])
    assert text.count("not made by setup: left as it is") == 2
    assert account.client("iam").list_role_policies(RoleName="theirs")["PolicyNames"] == []
    assert "bucket: theirs-1\nrole: theirs\n" in (account.folder / "launcher.yml").read_text()
    code, shown, text = run(capsys, teardown, *flags, "--yes")
    assert (code, shown["removed"]) == (0, [REPOSITORY])
    assert text.count("was not made by setup") == 2
    assert account.client("s3").head_bucket(Bucket="theirs-1")


def test_what_others_set_on_our_bucket_stays(
    account: AnAccount, over_tls: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert setup.main([]) == 0
    s3, bucket = account.client("s3"), account.names.bucket
    cost, their_rule = {"Key": "cost-center", "Value": "7"}, {"ID": "theirs", "Status": "Enabled"}
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [TAG, cost]})  # without our mark: setup goes on
    theirs = {"Sid": "Theirs", "Effect": "Deny", "Principal": "*", "Action": "s3:DeleteBucket"}
    statement = theirs | {"Resource": f"arn:aws:s3:::{bucket}"}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": statement}))
    rule = their_rule | {"Filter": {"Prefix": "old/"}, "Expiration": {"Days": 9}}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
    code, _, text = run(capsys, setup)
    assert code == 0, text
    assert {tag["Key"] for tag in s3.get_bucket_tagging(Bucket=bucket)["TagSet"]} == {
        "created-by",
        "cost-center",
        "paddleocr-sagemaker:setup",
    }
    statements = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
    assert [each["Sid"] for each in statements] == ["Theirs", "EncryptedConnectionsOnly"]
    rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert [each["ID"] for each in rules] == ["theirs", "paddleocr-sagemaker"]


def test_another_bucket_is_added_to_the_policy_of_the_role(
    account: AnAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    assert setup.main([]) == 0
    _, shown, text = run(capsys, setup, "--bucket", "another-1")
    assert shown["created"] == ["another-1", account.names.role]
    assert "its policy lacks this bucket" in text
    assert setup.main(["--prefix", "team"]) == 0

    def statements() -> list[dict[str, Any]]:
        found = account.client("iam").get_role_policy(RoleName=account.names.role, PolicyName="paddleocr-sagemaker")
        return list(found["PolicyDocument"]["Statement"])

    written = statements()
    assert [each["Resource"] for each in written if each["Sid"] == "Runs"] == [
        [
            f"arn:aws:s3:::{account.names.bucket}/ocr/runs/*",
            "arn:aws:s3:::another-1/ocr/runs/*",
            f"arn:aws:s3:::{account.names.bucket}/team/runs/*",
        ]
    ]
    # What is in one bucket or below one prefix opens no other: a condition has statements of its own.
    assert [
        (each["Resource"], each["Condition"]["StringLike"]["s3:prefix"])
        for each in written
        if each["Sid"].startswith("Folder")
    ] == [
        ([f"arn:aws:s3:::{account.names.bucket}", "arn:aws:s3:::another-1"], "ocr/*"),
        (f"arn:aws:s3:::{account.names.bucket}", "team/*"),
    ]
    assert len({each["Sid"] for each in written}) == len(written)
    assert setup.main([]) == 0
    assert statements() == written


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--bucket", "far-away"], "the bucket far-away is in eu-west-1 and this call in ap-southeast-1"),
        (["--bucket", "A_B"], "--bucket A_B"),
        (["--role", "a b"], "neither a role's name nor its ARN"),
        (["--repository", "A"], "ECR takes 2 to 256"),
        (["--prefix", "a//b"], "--prefix a//b"),
        (["--writ"], "did you mean '--write'"),
    ],
)
def test_a_refusal_is_one_sentence_and_nothing_was_made(
    account: AnAccount, argv: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    far = account.service.own_client("s3", "eu-west-1")
    far.create_bucket(Bucket="far-away", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    assert setup.main(argv) == 1
    err = capsys.readouterr().err
    assert words in err
    assert len(err.splitlines()) == 1
    assert account.service.writes() == []


def test_a_bucket_of_another_account(account: AnAccount, capsys: pytest.CaptureFixture[str]) -> None:
    account.service.fail("HeadBucket", DENIED)
    assert setup.main([]) == 1
    assert "is another account's" in capsys.readouterr().err


def test_aws_out_of_order_is_one_sentence(account: AnAccount, capsys: pytest.CaptureFixture[str]) -> None:
    account.service.fail("GetRole", UNAVAILABLE)
    assert setup.main([]) == 1
    assert "looking for the role" in capsys.readouterr().err
    assert account.service.writes() == []


# ---------------------------------------------------------------- teardown
def test_teardown_lists_asks_and_removes(
    account: AnAccount, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert setup.main([]) == 0
    everything = dict.fromkeys(("bucket", "role", "repository"), True)
    code, shown, text = run(capsys, teardown, "--dry-run")
    assert (code, shown["removed"]) == (0, [])
    assert shown["left"] == [REPOSITORY, account.names.role, account.names.bucket]
    typed(monkeypatch, "y\n")
    code, shown, text = run(capsys, teardown)
    assert (code, is_there(account)) == (1, everything)
    assert "nobody can be asked here: give --yes" in text
    typed(monkeypatch, "n\n", terminal=True)
    assert run(capsys, teardown)[0] == 1
    assert is_there(account) == everything
    typed(monkeypatch, "y\n", terminal=True)
    code, shown, text = run(capsys, teardown)
    assert (code, is_there(account)) == (0, dict.fromkeys(everything, False))
    assert shown["removed"] == [REPOSITORY, account.names.role, account.names.bucket]
    code, shown, text = run(capsys, teardown, "--yes")
    assert (code, shown["removed"]) == (0, [])
    assert "there is nothing here that setup made" in text


def test_data_goes_only_when_its_name_is_typed(
    account: AnAccount, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert setup.main([]) == 0
    s3, bucket = account.client("s3"), account.names.bucket
    for _ in range(2):  # two versions, then a mark of its deletion
        s3.put_object(Bucket=bucket, Key="ocr/runs/a/checkpoints/x", Body=b"1234")
    s3.delete_object(Bucket=bucket, Key="ocr/runs/a/checkpoints/x")
    for number in range(1100):
        s3.put_object(Bucket=bucket, Key=f"many/{number}", Body=b"")
    s3.create_multipart_upload(Bucket=bucket, Key="half")
    account.push()
    everything = dict.fromkeys(("bucket", "role", "repository"), True)
    code, _, text = run(capsys, teardown, "--yes")
    assert code == 1
    assert f"the repository {REPOSITORY} holds 1 image, 7 B: give --delete-data" in text
    assert is_there(account) == everything
    typed(monkeypatch, f"{REPOSITORY}\nyes\n")
    code, _, text = run(capsys, teardown, "--yes", "--delete-data")
    assert code == 1
    assert f"{bucket} was not typed: nothing was removed" in text
    assert is_there(account) == everything
    typed(monkeypatch, f"{REPOSITORY}\n{bucket}\n")
    code, _, text = run(capsys, teardown, "--yes", "--delete-data")
    assert code == 0, text
    assert "1,103 object versions" in text
    assert is_there(account) == dict.fromkeys(everything, False)


def uses(account: AnAccount) -> dict[str, dict[str, Any]]:
    """What a job names of each part."""
    image = {"TrainingImage": f"{HOST}/{REPOSITORY}@sha256:{'0a' * 32}", "TrainingInputMode": "File"}
    return {
        "bucket": {"CheckpointConfig": {"S3Uri": f"s3://{account.names.bucket}/x/"}},
        "role": {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/{account.names.role}"},
        "repository": {"AlgorithmSpecification": image},
    }


@pytest.mark.parametrize("part", ["bucket", "role", "repository"])
def test_what_a_job_under_way_uses_stays(
    tmp_path: Path, part: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = timeline(downloading(30), training(6000), completed())
    with an_account(monkeypatch, tmp_path, speed=0) as account:
        assert setup.main([]) == 0
        account.service.seed("a-job", script, **uses(account)[part])
        account.service.clock.advance(60)
        name = getattr(account.names, part)
        code, shown, text = run(capsys, teardown, "--yes")
        assert (code, shown["removed"]) == (1, None)
        assert f"the job a-job (InProgress) uses the {part} {name}" in text
        account.client("sagemaker").stop_training_job(TrainingJobName="a-job")
        code, shown, text = run(capsys, teardown, "--yes")
        assert (code, shown["removed"]) == (1, None)
        assert f"the job a-job (Stopping) uses the {part} {name}" in text
        assert is_there(account) == dict.fromkeys(("bucket", "role", "repository"), True)
        account.service.run_to_end("a-job")
        assert run(capsys, teardown, "--yes")[0] == 0


def test_a_job_that_comes_while_the_question_is_answered(
    account: AnAccount, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert setup.main([]) == 0
    typed(monkeypatch, "y\n", terminal=True)
    answered = sys.stdin.readline

    def slowly() -> str:
        account.service.seed("late", timeline(training(6000), completed()), **uses(account)["bucket"])
        return answered()

    monkeypatch.setattr(sys.stdin, "readline", slowly)
    code, shown, text = run(capsys, teardown)
    assert (code, shown["removed"]) == (1, None)
    assert "the job late (InProgress) uses the bucket" in text
    assert is_there(account) == dict.fromkeys(("bucket", "role", "repository"), True)


@pytest.mark.parametrize("part", ["bucket", "repository"])
def test_what_comes_after_the_list_stays(
    account: AnAccount, part: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert setup.main([]) == 0
    confirm = teardown._confirm

    def late(*args: Any, **options: Any) -> None:
        confirm(*args, **options)
        if part == "repository":
            account.push()
        else:
            account.client("s3").put_object(Bucket=account.names.bucket, Key="ocr/runs/a/x", Body=b"work of months")

    monkeypatch.setattr(teardown, "_confirm", late)
    code, _, text = run(capsys, teardown, "--yes", "--delete-data")
    assert code == 2
    assert f"{part} {getattr(account.names, part)} meanwhile: start again, which lists it" in text
    assert is_there(account)[part]


def test_a_removal_that_aws_refuses_says_what_is_gone(account: AnAccount, capsys: pytest.CaptureFixture[str]) -> None:
    assert setup.main([]) == 0
    document = json.dumps(policy(ROLE, account.names))
    made = account.client("iam").create_policy(PolicyName="extra", PolicyDocument=document)
    account.client("iam").attach_role_policy(RoleName=account.names.role, PolicyArn=made["Policy"]["Arn"])
    inline = {"RoleName": account.names.role, "PolicyName": "theirs"}
    account.client("iam").put_role_policy(**inline, PolicyDocument=document)
    code, shown, text = run(capsys, teardown, "--yes")
    assert (code, shown["removed"]) == (2, None)
    assert "has policies that setup did not make (extra, theirs)" in text
    assert f"(removed so far: {REPOSITORY})" in text
    account.client("iam").detach_role_policy(RoleName=account.names.role, PolicyArn=made["Policy"]["Arn"])
    account.client("iam").delete_role_policy(**inline)
    assert run(capsys, teardown, "--yes")[0] == 0


def test_what_setup_and_teardown_call_is_in_their_policy(
    account: AnAccount, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the names on the wire: what the source is thought to call and what it calls are the same."""
    assert setup.main([]) == 0
    account.client("s3").put_object(Bucket=account.names.bucket, Key="x", Body=b"")
    typed(monkeypatch, f"{account.names.bucket}\n")
    assert run(capsys, teardown, "--yes", "--delete-data")[0] == 0
    allowed = {call.operation for call in TABLE if call.who == OWNER}
    made = {WIRE_NAMES.get(each.operation, each.operation) for each in account.service.requests()}
    assert made <= allowed


# ---------------------------------------------------------------- launcher.yml
def test_settings_are_set_in_place_and_the_rest_stays(tmp_path: Path) -> None:
    file = tmp_path / "launcher.yml"
    file.write_text("# mine\nbucket:   old # the team's\n\nepochs: 40\n# role: none\noverride:\n  A.b: 1\n")
    assert write_settings(file, {"bucket": "new", "role": "r", "epochs": "40"}) == ("bucket", "role")
    assert file.read_text() == (
        "# mine\nbucket: new # the team's\n\nepochs: 40\n# role: none\noverride:\n  A.b: 1\nrole: r\n"
    )
    assert write_settings(file, {"bucket": "new", "role": "r"}) == ()
    assert sorted(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("text", ["", "# only a comment", "epochs: 1"])
def test_settings_are_added(tmp_path: Path, text: str) -> None:
    file = tmp_path / "launcher.yml"
    if text:
        file.write_text(text)
    assert write_settings(file, {"bucket": "b"}) == ("bucket",)
    lines = file.read_text().splitlines()
    assert lines[-1] == "bucket: b"
    assert not text or lines[0] == text


@pytest.mark.parametrize("text", ["{bucket: a}\n", "- a\n", "a: [\n", "bucket: >\n  folded\n"])
def test_a_file_that_is_written_otherwise_is_not_touched(tmp_path: Path, text: str) -> None:
    file = tmp_path / "launcher.yml"
    file.write_text(text)
    with pytest.raises(UserError) as caught:
        write_settings(file, {"bucket": "b"})
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert file.read_text() == text
