"""The AWS account that the launcher works in. What AWS has against a call: data_preparation/aws.py."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from contract.errors import UserError
from data_preparation.aws import (
    ATTEMPTS,
    NoRegion,
    doubts_about_region,
    error_code,
    explained,
    has_expired,
    is_unreachable,
    open_client,
    open_session,
    reason_and_remedy,
    will_pass,
)

__all__ = [
    "Account",
    "NoRegion",
    "error_code",
    "explained",
    "has_expired",
    "open_account",
    "reason_and_remedy",
    "will_pass",
]


@dataclass(frozen=True)
class Account:
    """Who calls AWS, and where."""

    id: str  # 12 digits
    region: str
    session: Any = field(repr=False)
    arn: str = ""  # of the user or the session of a role that calls
    profile: str = ""  # as it was named

    @property
    def keys_are_variables(self) -> bool:
        """The credentials come from the environment, where a process never sees new ones."""
        found = self.session.get_credentials()
        return found is not None and found.method == "env"

    def client(self, service: str, region: str = "", *, attempts: int = ATTEMPTS) -> Any:
        """A boto3 client of a service, such as "ecr"; `region`: where a service lives that is not in every region."""
        return open_client(self.session, service, region or self.region, attempts=attempts)

    def renewed(self) -> Account:
        """The same account, with credentials as they are now on this machine. Raises UserError."""
        now = open_account(self.profile, self.region)
        if now.id != self.id:
            raise UserError(
                f"these AWS credentials are of the account {now.id} now, the job is in {self.id}: sign in there again"
            )
        return now


def open_account(profile: str = "", region: str = "") -> Account:
    """The account behind the credentials at hand; asks AWS once. Raises UserError."""
    asking = "asking AWS whose credentials these are"
    with explained(asking, profile):
        session, place = open_session(profile, region)
    try:
        with explained(asking, profile):
            identity = open_client(session, "sts", place).get_caller_identity()
    except UserError as error:
        if is_unreachable(error.__cause__) and (doubts := doubts_about_region(session, place)):
            raise UserError(f"{asking}: AWS cannot be reached in {place}; {doubts}") from error
        raise
    return Account(identity["Account"], place, session, identity["Arn"], profile)
