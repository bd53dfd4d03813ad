"""What `setup` makes in an account and `teardown` takes away: a bucket, a role, a repository."""

from __future__ import annotations

from launcher.aws import Account
from launcher.cloud.parts.bucket import Bucket
from launcher.cloud.parts.part import Part
from launcher.cloud.parts.repository import Repository
from launcher.cloud.parts.role import Role
from launcher.cloud.permissions import Names


def parts_of(account: Account, names: Names) -> tuple[Part, ...]:
    """The three, in the order in which they are made. Nothing is asked yet."""
    return Bucket(account, names.bucket), Role(account, names), Repository(account, names.repository)
