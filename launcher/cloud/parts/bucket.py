"""The bucket: private, versioned, for encrypted connections only where S3 is AWS's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from contract.errors import UserError
from launcher.aws import Account, error_code, explained
from launcher.cloud.partition import partition_of
from launcher.cloud.parts.part import INCOMPLETE, MISSING, OTHERS, OURS, TAG, Contents, Found, is_ours
from launcher.cloud.probes.bucket import region_of_bucket
from launcher.status_line import PlainStatus

# Written when all settings are: a setup that was cut short goes on next time.
COMPLETE = {"Key": "paddleocr-sagemaker:setup", "Value": "complete"}
OLD_VERSIONS_DAYS = 30  # SageMaker passes deletions of checkpoints on to S3: for this long they can be undone
UPLOADS_DAYS = 7
AT_ONCE = 1000  # keys in one DeleteObjects


class Bucket:
    """One bucket of the account."""

    kind = "bucket"

    def __init__(self, account: Account, name: str) -> None:
        self.name = name
        self._account = account
        self._client = account.client("s3")

    def look(self) -> Found:
        with explained(f"looking for the bucket {self.name}"):
            status, region = region_of_bucket(self._client, self.name)
            if status == 404:
                return Found(MISSING)
            if status != 200:
                raise UserError(
                    f"the bucket {self.name} is another account's, or these credentials may not look into it: name "
                    "another --bucket or --profile"
                )
            if region and region != self._account.region:
                raise UserError(
                    f"the bucket {self.name} is in {region} and this call in {self._account.region}: give --region "
                    f"{region}, or another --bucket"
                )
            tags = self._tags()
        if not is_ours(tags):
            return Found(OTHERS)
        return Found(OURS) if COMPLETE in tags else Found(INCOMPLETE, "its settings are not complete")

    def plan(self) -> str:
        return (
            f"in {self._account.region}, private, versioned (what is overwritten or deleted stays for "
            f"{OLD_VERSIONS_DAYS} days)" + (", for encrypted connections only" if is_encrypted(self._client) else "")
        )

    def create(self) -> tuple[str, ...]:
        name, region = self.name, self._account.region
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        client = self._client
        with explained(f"creating the bucket {name}"):
            try:
                client.create_bucket(Bucket=name, **place)
            except (client.exceptions.BucketAlreadyOwnedByYou, client.exceptions.BucketAlreadyExists):
                if self.look().state not in (INCOMPLETE, OURS):  # someone was quicker
                    raise
            self._tag(TAG)
        with explained(f"setting up the bucket {name}"):
            client.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=dict.fromkeys(_BLOCKS, True))
            client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
            client.put_bucket_lifecycle_configuration(Bucket=name, **self._lifecycle())
            if is_encrypted(client):
                client.put_bucket_policy(Bucket=name, Policy=json.dumps(self._policy()))
            self._tag(TAG, COMPLETE)
        return ()

    def contents(self, view: PlainStatus) -> Contents | None:
        count = size = 0
        with explained(f"counting what is in the bucket {self.name}"):
            for version in self._versions():
                count, size = count + 1, size + int(version.get("Size", 0))
                if count % AT_ONCE == 0:
                    view.set(f"counting what is in {self.name}: {count:,}")
        return Contents(count, size, "object version")

    def serves(self, job: dict[str, Any]) -> bool:
        """Data, checkpoints, model: anything that the job names may lie here, and be the whole bucket (`s3://name"`)."""
        return f"s3://{self.name}/" in json.dumps(job, default=str).replace('"', "/")

    def remove(self, view: PlainStatus, *, deletes_data: bool) -> None:
        with explained(f"deleting the bucket {self.name}"):
            if deletes_data:
                self._empty(view)
            try:
                self._client.delete_bucket(Bucket=self.name)
            except self._client.exceptions.ClientError as error:
                if error_code(error) != "BucketNotEmpty":
                    raise
                raise UserError(
                    f"something was written to the bucket {self.name} meanwhile: start again, which lists it"
                ) from None

    def _tags(self) -> list[dict[str, str]]:
        return list(self._now("get_bucket_tagging", "NoSuchTagSet").get("TagSet", []))

    def _tag(self, *tags: dict[str, str]) -> None:
        """Add to the tags, or set these: others stay."""
        ours = [tag["Key"] for tag in tags]
        others = [tag for tag in self._tags() if tag["Key"] not in ours]
        self._client.put_bucket_tagging(Bucket=self.name, Tagging={"TagSet": [*others, *tags]})

    def _now(self, operation: str, missing: str) -> dict[str, Any]:
        """A setting as it is; empty where there is none, which S3 says with the code `missing`."""
        try:
            return dict(getattr(self._client, operation)(Bucket=self.name))
        except self._client.exceptions.ClientError as error:
            if error_code(error) == missing:
                return {}
            raise

    def _lifecycle(self) -> dict[str, Any]:
        """Ours beside the rules of others, as the members of a request."""
        now = self._now("get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration")
        others = [rule for rule in now.get("Rules", []) if rule.get("ID") != _RULE["ID"]]
        size = "TransitionDefaultMinimumObjectSize"
        kept = {size: now[size]} if size in now else {}
        return {"LifecycleConfiguration": {"Rules": [*others, _RULE]}, **kept}

    def _policy(self) -> dict[str, Any]:
        """Ours beside the statements of others."""
        written = json.loads(self._now("get_bucket_policy", "NoSuchBucketPolicy").get("Policy", "{}"))
        arn = f"arn:{partition_of(self._account.region).name}:s3:::{self.name}"
        statement = {
            "Sid": _SID,
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [arn, f"{arn}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
        found = written.get("Statement", [])
        others = [each for each in ([found] if isinstance(found, dict) else found) if each.get("Sid") != _SID]
        return {"Version": "2012-10-17"} | written | {"Statement": [*others, statement]}

    def _empty(self, view: PlainStatus) -> None:
        done = 0
        # The first page again and again: no place in a list has to survive that what it lists is deleted.
        while batch := self._first_versions():
            done += self._delete(batch)
            view.set(f"deleting what is in {self.name}: {done:,}")
        self._abort_uploads()

    def _versions(self) -> Iterator[dict[str, Any]]:
        """Every version of every object, and every mark of a deletion."""
        for page in self._client.get_paginator("list_object_versions").paginate(Bucket=self.name):
            yield from page.get("Versions", [])
            yield from page.get("DeleteMarkers", [])

    def _first_versions(self) -> list[dict[str, str]]:
        page = self._client.list_object_versions(Bucket=self.name, MaxKeys=AT_ONCE)
        found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        return [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in found]

    def _delete(self, batch: list[dict[str, str]]) -> int:
        answer = self._client.delete_objects(Bucket=self.name, Delete={"Objects": batch, "Quiet": True})
        for error in answer.get("Errors", []):
            raise UserError(
                f"the object {error.get('Key')} of the bucket {self.name} cannot be deleted "
                f"({error.get('Code')}: {error.get('Message')}): remove what holds it, then start again"
            )
        return len(batch)

    def _abort_uploads(self) -> None:
        for page in self._client.get_paginator("list_multipart_uploads").paginate(Bucket=self.name):
            for upload in page.get("Uploads", []):
                self._client.abort_multipart_upload(Bucket=self.name, Key=upload["Key"], UploadId=upload["UploadId"])


def is_encrypted(client: Any) -> bool:
    """It speaks TLS. An S3 of one's own (AWS_ENDPOINT_URL) may not, and the policy would lock everybody out of it."""
    return str(client.meta.endpoint_url).startswith("https:")


_SID = "EncryptedConnectionsOnly"
_BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
_RULE = {
    "ID": "paddleocr-sagemaker",
    "Status": "Enabled",
    "Filter": {"Prefix": ""},
    "NoncurrentVersionExpiration": {"NoncurrentDays": OLD_VERSIONS_DAYS},
    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": UPLOADS_DAYS},
}
