"""What `setup` calls the things it makes when nobody says so."""

from __future__ import annotations

from launcher.aws import Account


def default_bucket(account: Account) -> str:
    """A name that nobody else can have had a reason to take, in 63 characters at most."""
    return f"paddleocr-sagemaker-{account.id}-{account.region}"


def default_role(account: Account) -> str:
    """Roles belong to no region, but this one may touch the bucket of one region only."""
    return f"paddleocr-sagemaker-{account.region}"
