"""Faults on chosen calls, as clients meet them."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError

from tests.service import (
    CONNECTION_RESET,
    DENIED,
    EXPIRED_TOKEN,
    SERVER_ERROR,
    THROTTLED,
    UNAVAILABLE,
    Refusal,
    Service,
    scripted_service,
)

ONE_TRY = Config(retries={"total_max_attempts": 1})


@pytest.fixture
def service() -> Iterator[Service]:
    with scripted_service() as service:
        service.seed("job-1")
        service.make_bucket("ocr-data")
        yield service


@pytest.mark.parametrize(
    ("refusal", "code", "status"),
    [
        (THROTTLED, "ThrottlingException", 400),
        (EXPIRED_TOKEN, "ExpiredTokenException", 400),
        (DENIED, "AccessDeniedException", 400),
        (SERVER_ERROR, "InternalFailure", 500),
        (UNAVAILABLE, "ServiceUnavailable", 503),
        (Refusal("ResourceLimitExceeded", "no more"), "ResourceLimitExceeded", 400),
    ],
)
def test_a_call_is_refused_as_often_as_asked(service: Service, refusal: Refusal, code: str, status: int):
    service.fail("DescribeTrainingJob", refusal, times=2)
    sagemaker = service.client("sagemaker", config=ONE_TRY)
    for _ in range(2):
        with pytest.raises(ClientError) as caught:
            sagemaker.describe_training_job(TrainingJobName="job-1")
        assert caught.value.response["Error"]["Code"] == code
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
        sagemaker.list_training_jobs()
    sagemaker.describe_training_job(TrainingJobName="job-1")
    assert [request.error for request in service.requests("DescribeTrainingJob")] == [code, code, ""]


def test_boto3_tries_again_by_itself(service: Service):
    service.fail("DescribeTrainingJob", THROTTLED, times=1)
    service.fail("DescribeTrainingJob", CONNECTION_RESET, times=1)
    service.client("sagemaker").describe_training_job(TrainingJobName="job-1")
    assert len(service.requests("DescribeTrainingJob")) == 2, "one call may meet both"


def test_an_expired_token_is_expired_everywhere_until_it_is_renewed(service: Service):
    service.fail("*", EXPIRED_TOKEN)
    for name, call, code in (
        ("sagemaker", lambda client: client.list_training_jobs(), "ExpiredTokenException"),
        ("logs", lambda client: client.describe_log_streams(logGroupName="g"), "ExpiredTokenException"),
        ("ecr", lambda client: client.describe_repositories(), "ExpiredTokenException"),
        ("s3", lambda client: client.list_objects_v2(Bucket="ocr-data"), "ExpiredToken"),
        ("sts", lambda client: client.get_caller_identity(), "ExpiredToken"),
        ("iam", lambda client: client.list_roles(), "ExpiredToken"),
    ):
        with pytest.raises(ClientError) as caught:
            call(service.client(name, config=ONE_TRY))
        assert caught.value.response["Error"]["Code"] == code
    service.own_client("sts").get_caller_identity()
    service.heal()
    service.client("sagemaker").list_training_jobs()


def test_uploads_meet_faults_too(service: Service):
    s3 = service.client("s3", config=ONE_TRY)
    service.fail("PutObject", CONNECTION_RESET, times=1, after=1)
    service.fail("PutObject", THROTTLED, times=1, after=2)
    s3.put_object(Bucket="ocr-data", Key="1", Body=b"x" * 100_000)
    with pytest.raises(HTTPClientError):
        s3.put_object(Bucket="ocr-data", Key="2", Body=b"x" * 100_000)
    with pytest.raises(ClientError, match="SlowDown"):
        s3.put_object(Bucket="ocr-data", Key="3", Body=b"x" * 100_000)
    s3.put_object(Bucket="ocr-data", Key="4", Body=b"x" * 100_000)
    keys = [entry["Key"] for entry in service.own_client("s3").list_objects_v2(Bucket="ocr-data")["Contents"]]
    assert keys == ["1", "4"]
    assert [request.size >= 100_000 for request in service.requests("PutObject")] == [True] * 4


def test_parts_and_deletions_have_their_api_names(service: Service):
    s3 = service.client("s3")
    upload = s3.create_multipart_upload(Bucket="ocr-data", Key="k")["UploadId"]
    where = {"Bucket": "ocr-data", "Key": "k", "UploadId": upload}
    part = s3.upload_part(**where, PartNumber=1, Body=b"x")
    s3.complete_multipart_upload(**where, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
    s3.delete_objects(Bucket="ocr-data", Delete={"Objects": [{"Key": "k"}]})
    s3.get_bucket_location(Bucket="ocr-data")
    assert [request.operation for request in service.requests()] == [
        "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "DeleteObjects", "GetBucketLocation"
    ]  # fmt: skip
    assert len(service.writes()) == 4


def test_a_denied_call_is_a_403_where_it_is_one(service: Service):
    service.fail("HeadBucket", DENIED)
    with pytest.raises(ClientError) as caught:
        service.client("s3", config=ONE_TRY).head_bucket(Bucket="ocr-data")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_calls_can_be_slow(service: Service):
    service.delay("ListTrainingJobs", 0.3, times=1)
    sagemaker = service.client("sagemaker")
    began = time.monotonic()
    sagemaker.list_training_jobs()
    assert time.monotonic() - began >= 0.3
