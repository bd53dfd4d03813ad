"""Checkpoints of a run in S3."""

from __future__ import annotations

import re

from launcher.aws import Account, explained
from launcher.cloud.layout import S3Uri


def newest_checkpoint(account: Account, place: S3Uri) -> int | None:
    """The step of the newest checkpoint that is whole in this folder: its manifest comes last. Raises UserError."""
    manifest = re.compile(re.escape(place.key) + r"step-(\d{9})/MANIFEST\.json")
    with explained(f"looking for checkpoints in {place}"):
        pages = account.client("s3").get_paginator("list_objects_v2").paginate(Bucket=place.bucket, Prefix=place.key)
        found = [manifest.fullmatch(each["Key"]) for page in pages for each in page.get("Contents", ())]
    return max((int(match[1]) for match in found if match), default=None)
