"""Calls to AWS that outlive throttling, outages and expired credentials, for a job that is followed for hours."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

from contract.errors import UserError
from launcher.aws import Account, has_expired, reason_and_remedy, will_pass
from launcher.progress import clock as minutes_and_seconds

TELL_AFTER_S = 120.0  # most trouble is over by then
RENEW_EVERY_S = 20.0  # signing in is noticed this late
ATTEMPTS = 2  # boto's own, per call: the next look is another one
JITTER = 0.1  # many watches that begin together drift apart

Ask = Callable[..., dict[str, Any]]


class NoAnswer(Exception):
    """AWS does not answer this call now; a later one may do."""


class Clock:
    """Time as it passes. Tests bring one that runs faster."""

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds * random.uniform(1 - JITTER, 1 + JITTER))


class PatientAccount:
    """An account whose calls raise NoAnswer for what will pass, and that signs in anew when the user has."""

    def __init__(self, account: Account, say: Callable[[str], None], clock: Clock) -> None:
        self.account = account
        self._say = say
        self._clock = clock
        self._clients: dict[str, Any] = {}
        self._since: float | None = None  # when the trouble began
        self._told = False
        self._expired = False
        self._renew_at = 0.0

    def ask(self, service: str, operation: str, **arguments: Any) -> dict[str, Any]:
        """The answer. Raises NoAnswer, or what AWS has against the call (ClientError)."""
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        try:
            if self._expired:
                self._renew()
            answer = getattr(self._client(service), operation)(**arguments)
        except (BotoCoreError, ClientError, ResponseParserError) as error:
            self._expired = has_expired(error)
            if not self._expired and not will_pass(error):
                raise
            self._trouble(reason_and_remedy(error))
            raise NoAnswer from error
        self._well()
        return answer

    def _client(self, service: str) -> Any:
        """Kept: making a client takes longer than a call."""
        if service not in self._clients:
            self._clients[service] = self.account.client(service, attempts=ATTEMPTS)
        return self._clients[service]

    def _renew(self) -> None:
        """Take the credentials that are on this machine now. Raises NoAnswer while they are no better."""
        if self._clock.now() < self._renew_at:
            raise NoAnswer
        self._renew_at = self._clock.now() + RENEW_EVERY_S
        try:
            self.account = self.account.renewed()
        except UserError as error:
            cause = error.__cause__
            aws_said = reason_and_remedy(cause) if isinstance(cause, Exception) else str(error)
            # Nothing but the user mends this, so it is said at once.
            self._trouble(aws_said, needs_user=not (isinstance(cause, Exception) and will_pass(cause)))
            raise NoAnswer from error
        self._clients.clear()
        self._expired = False

    def _trouble(self, what: str, *, needs_user: bool = False) -> None:
        now = self._clock.now()
        if self._since is None:
            self._since = now
        if self._told or not (needs_user or now - self._since >= TELL_AFTER_S):
            return
        self._told = True
        if not needs_user:
            what = f"no news for {minutes_and_seconds(now - self._since)}: {what}"
        then = "this watch goes on when AWS answers"
        if needs_user and self.account.keys_are_variables:
            then = "these credentials are environment variables: end this watch, set new ones and watch again"
        self._say(f"{what}. The job goes on, and {then}")

    def _well(self) -> None:
        if self._told:
            self._say("AWS answers again")
        self._since, self._told = None, False


def impatient(account: Account) -> Ask:
    """Calls for work that is done once: what AWS has against a call is an error at once."""
    clients: dict[str, Any] = {}

    def ask(service: str, operation: str, **arguments: Any) -> dict[str, Any]:
        if service not in clients:
            clients[service] = account.client(service)
        return getattr(clients[service], operation)(**arguments)

    return ask
