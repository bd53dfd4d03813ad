"""How a push is tried, what it tells, and what it makes of errors; tests/docker/test_push.py has the real thing."""

from __future__ import annotations

import io
from typing import Any

import pytest

from contract.errors import UserError
from launcher.images.ecr import Login
from launcher.images.push_layers import ENGINE_TIMEOUT_S, PAUSES_S, TagTaken, Trouble, push_image, trouble_of
from launcher.images.push_progress import PlainPushView, PushProgress, figures, follow_push
from launcher.progress import size_text

URI = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ocr"
DIGEST = "sha256:c2a03e2d555f193f25f5cb3dfb553548b00301962545fc523ad67722a76ab5d1"


def layer(status: str, name: str = "c816a0a9bbce", **detail: int) -> dict[str, Any]:
    return {"status": status, "progressDetail": detail, "id": name}


def error(text: str) -> list[dict[str, Any]]:
    return [layer("Preparing"), {"errorDetail": {"message": text}, "error": text}]


# What Docker 20.10 says of a push that goes well.
WELL = [
    {"status": f"The push refers to repository [{URI}]"},
    layer("Preparing"),
    layer("Pushing", current=33280, total=200000),
    layer("Pushing", current=204800, total=200000),
    layer("Pushed"),
    {"status": f"t: digest: {DIGEST} size: 526"},
    {"progressDetail": {}, "aux": {"Tag": "t", "Digest": DIGEST, "Size": 526}},
]
EXPIRED = error("denied: Your authorization token has expired. Reauthenticate and try again.")
BROKEN = error("received unexpected HTTP status: 500 Internal Server Error")


class ScriptedEngine:
    """Answers each push with the next of the given streams; the last one repeats."""

    def __init__(self, *streams: list[dict[str, Any]] | Exception, tags: tuple[str, ...] = ("local:t",)) -> None:
        self.api = self
        self.timeout = 60
        self.tags = [*tags]
        self.passwords: list[str] = []
        self._streams = [*streams]

    def inspect_image(self, image: str) -> dict[str, Any]:
        return {"RepoTags": [*self.tags]}

    def tag(self, image: str, repository: str, tag: str) -> None:
        self.tags.append(f"{repository}:{tag}")

    def remove_image(self, name: str, noprune: bool) -> None:
        self.tags.remove(name)

    def push(self, repository: str, tag: str, stream: bool, decode: bool, auth_config: dict[str, str]) -> Any:
        assert self.timeout == ENGINE_TIMEOUT_S
        assert (stream, decode, auth_config["username"]) == (True, True, "AWS")
        assert f"{repository}:{tag}" in self.tags
        self.passwords.append(auth_config["password"])
        answer = self._streams.pop(0) if len(self._streams) > 1 else self._streams[0]
        if isinstance(answer, Exception):
            raise answer
        return iter(answer)


class Push:
    """One call of push_image, and what came of it."""

    def __init__(self, engine: ScriptedEngine) -> None:
        self.engine, self.pauses, self.logins = engine, list[float](), 0
        self.stream = io.StringIO()

    def __call__(self) -> str:
        return push_image(
            self.engine, "local:t", URI, "t", self._log_in, PlainPushView(self.stream), self.pauses.append
        )

    def refusal(self) -> str:
        with pytest.raises(UserError) as caught:
            self()
        assert "\n" not in str(caught.value)
        assert "secret-" not in f"{caught.value!r} {caught.value.__cause__!r} {self.stream.getvalue()}"
        return str(caught.value)

    def _log_in(self) -> Login:
        self.logins += 1
        return Login("AWS", f"secret-{self.logins}")


def test_a_push_that_goes_well_is_tried_once() -> None:
    push = Push(ScriptedEngine(WELL))
    assert push() == DIGEST
    assert (push.engine.passwords, push.pauses) == (["secret-1"], [])
    assert push.engine.tags == ["local:t"]  # the extra name is gone
    assert push.engine.timeout == 60
    assert push.stream.getvalue() == "layer 1/1 c816a0a9bbce: pushed, 205 kB\n"


def test_a_name_that_was_there_before_stays() -> None:
    push = Push(ScriptedEngine(WELL, tags=("local:t", f"{URI}:t")))
    push()
    assert f"{URI}:t" in push.engine.tags


def test_what_passes_is_tried_three_times() -> None:
    push = Push(ScriptedEngine(BROKEN, error("read: connection reset by peer"), WELL))
    assert push() == DIGEST
    assert push.pauses == [*PAUSES_S]
    assert "the push stopped (read: connection reset by peer); again in 15 seconds" in push.stream.getvalue()


def test_what_does_not_pass_is_one_sentence() -> None:
    push = Push(ScriptedEngine(BROKEN))
    text = push.refusal()
    assert "failed 3 times in a row" in text
    assert "500 Internal Server Error" in text
    assert len(push.engine.passwords) == 3
    assert push.engine.tags == ["local:t"]


def test_an_engine_that_goes_away_is_tried_again() -> None:
    push = Push(ScriptedEngine(ConnectionResetError("Connection reset by peer"), WELL))
    assert push() == DIGEST
    assert "the Docker engine stopped answering" in push.stream.getvalue()


def test_a_push_that_ends_without_a_digest_has_failed() -> None:
    push = Push(ScriptedEngine(WELL[:-1]))
    assert "without a digest" in push.refusal()


def test_an_expired_login_is_renewed_once_per_try() -> None:
    push = Push(ScriptedEngine(EXPIRED, BROKEN, EXPIRED, WELL))
    assert push() == DIGEST
    assert push.engine.passwords == ["secret-1", "secret-2", "secret-3", "secret-4"]
    assert push.pauses == [PAUSES_S[0]]  # a fresh login needs no pause


@pytest.mark.parametrize(
    "said",
    [
        "denied: Your authorization token has expired. Reauthenticate and try again.",
        "no basic auth credentials",
        "unauthorized: authentication required",
        'error parsing HTTP 403 response body: unexpected end of JSON input: ""',
        "unexpected status from HEAD request to https://x/v2/ocr/blobs/sha256:aa: 403 Forbidden",
    ],
)
def test_a_login_that_stays_refused_is_one_sentence(said: str) -> None:
    push = Push(ScriptedEngine(error(said)))
    assert "refuses a login that ECR has just given" in push.refusal()
    assert (len(push.engine.passwords), push.pauses) == (2, [])


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            "denied: User: arn:aws:iam::1:user/x is not authorized to perform: ecr:InitiateLayerUpload on resource: y",
            "ask for the permission",
        ),
        ("name unknown: The repository with name 'ocr' does not exist in the registry with id '1'", "push again to"),
        ('Get "https://x/v2/": dial tcp: lookup x on 1.1.1.1:53: no such host', "the proxy of the Docker engine"),
        ('Get "https://x/v2/": x509: certificate signed by unknown authority', "the proxy of the Docker engine"),
        ("write /var/lib/docker/tmp/x: no space left on device", "make room on the disk"),
    ],
)
def test_what_a_person_must_mend_is_not_tried_again(said: str, words: str) -> None:
    push = Push(ScriptedEngine(error(said)))
    text = push.refusal()
    assert words in text
    assert said in text
    assert len(push.engine.passwords) == 1


def test_a_taken_tag_is_for_the_caller_to_judge() -> None:
    taken = "tag invalid: The image tag 't' already exists in the 'ocr' repository and cannot be overwritten because"
    of_containerd = "unexpected status from PUT request to https://x/v2/ocr/manifests/t: 400 Bad Request"
    for said in (f"{taken} the repository is immutable.", f"{taken} the tag is immutable.", of_containerd):
        push = Push(ScriptedEngine(error(said)))
        with pytest.raises(TagTaken):
            push()
        assert push.engine.tags == ["local:t"]


@pytest.mark.parametrize(
    "said",
    [
        'Put "https://x": EOF',
        "net/http: TLS handshake timeout",
        "write tcp 1.1.1.1:2->3.3.3.3:443: write: broken pipe",
        "toomanyrequests: Rate exceeded",
        "dial tcp 127.0.0.1:1: connect: connection refused",
        "received unexpected HTTP status: 503 Service Unavailable",
        "something nobody has seen yet",
    ],
)
def test_what_may_pass(said: str) -> None:
    assert trouble_of(said) is Trouble.PASSING


# ---------------------------------------------------------------- progress
def test_layers_are_counted_whatever_the_engine_leaves_out() -> None:
    progress = PushProgress()
    messages = [
        {"status": "The push refers to repository [x]"},
        layer("Preparing", "a"),
        layer("Preparing", "b"),
        layer("Preparing", "c"),
        layer("Waiting", "b"),
        layer("Layer already exists", "a"),
        layer("Pushing", "b", current=5_000_000),  # no total: it is not always known
        layer("Mounted from other/repository", "c"),
    ]
    lines = [line for line in map(progress.update, messages) if line]
    assert lines == ["layer 1/3 a: there already", "layer 2/3 c: there already"]
    assert (progress.done, progress.sent, progress.size) == (2, 5_000_000, 5_000_000)
    assert figures(progress, 2.0) == "2/3 layers  5.0 MB of 5.0 MB  2.5 MB/s"


def test_the_engines_countdown_is_told_once() -> None:
    progress = PushProgress()
    messages = [layer(f"Retrying in {left} seconds") for left in (5, 4, 3, 2)]
    told = [progress.update(message) for message in [layer("Pushing", current=9), *messages]]
    assert [line for line in told if line] == ["layer c816a0a9bbce failed: retrying in 5 seconds"]
    assert progress.sent == 0
    progress.update(layer("Pushing", current=9))
    assert progress.update(layer("Retrying in 10 seconds")) == "layer c816a0a9bbce failed: retrying in 10 seconds"


def test_a_long_layer_says_something_every_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("launcher.images.push_progress.time.monotonic", lambda: now)
    stream = io.StringIO()
    view = PlainPushView(stream)
    for second in range(31):
        now = 100.0 + second
        view.show(layer("Pushing", current=1_000_000 * second, total=60_000_000))
    assert stream.getvalue().splitlines() == [
        "pushing: 0/1 layers  10 MB of 60 MB  1.0 MB/s",
        "pushing: 0/1 layers  20 MB of 60 MB  1.0 MB/s",
        "pushing: 0/1 layers  30 MB of 60 MB  1.0 MB/s",
    ]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with follow_push(stream) as view:
        for message in [*WELL[:3], layer("Retrying in 5 seconds"), *WELL[3:]]:
            view.show(message)
    assert "layer c816a0a9bbce failed: retrying in 5 seconds" in stream.getvalue()
    assert "1/1 layers" in stream.getvalue()


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (33280, "33 kB"), (999_700, "1.0 MB"), (3_120_000_000, "3.1 GB")],
)
def test_sizes(count: int, text: str) -> None:
    assert size_text(count) == text
