"""The one place that makes AWS clients, and that says in one sentence what AWS has against a call."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from contract.errors import UserError

# AWS throttles and fails at times: five tries, with pauses that adapt to its answers, are 10 to 30 seconds.
RETRIES = {"mode": "adaptive", "total_max_attempts": 5}
CONNECT_TIMEOUT_S = 10

SAID_AT_MOST = 400  # characters of what AWS said; a proxy in between may answer with a whole page

_OUTDATED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")
_WRONG_KEYS = (
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "IncompleteSignature",
    "AuthFailure",
)
_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")


@dataclass(frozen=True)
class Account:
    """Who calls AWS, and where."""

    id: str  # 12 digits
    region: str
    session: Any = field(repr=False)

    def client(self, service: str) -> Any:
        """A boto3 client of a service, such as "ecr"."""
        return _client(self.session, service, self.region)


def open_account(profile: str = "", region: str = "") -> Account:
    """The account behind the credentials at hand; asks AWS once. Raises UserError."""
    try:
        import boto3
    except ImportError:
        raise UserError("the Python package boto3 is not installed here: run bash setup.sh --launch") from None

    with explained("asking AWS whose credentials these are"):
        session = boto3.Session(profile_name=profile or None)
        # The CLI, CloudShell and notebooks set AWS_REGION; boto3 itself reads AWS_DEFAULT_REGION and the profile.
        place = region or os.environ.get("AWS_REGION") or session.region_name
        if not place:
            raise UserError("no AWS region is set: give --region, such as --region ap-southeast-1, or set AWS_REGION")
        identity = _client(session, "sts", place).get_caller_identity()
    return Account(identity["Account"], place, session)


@contextmanager
def explained(doing: str) -> Iterator[None]:
    """Turns what boto3 raises inside into a UserError; `doing` says what was under way."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise UserError(f"{doing}: {_reason_and_remedy(error)}") from error


def error_code(error: Exception) -> str:
    """AWS's name of a refusal, such as RepositoryNotFoundException; empty for other errors."""
    return str(_answer(error).get("Code", ""))


def _client(session: Any, service: str, region: str) -> Any:
    from botocore.config import Config

    return session.client(
        service, region_name=region, config=Config(retries=RETRIES, connect_timeout=CONNECT_TIMEOUT_S)
    )


def _reason_and_remedy(error: Exception) -> str:
    from botocore import exceptions as known

    said = " ".join(str(error).split()).rstrip(".")
    code = error_code(error)
    if isinstance(error, known.NoCredentialsError):
        return "no AWS credentials are found: run `aws configure` or `aws sso login`, or name a --profile"
    if isinstance(error, known.ProfileNotFound):
        return f"{said}: `aws configure list-profiles` lists those there are"
    if code in _OUTDATED or isinstance(error, (known.SSOError, known.TokenRetrievalError, known.LoginError)):
        return f"the AWS credentials have expired ({_message(error)}): sign in again, such as with `aws sso login`"
    if code in _WRONG_KEYS:
        return f"AWS does not accept these credentials ({_message(error)}): check the keys, or name another --profile"
    if code in _DENIED:
        return f"AWS does not allow it ({_message(error)}): ask for this permission, or name another --profile"
    if isinstance(error, (known.ConnectionError, known.HTTPClientError)):
        return f"AWS cannot be reached ({said}): check the network, the proxy and the region"
    if isinstance(error, known.InvalidRegionError):
        return f"{said}: name one such as ap-southeast-1 with --region"
    if code:
        return f"AWS answers {code} ({_message(error)}): try again, or look the name up in the service's documentation"
    return f"{said}: check the AWS settings of this machine (`aws configure list`)"


def _message(error: Exception) -> str:
    """What AWS said, on one line and without the full stop."""
    return " ".join(str(_answer(error).get("Message") or error).split())[:SAID_AT_MOST].rstrip(".")


def _answer(error: Exception) -> Mapping[str, Any]:
    """Code and message of a ClientError. The `response` of other errors is HTTP's, or None."""
    response = getattr(error, "response", None)
    return response.get("Error", {}) if isinstance(response, dict) else {}
