"""One folder in S3: what lies there, and how a file gets there. Says in one sentence what S3 has against a call."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from os import SEEK_END
from typing import Any, BinaryIO

from contract.errors import UserError
from data_preparation.aws import error_code, reason_and_remedy
from data_preparation.pieces import Content

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_URI = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?")
LARGEST_PUT = 5 * 2**30  # bytes that S3 takes in one request
PART = 256 * 2**20
# Bytes up to which a body is sent in one go. Botocore asks S3 first whether to send a stream (100-continue), which
# doubles the wait for a small file and spares a large one; and a stream's time limit is for each of its parts, not for
# all of it, which a slow line would exceed.
AT_ONCE = 2**20
_CONFLICT_PAUSES_S = (0.5, 1.0, 2.0, 4.0)  # while someone else writes the same key
_BROKEN_PAUSES_S = (0.1, 0.5, 2.0, 5.0)  # after an answer that broke off
_OTHER_BYTES = ("BadDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch")


@dataclass(frozen=True)
class Listed:
    """An object as a listing shows it. `etag` is the MD5 of the content unless it is encrypted with a KMS key."""

    path: str  # relative to the folder
    bytes: int
    etag: str


@dataclass(frozen=True)
class S3Folder:
    """A prefix that ends with /, in a bucket of the region. Botocore's errors pass through: `explained` takes them."""

    client: Any = field(repr=False)
    bucket: str
    key: str
    region: str
    kms_key: str = ""

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    def beginning(self, path: str, length: int) -> bytes | None:
        """The first bytes of an object; None when there is none."""
        from botocore.exceptions import ClientError

        try:
            whole = self.client.get_object(Bucket=self.bucket, Key=self.key + path, Range=f"bytes=0-{length - 1}")
            return whole["Body"].read()
        except ClientError as error:
            if error_code(error) == "InvalidRange":  # an empty object has no first byte
                return b""
            if is_missing(error, self.client, self.bucket, self.key + path):
                return None
            raise

    def fetch(self, path: str, out: BinaryIO, moved: Callable[[int], None]) -> bool:
        """Write an object behind what is in `out`; False when there is none. An answer that breaks off goes on.

        moved: told of bytes as they come. Whether they are the right ones is for the caller to look at.
        """
        from botocore.exceptions import ClientError, FlexibleChecksumError, HTTPClientError, IncompleteReadError

        begin = out.tell()
        for pause in (*_BROKEN_PAUSES_S, None):
            start = out.tell() - begin
            try:
                more = {"Range": f"bytes={start}-"} if start else {}
                answer = self.client.get_object(Bucket=self.bucket, Key=self.key + path, **more)
                body = answer["Body"]
                while chunk := body.read(AT_ONCE):
                    out.write(chunk)
                    moved(len(chunk))
                return True
            except ClientError as error:
                if error_code(error) == "InvalidRange":  # it broke off at the very end
                    return True
                if is_missing(error, self.client, self.bucket, self.key + path):
                    return False
                raise
            except FlexibleChecksumError:
                return True
            except (HTTPClientError, IncompleteReadError):
                if pause is None:
                    raise
                time.sleep(pause)
        raise AssertionError("the last pause is None")

    def check_region(self) -> None:
        """Raise UserError unless the bucket exists in the region: SageMaker reads from no other."""
        from botocore.exceptions import ClientError

        try:
            answer = self.client.head_bucket(Bucket=self.bucket)
        except ClientError as error:
            answer = error.response
            if answer["ResponseMetadata"]["HTTPStatusCode"] == 404:
                raise UserError(self._no_bucket()) from None
            # S3 names the region when it refuses, too; HeadBucket may be forbidden where PutObject is allowed.
        region = answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region", self.region)
        if region != self.region:
            raise UserError(
                f"the bucket {self.bucket} is in {region}, and the job is to run in {self.region}, where SageMaker"
                f" cannot read it: give --region {region}, or name a bucket in {self.region}"
            )

    def listed(self) -> Iterator[Listed]:
        """What lies there, in the order of UTF-8 bytes, a thousand objects a request."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.key)
        for page in pages:
            for each in page.get("Contents", ()):
                yield Listed(each["Key"].removeprefix(self.key), each["Size"], each["ETag"].strip('"'))

    def below(self, path: str) -> list[str]:
        """The folders in a folder, relative to this one, with their slash."""
        pages = self.client.get_paginator("list_objects_v2")
        found = pages.paginate(Bucket=self.bucket, Prefix=self.key + path, Delimiter="/")
        return [each["Prefix"].removeprefix(self.key) for page in found for each in page.get("CommonPrefixes", ())]

    def put(self, path: str, body: bytes | BinaryIO, sha256: str, *, only_new: bool = False) -> bool:
        """Send an object, whose SHA-256 S3 verifies. False: only_new is asked, and there is one of this name."""
        from botocore.exceptions import ClientError

        if isinstance(body, bytes) and len(body) > AT_ONCE:
            body = BytesIO(body)
        if not isinstance(body, bytes) and body.seek(0, SEEK_END) > LARGEST_PUT:
            return self._put_in_parts(path, body, only_new=only_new)
        options = self._encryption() | ({"IfNoneMatch": "*"} if only_new else {})
        for pause in (*_CONFLICT_PAUSES_S, None):
            if not isinstance(body, bytes):
                body.seek(0)
            try:
                self.client.put_object(
                    Bucket=self.bucket,
                    Key=self.key + path,
                    Body=body,
                    ChecksumAlgorithm="SHA256",
                    ChecksumSHA256=_base64(sha256),
                    **options,
                )
                return True
            except ClientError as error:
                if error_code(error) == "PreconditionFailed":
                    return False
                if error_code(error) != "ConditionalRequestConflict" or pause is None:
                    raise
                time.sleep(pause)
        raise AssertionError("the last pause is None")

    def _put_in_parts(self, path: str, body: BinaryIO, *, only_new: bool) -> bool:
        """S3 verifies the SHA-256 of each part; what is cut short leaves nothing behind."""
        from boto3.s3.transfer import TransferConfig

        key = self.key + path
        if only_new and any(each["Key"] == key for each in self._first(key)):
            return False
        body.seek(0)
        self.client.upload_fileobj(
            body,
            self.bucket,
            key,
            ExtraArgs={"ChecksumAlgorithm": "SHA256"} | self._encryption(),
            Config=TransferConfig(multipart_threshold=LARGEST_PUT, multipart_chunksize=PART),
        )
        return True

    def _encryption(self) -> dict[str, Any]:
        if not self.kms_key:
            return {}
        # BucketKeyEnabled: one call to KMS for many objects
        return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.kms_key, "BucketKeyEnabled": True}

    def _first(self, key: str) -> list[dict[str, Any]]:
        """The first object whose key begins so."""
        return list(self.client.list_objects_v2(Bucket=self.bucket, Prefix=key, MaxKeys=1).get("Contents", ()))

    def holds_still(self, path: str, content: Content) -> bool:
        """The same of an object that may be gone."""
        from botocore.exceptions import ClientError

        try:
            return self.holds(path, content)
        except ClientError as error:
            if is_missing(error, self.client, self.bucket, self.key + path):
                return False
            raise

    def holds(self, path: str, content: Content, listed: Listed | None = None) -> bool:
        """The object has this content, and is encrypted as asked. One request when the listing won't do."""
        if listed and listed.bytes != content.size:
            return False
        if listed and not self.kms_key and listed.bytes <= AT_ONCE and listed.etag == content.md5:
            return True
        head = self.client.head_object(Bucket=self.bucket, Key=self.key + path, ChecksumMode="ENABLED")
        same = head.get("ChecksumSHA256") == _base64(content.sha256) or head["ETag"].strip('"') == content.md5
        return same and self._encrypted_as_asked(head)

    @contextmanager
    def explained(self, doing: str) -> Iterator[None]:
        """Turns botocore's errors inside into a UserError that says what was under way."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except (BotoCoreError, ClientError) as error:
            raise UserError(f"{doing}: {self.reason(error)}") from error

    def reason(self, error: Exception) -> str:
        """What S3 has against a call, and what to do."""
        code = error_code(error)
        if code == "NoSuchBucket":
            return self._no_bucket()
        if code in _OTHER_BYTES:
            return "S3 received other bytes than were read: the file changed meanwhile, or the network damages data"
        if code.startswith("KMS"):
            return f"the KMS key cannot be used ({code}): check --kms-key, its state and its region ({self.region})"
        return reason_and_remedy(error)

    def _no_bucket(self) -> str:
        return (
            f"the bucket {self.bucket} does not exist: name another, or make it with"
            f" `aws s3 mb s3://{self.bucket} --region {self.region}`"
        )

    def _encrypted_as_asked(self, head: dict[str, Any]) -> bool:
        if not self.kms_key:
            return True
        named = self.kms_key.rpartition("/")[2]  # of an ARN or an id; an alias is not what S3 answers
        by_alias = "alias/" in self.kms_key
        return head.get("ServerSideEncryption") == "aws:kms" and (by_alias or head["SSEKMSKeyId"].endswith(named))


def is_missing(error: Exception, client: Any, bucket: str, key: str) -> bool:
    """Whether S3 refused an object because there is none. One request more where it does not say."""
    if error_code(error) in ("NoSuchKey", "NotFound", "404"):
        return True
    if error_code(error) not in ("AccessDenied", "403"):
        return False
    # To those who may list one folder alone, S3 says 403 of a key that does not exist, too.
    found = client.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1)
    return all(each["Key"] != key for each in found.get("Contents", ()))


def s3_folder(client: Any, uri: str, region: str, kms_key: str = "") -> S3Folder:
    """The folder of an `s3://BUCKET/…` address. Raises UserError."""
    bucket, key = bucket_and_key(uri)
    return S3Folder(client, bucket, key if not key or key.endswith("/") else f"{key}/", region, kms_key)


def bucket_and_key(uri: str) -> tuple[str, str]:
    """The parts of an `s3://BUCKET/…` address. Raises UserError."""
    match = _URI.fullmatch(uri)
    if not match:
        raise UserError(f"{uri}: write an address in S3 as s3://BUCKET/folder/")
    return match[1], match[2] or ""


def _base64(sha256: str) -> str:
    return base64.b64encode(bytes.fromhex(sha256)).decode()
