"""Buckets: they are there, in the job's region, and these credentials may look into their folders. Writes nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from launcher.aws import Account
from launcher.cloud.call import setup_command
from launcher.cloud.check import PROBLEM, UNKNOWN, Check, asking, fine, problem, unknown
from launcher.cloud.default_names import default_bucket
from launcher.cloud.layout import S3Uri

NAME = "bucket"


def check_bucket(account: Account, bucket: str, prefix: str, setup: Callable[..., str] = setup_command) -> Check:
    """HeadBucket tells existence and region even to those who may not look in; listing the folder tells the rest."""
    if not bucket:
        return problem(NAME, "no bucket is set", f"run `{setup()}`, or name one with --bucket or in launcher.yml")
    return asking(NAME, f"looking for the bucket {bucket}", lambda: _look(account, bucket, prefix, setup))


def check_all(
    account: Account, bucket: str, prefix: str, others: tuple[S3Uri, ...], setup: Callable[..., str]
) -> Check:
    """The bucket, and `others`: folders elsewhere that the job writes to. The first problem stands for all."""
    checks = [check_bucket(account, bucket, prefix, setup)]
    for place in dict.fromkeys(others):
        if place.bucket != bucket:
            look = partial(_look_elsewhere, account, place)
            checks.append(asking(NAME, f"looking for the bucket {place.bucket}", look))
    worst = [check for status in (PROBLEM, UNKNOWN) for check in checks if check.status == status]
    return worst[0] if worst else fine(NAME, "; ".join(check.detail for check in checks))


def region_of_bucket(client: Any, bucket: str) -> tuple[int, str]:
    """The HTTP status of a look at a bucket, and its region where S3 says it."""
    from botocore.exceptions import ClientError

    try:
        answer = client.head_bucket(Bucket=bucket)
    except ClientError as error:
        answer = error.response
        if answer["ResponseMetadata"]["HTTPStatusCode"] not in (301, 400, 403, 404):
            raise
    metadata = answer["ResponseMetadata"]
    return metadata["HTTPStatusCode"], metadata.get("HTTPHeaders", {}).get("x-amz-bucket-region", "")


def _look_elsewhere(account: Account, place: S3Uri) -> Check:
    """What only the role has to reach: that the user may not list it is no problem."""
    status, region = region_of_bucket(account.client("s3"), place.bucket)
    if status == 404:
        return problem(NAME, f"there is no bucket {place.bucket} for {place}", "correct --output or --checkpoint-uri")
    remedy = f"give --region {region}, or a bucket in {account.region}"
    return _in_another_region(account, place.bucket, region, remedy) or fine(NAME, f"{place}, {region}".rstrip(", "))


def _in_another_region(account: Account, bucket: str, region: str, remedy: str) -> Check | None:
    if not region or region == account.region:
        return None
    far = f"{bucket} is in {region} and the job in {account.region}, but SageMaker works with its own region only"
    return problem(NAME, far, remedy)


def _look(account: Account, bucket: str, prefix: str, setup: Callable[..., str]) -> Check:
    client = account.client("s3")
    status, region = region_of_bucket(client, bucket)
    if status == 404:
        return problem(NAME, f"there is no bucket {bucket}", f"run `{setup()}`, which makes it, or correct --bucket")
    remedy = f"run `{setup(bucket=default_bucket(account))}`, which makes one there, or give --region {region}"
    if far := _in_another_region(account, bucket, region, remedy):
        return far
    folder = f"{prefix}/" if prefix else ""
    denied = _why_not_listed(client, bucket, folder)
    if denied:
        return problem(
            NAME,
            f"{bucket} is there, but these credentials may not list s3://{bucket}/{folder} ({denied})",
            "grant what docs/iam/launching-user.json has, or name another --profile or --bucket",
        )
    if not region:
        return unknown(NAME, f"{bucket} can be listed; S3 does not say in which region it is")
    return fine(NAME, f"s3://{bucket}/{folder} in {region}")


def _why_not_listed(client: Any, bucket: str, folder: str) -> str:
    from botocore.exceptions import ClientError

    try:
        client.list_objects_v2(Bucket=bucket, Prefix=folder, MaxKeys=1)
    except ClientError as error:
        code = str(error.response["Error"].get("Code", ""))
        if code not in ("AccessDenied", "403", "AllAccessDisabled"):
            raise
        return code
    return ""
