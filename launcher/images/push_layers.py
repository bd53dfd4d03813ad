"""An image goes to its registry through the Docker engine: progress, what went wrong, and trying again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from contract.errors import UserError
from launcher.images.ecr import Login
from launcher.images.push_progress import PlainPushView

# The engine is silent while it compresses a layer of some GB, or waits for the registry to check one.
ENGINE_TIMEOUT_S = 900

# A whole push is tried three times: the engine itself tries each layer five times, in 50 seconds.
PAUSES_S = (3.0, 15.0)

SAID_AT_MOST = 400  # characters of what the registry said


class Trouble(Enum):
    """What a push that failed asks for."""

    LOGIN = "a fresh login"
    TAG_TAKEN = "a look at the image that has the tag"
    FINAL = "a person"
    PASSING = "another try"


class PushFailed(Exception):
    """One try of a push has failed; the text is the engine's or the registry's own."""

    def __init__(self, said: str, trouble: Trouble | None = None) -> None:
        super().__init__(" ".join(said.split())[:SAID_AT_MOST])
        self.trouble = trouble or trouble_of(said)


class TagTaken(Exception):
    """The tag cannot be moved and has an image already: perhaps this very one, from a try whose answer got lost."""


# Lower-case pieces of what ECR, other registries and the engine say; the first that fits decides. An expired login
# is also "denied". https://github.com/distribution/distribution/blob/v2.8.2/registry/api/v2/errors.go has the codes.
_TROUBLES = (
    ("authorization token has expired", Trouble.LOGIN),
    ("no basic auth credentials", Trouble.LOGIN),
    ("unauthorized:", Trouble.LOGIN),
    ("401 unauthorized", Trouble.LOGIN),
    ("403 forbidden", Trouble.LOGIN),
    ("http 403", Trouble.LOGIN),
    ("is immutable", Trouble.TAG_TAKEN),
    ("400 bad request", Trouble.TAG_TAKEN),  # the same from Docker's containerd store, which keeps the reason to itself
    ("denied", Trouble.FINAL),
    ("name unknown", Trouble.FINAL),
    ("name invalid", Trouble.FINAL),
    ("unsupported", Trouble.FINAL),
    ("no such host", Trouble.FINAL),
    ("x509:", Trouble.FINAL),
    ("no such image", Trouble.FINAL),
    ("does not exist locally", Trouble.FINAL),
    ("no space left on device", Trouble.FINAL),
)


def trouble_of(said: str) -> Trouble:
    """What to do about an error. Anything unknown may pass: 500s, resets, timeouts, a registry that restarts."""
    text = said.lower()
    return next((trouble for piece, trouble in _TROUBLES if piece in text), Trouble.PASSING)


def push_image(
    client: Any,
    image: str,
    repository_uri: str,
    tag: str,
    log_in: Callable[[], Login],
    view: PlainPushView,
    pause: Callable[[float], None] = time.sleep,
) -> str:
    """Push a local image as REPOSITORY_URI:TAG and return the digest that the registry gave it.

    The extra local name is taken away afterwards, the image stays. Raises UserError, and TagTaken.
    """
    from docker.errors import DockerException

    name = f"{repository_uri}:{tag}"
    try:
        names = client.api.inspect_image(image)["RepoTags"] or []
        client.api.tag(image, repository_uri, tag)
    except (DockerException, OSError) as error:
        raise UserError(f"the Docker engine cannot give {image} the name {name}: {_plain(error)}") from error
    try:
        return _Push(client, repository_uri, tag, log_in, view, pause).with_retries()
    finally:
        if name not in names:
            _untag(client, name, view)


@dataclass(frozen=True)
class _Push:
    """The push of a local image that has its name in the registry already."""

    client: Any
    repository_uri: str
    tag: str
    log_in: Callable[[], Login]
    view: PlainPushView
    pause: Callable[[float], None]

    def with_retries(self) -> str:
        """What passes by itself is waited for."""
        waits = iter(PAUSES_S)
        while True:
            try:
                return self._with_logins()
            except PushFailed as error:
                wait = next(waits, None)
                if error.trouble is not Trouble.PASSING or wait is None:
                    raise self._last_word(error) from error
                self.view.say(f"the push stopped ({error}); again in {wait:.0f} seconds")
            self.pause(wait)

    def _with_logins(self) -> str:
        """One try. A login that is refused in it, as after 12 hours, is renewed once."""
        try:
            return self._once()
        except PushFailed as error:
            if error.trouble is not Trouble.LOGIN:
                raise
            self.view.say(f"the registry wants a fresh login ({error})")
        return self._once()

    def _once(self) -> str:
        from docker.errors import APIError, DockerException
        from urllib3.exceptions import HTTPError

        login = self.log_in()
        self.view.begin_try()
        digest = ""
        api = self.client.api
        before, api.timeout = api.timeout, ENGINE_TIMEOUT_S
        try:
            # The login goes into a header of this one request; without it the SDK would read the user's ~/.docker.
            messages = api.push(
                self.repository_uri,
                tag=self.tag,
                stream=True,
                decode=True,
                auth_config={"username": login.username, "password": login.password},
            )
            for message in messages:
                if "error" in message or "errorDetail" in message:  # the SDK passes them on like any other message
                    raise PushFailed(str(message.get("errorDetail", {}).get("message") or message.get("error")))
                digest = (message.get("aux") or {}).get("Digest", digest)
                self.view.show(message)
        except APIError as error:
            raise PushFailed(str(error.explanation or error)) from error
        except (DockerException, HTTPError, OSError) as error:  # requests' errors are OSErrors
            raise PushFailed(f"the Docker engine stopped answering: {_plain(error)}") from error
        finally:
            api.timeout = before
        if not digest:
            raise PushFailed("the Docker engine ended the push without a digest")
        return str(digest)

    def _last_word(self, error: PushFailed) -> Exception:
        """What a push that has failed for good raises."""
        host = self.repository_uri.partition("/")[0]
        if error.trouble is Trouble.TAG_TAKEN:
            return TagTaken(str(error))
        if error.trouble is Trouble.LOGIN:
            return UserError(
                f"{host} refuses a login that ECR has just given ({error}): check that this identity may push there"
            )
        if error.trouble is Trouble.FINAL:
            return UserError(f"{self.repository_uri} does not take the image ({error}): {_remedy(str(error))}")
        return UserError(
            f"the push to {host} failed {len(PAUSES_S) + 1} times in a row, at last with {str(error)!r}: try again "
            "later, what has arrived stays there"
        )


def _untag(client: Any, name: str, view: PlainPushView) -> None:
    from docker.errors import DockerException

    try:
        client.api.remove_image(name, noprune=True)
    except (DockerException, OSError) as error:
        view.say(f"the local name {name} stays ({_plain(error)}): `docker rmi {name}` takes it away")


def _remedy(said: str) -> str:
    text = said.lower()
    if "no such host" in text or "x509:" in text:
        return "check the network and the proxy of the Docker engine, which are its own"
    if "no space left" in text:
        return "make room on the disk of the Docker engine"
    if "name unknown" in text:
        return "the repository is gone, push again to create it"
    if "denied" in text:
        return "ask for the permission ecr:PutImage and those for uploading layers, or name another --profile"
    return "push again with --debug, which shows all that is known"


def _plain(error: Exception) -> str:
    return " ".join(str(getattr(error, "explanation", None) or error).split())[:SAID_AT_MOST]
