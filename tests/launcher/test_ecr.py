"""The account, the repository and the login, against moto's server; what AWS refuses is one sentence."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path

import pytest
from botocore import exceptions as aws_errors

from contract.errors import UserError
from data_preparation.aws import has_expired, reason_and_remedy, will_pass
from launcher.aws import explained, open_account
from launcher.images.ecr import (
    Address,
    Repository,
    check_address,
    config_digest,
    find_image,
    log_in,
    open_repository,
    parse_address,
    wait_for_image,
)
from tests.launcher.aws_stand_in import ACCOUNT, REGION, TOKEN, AwsStandIn, run_aws, use_aws, use_no_aws

CONFIG = "sha256:" + "c" * 64
MANIFEST = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 895, "digest": CONFIG},
        "layers": [{"mediaType": "x", "size": 5, "digest": "sha256:" + "1" * 64}],
    }
)
DIGEST = "sha256:" + hashlib.sha256(MANIFEST.encode()).hexdigest()


@pytest.fixture(scope="module")
def server() -> Iterator[AwsStandIn]:
    with run_aws() as aws:
        yield aws


@pytest.fixture
def aws(server: AwsStandIn, monkeypatch: pytest.MonkeyPatch) -> AwsStandIn:
    server.reset()
    use_aws(server, monkeypatch)
    return server


def put_image(aws: AwsStandIn, name: str, tag: str, digest: str = DIGEST) -> None:
    aws.client("ecr").put_image(repositoryName=name, imageManifest=MANIFEST, imageTag=tag, imageDigest=digest)


def refusal(action) -> str:
    with pytest.raises(UserError) as caught:
        action()
    assert "\n" not in str(caught.value)
    return str(caught.value)


# ---------------------------------------------------------------- the account
def test_the_account_comes_from_the_credentials(aws: AwsStandIn) -> None:
    account = open_account()
    assert (account.id, account.region) == (ACCOUNT, REGION)
    assert open_account(region="eu-west-1").region == "eu-west-1"


def test_profile_and_region_of_the_users_own_settings(
    server: AwsStandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use_no_aws(monkeypatch)
    file = tmp_path / "config"
    file.write_text("[profile work]\nregion = us-west-2\naws_access_key_id = a\naws_secret_access_key = b\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.address)
    assert open_account("work").region == "us-west-2"
    assert "aws configure list-profiles" in refusal(lambda: open_account("wrok"))
    assert "no AWS credentials are found" in refusal(lambda: open_account(region=REGION))


def test_without_boto3_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)  # what Python does with a package that is not there
    assert "setup.sh --launch" in refusal(open_account)


def test_a_missing_region_is_said_before_aws_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    use_no_aws(monkeypatch)
    assert "run `aws configure`, which asks for both" in refusal(open_account)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    assert "give --region" in refusal(open_account)


def test_a_region_that_is_no_name(aws: AwsStandIn) -> None:
    assert "--region" in refusal(lambda: open_account(region="not a region!"))


def test_keys_that_aws_does_not_know(aws: AwsStandIn) -> None:
    aws.check_permissions(on=True)
    try:
        text = refusal(open_account)
    finally:
        aws.check_permissions(on=False)
    assert text.startswith("asking AWS whose credentials these are: AWS does not accept these credentials (")


def client_error(code: str, message: str) -> aws_errors.ClientError:
    return aws_errors.ClientError({"Error": {"Code": code, "Message": message}}, "DescribeRepositories")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (client_error("ExpiredTokenException", "The security token is expired"), "have expired (The security token is"),
        (client_error("ExpiredToken", "x"), "sign in again"),
        (aws_errors.UnauthorizedSSOTokenError(), "sign in again"),
        (aws_errors.SSOTokenLoadError(error_msg="Token for work does not exist"), "sign in again"),
        (aws_errors.TokenRetrievalError(provider="sso", error_msg="Token has expired"), "sign in again"),
        (client_error("AccessDeniedException", "User: x is not authorized"), "AWS does not allow it (User: x is not"),
        (client_error("UnrecognizedClientException", "The security token is invalid"), "check the keys"),
        (aws_errors.EndpointConnectionError(endpoint_url="https://api.ecr.x-1.amazonaws.com"), "the proxy and the"),
        (aws_errors.ReadTimeoutError(endpoint_url="https://x"), "AWS cannot be reached"),
        (aws_errors.ProxyConnectionError(proxy_url="http://proxy"), "AWS cannot be reached"),
        (aws_errors.PartialCredentialsError(provider="env", cred_var="aws_secret"), "aws configure list"),
        (client_error("SignatureDoesNotMatch", "Signature not yet current: 2 is still later"), "is wrong: set it"),
        (client_error("ServerException", "line one\nline two."), "AWS answers ServerException (line one line two)"),
    ],
)
def test_what_aws_raises_is_one_sentence_with_a_remedy(error: Exception, words: str) -> None:
    def fail() -> None:
        with explained("pushing"):
            raise error

    text = refusal(fail)
    assert text.startswith("pushing: ")
    assert words in text


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("RequestTimeTooSkewed", "The difference between the request time and the current time is too large."),
        ("InvalidSignatureException", "Signature expired: 20261122T100000Z is now earlier than 20261122T110000Z"),
    ],
)
def test_a_wrong_clock_is_no_expired_login(code: str, message: str) -> None:
    error = client_error(code, message)
    ahead = datetime.now(timezone.utc) + timedelta(minutes=65)
    error.response["ResponseMetadata"] = {"HTTPHeaders": {"date": format_datetime(ahead, usegmt=True)}}
    assert re.fullmatch(
        r"the clock of this machine is wrong by 6[45] minutes \(AWS has \d{4}-\d\d-\d\d \d\d:\d\d UTC\): set it .*",
        reason_and_remedy(error),
    )
    assert not has_expired(error)
    assert not will_pass(error)


def test_errors_of_our_own_pass() -> None:
    with pytest.raises(ZeroDivisionError), explained("x"):
        1 / 0  # noqa: B018


# ---------------------------------------------------------------- its name
@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("ocr", Address("ocr")),
        ("team/ocr-1.2_x", Address("team/ocr-1.2_x")),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/ocr", Address("team/ocr", "123456789012", "eu-west-1")),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/ocr", Address("ocr", "123456789012", "cn-north-1")),
        ("123456789012.dkr.ecr-fips.us-east-1.amazonaws.com/ocr", Address("ocr", "123456789012", "us-east-1")),
        ("123456789012.dkr-ecr.us-east-1.on.aws/ocr", Address("ocr", "123456789012", "us-east-1")),
    ],
)
def test_names_of_repositories(text: str, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ocr:v1", "the tag as --tag"),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/ocr:v1", "the tag as --tag"),
        ("ocr@sha256:" + "0" * 64, "the tag as --tag"),
        ("ghcr.io/team/ocr", "ghcr.io is not ECR"),
        ("localhost:5000/ocr", "localhost:5000 is not ECR"),
        ("1234.dkr.ecr.eu-west-1.amazonaws.com/ocr", "is not ECR"),
        ("public.ecr.aws/x/ocr", "is not ECR"),
        ("OCR", "2 to 256"),
        ("a", "2 to 256"),
        ("", "2 to 256"),
        ("-ocr", "2 to 256"),
        ("a//b", "2 to 256"),
        ("a" * 257, "2 to 256"),
    ],
)
def test_what_names_no_repository(text: str, words: str) -> None:
    assert words in refusal(lambda: parse_address(text))


def test_a_repository_elsewhere_is_refused(aws: AwsStandIn) -> None:
    account = open_account()
    check_address(Address("ocr"), account)
    check_address(Address("ocr", ACCOUNT, REGION), account)
    assert "give --region us-west-2" in refusal(lambda: check_address(Address("ocr", ACCOUNT, "us-west-2"), account))
    assert "belongs to account 999999999999" in refusal(
        lambda: check_address(Address("ocr", "999999999999", REGION), account)
    )


# ---------------------------------------------------------------- the repository
def test_a_new_repository_is_scanned_immutable_and_cleaned(aws: AwsStandIn) -> None:
    repository = open_repository(open_account(), "team/ocr")
    assert repository.created
    assert repository.notes == ()
    client = aws.client("ecr")
    found = client.describe_repositories(repositoryNames=["team/ocr"])["repositories"][0]
    assert repository.uri == found["repositoryUri"]
    assert found["imageTagMutability"] == "IMMUTABLE"
    assert found["imageScanningConfiguration"] == {"scanOnPush": True}
    tags = client.list_tags_for_resource(resourceArn=found["repositoryArn"])["tags"]
    assert tags == [{"Key": "created-by", "Value": "paddleocr-sagemaker"}]
    rules = json.loads(client.get_lifecycle_policy(repositoryName="team/ocr")["lifecyclePolicyText"])["rules"]
    assert [(rule["selection"]["tagStatus"], rule["selection"]["countNumber"]) for rule in rules] == [("untagged", 14)]


def test_an_existing_repository_stays_as_it_is(aws: AwsStandIn) -> None:
    client = aws.client("ecr")
    client.create_repository(repositoryName="ocr")
    before = client.describe_repositories(repositoryNames=["ocr"])
    repository = open_repository(open_account(), "ocr")
    assert not repository.created
    assert ["can be moved" in note for note in repository.notes] == [True, False]
    assert "does not scan" in repository.notes[1]
    assert client.describe_repositories(repositoryNames=["ocr"])["repositories"] == before["repositories"]
    with pytest.raises(client.exceptions.LifecyclePolicyNotFoundException):
        client.get_lifecycle_policy(repositoryName="ocr")
    client.put_image_tag_mutability(repositoryName="ocr", imageTagMutability="IMMUTABLE")
    client.put_image_scanning_configuration(repositoryName="ocr", imageScanningConfiguration={"scanOnPush": True})
    assert open_repository(open_account(), "ocr").notes == ()


@pytest.fixture
def repository(aws: AwsStandIn) -> Repository:
    return open_repository(open_account(), "ocr")


def test_the_login_is_split_at_the_first_colon_and_never_shown(repository: Repository) -> None:
    login = log_in(repository)
    assert (login.username, login.password) == ("AWS", TOKEN)
    assert TOKEN not in repr(login)
    assert TOKEN not in f"{login}"


def test_images_by_tag(aws: AwsStandIn, repository: Repository) -> None:
    assert find_image(repository, "v1") is None
    put_image(aws, "ocr", "v1")
    image = find_image(repository, "v1")
    assert image is not None
    assert image.digest == DIGEST
    assert config_digest(repository, DIGEST) == CONFIG


def test_a_pushed_image_is_waited_for(aws: AwsStandIn, repository: Repository) -> None:
    pauses: list[float] = []

    def listed_after_two(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            put_image(aws, "ocr", "v1")

    assert wait_for_image(repository, "v1", DIGEST, listed_after_two).digest == DIGEST
    assert pauses == [1, 1]


def test_an_image_that_ecr_never_lists_is_an_error(repository: Repository) -> None:
    pauses: list[float] = []
    assert "has not listed it for 20 seconds" in refusal(
        lambda: wait_for_image(repository, "v1", DIGEST, pauses.append)
    )
    assert sum(pauses) == 20


def test_another_digest_than_the_pushed_one_is_an_error(aws: AwsStandIn, repository: Repository) -> None:
    put_image(aws, "ocr", "v1", "sha256:" + "9" * 64)
    text = refusal(lambda: wait_for_image(repository, "v1", DIGEST))
    assert "sha256:9999" in text
    assert DIGEST in text
