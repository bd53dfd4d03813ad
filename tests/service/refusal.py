"""How AWS says no, in the form that each protocol has for it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from xml.sax.saxutils import escape


@dataclass(eq=False)
class Refusal(Exception):
    """An error answer. Without a code: no answer at all, the connection breaks."""

    code: str
    message: str = ""
    status: int = 400

    def body(self, service: str) -> tuple[str, str]:
        """Content type and text, as this service (by its signing name) writes them."""
        said = f"<Code>{self.code}</Code><Message>{escape(self.message)}</Message>"
        if service == "s3":
            return "application/xml", f"<Error>{said}</Error>"
        if service in ("sts", "iam"):
            return "text/xml", f"<ErrorResponse><Error><Type>Sender</Type>{said}</Error></ErrorResponse>"
        return "application/x-amz-json-1.1", json.dumps({"__type": self.code, "message": self.message})


THROTTLED = Refusal("ThrottlingException", "Rate exceeded")
EXPIRED_TOKEN = Refusal("ExpiredTokenException", "The security token included in the request is expired")
DENIED = Refusal(
    "AccessDeniedException",
    "User: arn:aws:iam::123456789012:user/tester is not authorized to perform this operation because no identity-based "
    "policy allows it",
)
SERVER_ERROR = Refusal("InternalFailure", "The request processing has failed because of an unknown error.", 500)
UNAVAILABLE = Refusal("ServiceUnavailable", "The service is temporarily unavailable.", 503)
CONNECTION_RESET = Refusal("")

# The names that S3, STS and IAM have for what JSON services call so.
_OTHER_NAMES = {"ExpiredTokenException": "ExpiredToken", "AccessDeniedException": "AccessDenied"}


def as_said_by(service: str, refusal: Refusal) -> Refusal:
    """A new refusal with the code and the HTTP status that this service gives it."""
    if service not in ("s3", "sts", "iam"):
        return replace(refusal)
    if service == "s3" and refusal.code == THROTTLED.code:
        return Refusal("SlowDown", "Please reduce your request rate.", 503)
    status = 403 if refusal.code == DENIED.code else refusal.status
    return Refusal(_OTHER_NAMES.get(refusal.code, refusal.code), refusal.message, status)
