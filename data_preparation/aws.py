"""Makes AWS clients, and says in one sentence what AWS has against a call."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from contract.errors import UserError

# AWS throttles and fails at times: five tries, with pauses that adapt to its answers, are 10 to 30 seconds.
ATTEMPTS = 5
CONNECT_TIMEOUT_S = 10

_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d{1,2}")
_MAKING = threading.Lock()  # botocore's sessions make one client at a time; the clients themselves are for all threads

NOT_INSTALLED = "the Python package boto3 is not installed here: run `bash setup.sh --launch`"

SAID_AT_MOST = 400  # characters of what AWS said; a proxy in between may answer with a whole page

_OUTDATED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired")
_WRONG_KEYS = (
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "IncompleteSignature",
    "AuthFailure",
)
_OFF_BY = ("Signature expired", "Signature not yet current")  # said with several codes, one of them of wrong keys
_BUSY = (
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "SlowDown",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "InternalFailure",
    "InternalServerError",
    "InternalError",
)
_DENIED = ("AccessDenied", "AccessDeniedException", "AllAccessDisabled", "403", "UnauthorizedOperation")


class NoRegion(UserError):
    """Nothing says in which region to work."""


def open_session(profile: str = "", region: str = "") -> tuple[Any, str]:
    """A boto3 session and the region to work in; asks nobody yet. Raises UserError, and botocore's own errors."""
    try:
        import boto3
    except ImportError:
        raise UserError(NOT_INSTALLED) from None

    session = boto3.Session(profile_name=profile or None)
    # The CLI, CloudShell and notebooks set AWS_REGION; boto3 itself reads AWS_DEFAULT_REGION and the profile.
    place = region or os.environ.get("AWS_REGION") or session.region_name
    if place:
        if not _REGION.fullmatch(place):
            raise UserError(doubts_about_region(session, place))
        return session, place
    if session.get_credentials() is None:
        raise UserError(
            f"no AWS region is set, and no AWS credentials are found: run `aws configure{_of(profile)}`, which asks "
            "for both, or set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION"
        )
    raise NoRegion("no AWS region is set: give --region, such as --region ap-southeast-1, or set AWS_REGION")


def doubts_about_region(session: Any, region: str) -> str:
    """Why a region may be mistyped; empty for one that the installed boto3 lists: newer ones are not in its list."""
    from contract.hyperparameters import did_you_mean

    partitions = session.get_available_partitions()
    known = [name for each in partitions for name in session.get_available_regions("sagemaker", each)]
    if region in known:
        return ""
    guess = did_you_mean(region, known)
    if not _REGION.fullmatch(region):
        return f"{region!r} (from --region, AWS_REGION or the profile) is no AWS region{guess}"
    return f"the installed boto3 lists no region {region} with SageMaker{guess}"


def open_client(session: Any, service: str, region: str, *, connections: int = 10, attempts: int = ATTEMPTS) -> Any:
    """A client of a service, such as "ecr". connections: how many stay open, one for each thread that calls."""
    from botocore.config import Config

    retries = {"mode": "adaptive", "total_max_attempts": attempts}
    config = Config(retries=retries, connect_timeout=CONNECT_TIMEOUT_S, max_pool_connections=connections)
    with _MAKING:
        return session.client(service, region_name=region, config=config)


@contextmanager
def explained(doing: str, profile: str = "") -> Iterator[None]:
    """Turns what boto3 raises inside into a UserError; `doing` says what was under way, `profile` who was named."""
    try:
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError
    except ImportError:
        raise UserError(NOT_INSTALLED) from None
    try:
        yield
    except (BotoCoreError, ClientError, ResponseParserError) as error:
        raise UserError(f"{doing}: {reason_and_remedy(error, profile)}") from error


def error_code(error: Exception) -> str:
    """AWS's name of a refusal, such as RepositoryNotFoundException; empty for other errors."""
    return str(_answer(error).get("Code", ""))


def has_expired(error: Exception) -> bool:
    """The credentials are too old, or are being replaced: signing in again mends it."""
    from botocore import exceptions as known

    if is_clock_wrong(error):
        return False
    signed_out = (known.SSOError, known.TokenRetrievalError, known.LoginError, known.NoCredentialsError)
    return error_code(error) in (*_OUTDATED, *_WRONG_KEYS) or isinstance(
        error, (*signed_out, known.PartialCredentialsError, known.CredentialRetrievalError)
    )


def is_clock_wrong(error: Exception) -> bool:
    """AWS takes a request within some minutes of its own time only."""
    return error_code(error) == "RequestTimeTooSkewed" or _message(error).startswith(_OFF_BY)


def is_denied(error: BaseException | None) -> bool:
    """AWS knows who calls, and does not let them."""
    return isinstance(error, Exception) and error_code(error) in _DENIED


def will_pass(error: Exception) -> bool:
    """AWS is busy, failing or out of reach: the same call may do later."""
    from botocore import exceptions as known
    from botocore.parsers import ResponseParserError

    if isinstance(error, known.ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= 500 or status == 429 or error_code(error) in _BUSY
    return is_unreachable(error) or isinstance(error, ResponseParserError)


def is_unreachable(error: BaseException | None) -> bool:
    """No answer came."""
    from botocore import exceptions as known

    return isinstance(error, (known.ConnectionError, known.HTTPClientError))


def reason_and_remedy(error: Exception, profile: str = "") -> str:
    """What a botocore error means, and what to do. `profile`: the one that was named, for commands to paste."""
    from botocore import exceptions as known
    from botocore.parsers import ResponseParserError

    said = " ".join(str(error).split()).rstrip(".")
    code = error_code(error)
    if isinstance(error, known.NoCredentialsError):
        return (
            f"no AWS credentials are found: run `aws configure{_of(profile)}`, or `aws sso login{_of(profile)}`, or "
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a --profile"
        )
    if isinstance(error, known.PartialCredentialsError):
        return f"{said}: {_other_half(str(error.kwargs['provider']), str(error.kwargs['cred_var']), profile)}"
    if isinstance(error, known.ProfileNotFound):
        return f"there is no AWS profile {error.kwargs['profile']}: {_profiles(str(error.kwargs['profile']))}"
    if is_clock_wrong(error):
        return f"the clock of this machine is wrong{_by_how_much(error)}: set it (`timedatectl set-ntp true` on Linux)"
    if code in _OUTDATED or isinstance(error, (known.SSOError, known.TokenRetrievalError, known.LoginError)):
        return f"the AWS credentials have expired ({_message(error)}): {_sign_in(profile)}"
    if code in _WRONG_KEYS:
        return (
            f"AWS does not accept these credentials ({_message(error)}): check the keys, or name another --profile "
            "(`aws configure list` shows where they come from)"
        )
    if code in _DENIED:
        return f"AWS does not allow it ({_message(error)}): ask for this permission, or name another --profile"
    if isinstance(error, ResponseParserError):  # the login page of a network, the error page of a proxy
        return f"what answers is not AWS ({_without_page(said)}): check the network and the proxy"
    if is_unreachable(error):
        return f"AWS cannot be reached ({said}): check the network, the proxy and the region"
    if code in _BUSY:
        return f"AWS is busy and keeps answering {code} ({_message(error)}): wait some minutes and try again"
    if isinstance(error, known.InvalidRegionError):
        return f"{said}: name one such as ap-southeast-1 with --region"
    if code:
        return f"AWS answers {code} ({_message(error)}): try again, or look the name up in the service's documentation"
    return f"{said}: check the AWS settings of this machine (`aws configure list`)"


def _by_how_much(error: Exception) -> str:
    """AWS's answer has its own time."""
    response = getattr(error, "response", None) or {}
    try:
        said = parsedate_to_datetime(response["ResponseMetadata"]["HTTPHeaders"]["date"])
    except (KeyError, TypeError, ValueError):
        return ""
    off = (datetime.now(timezone.utc) - said).total_seconds()
    return f" by {abs(off) / 60:,.0f} minutes (AWS has {said:%Y-%m-%d %H:%M} UTC)"


def _of(profile: str) -> str:
    return f" --profile {profile}" if profile else ""


def _sign_in(profile: str) -> str:
    """Keys in the environment win over everything but a profile that is named, however often one signs in."""
    if os.environ.get("AWS_SESSION_TOKEN") and not profile:
        return (
            "sign in again, with fresh AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or unset these "
            "three and run `aws sso login`"
        )
    return f"sign in again, such as with `aws sso login{_of(profile)}`"


def _other_half(provider: str, missing: str, profile: str) -> str:
    if provider != "env":
        return f"run `aws configure{_of(profile)}` and give both keys (`aws configure list` shows where they come from)"
    given = "AWS_ACCESS_KEY_ID" if "SECRET" in missing.upper() else "AWS_SECRET_ACCESS_KEY"
    return f"set {missing} too, or `unset {given}` (`aws configure list` shows what counts then)"


def _profiles(wanted: str) -> str:
    """Which profiles there are; one that AWS_PROFILE names and nobody has is no obstacle to this question."""
    from botocore.session import Session

    there = sorted(Session().full_config.get("profiles", {}))
    others = f"name one of {', '.join(there)} with --profile, or " if there else ""
    return f"{others}run `aws configure --profile {wanted}`, which makes it (`aws configure list-profiles` lists all)"


def _message(error: Exception) -> str:
    """What AWS said, on one line and without the full stop."""
    return _without_page(" ".join(str(_answer(error).get("Message") or error).split()))


def _without_page(said: str) -> str:
    """Without the web page that a proxy or a server answers with, and not endless."""
    words, _, page = said.partition("<")
    if page[:20].lower().startswith(("!doctype", "html")):
        said = words.removesuffix("b'") + "a web page"
    return said[:SAID_AT_MOST].rstrip(".")


def _answer(error: Exception) -> Mapping[str, Any]:
    """Code and message of a ClientError. The `response` of other errors is HTTP's, or None."""
    response = getattr(error, "response", None)
    return response.get("Error", {}) if isinstance(response, dict) else {}
