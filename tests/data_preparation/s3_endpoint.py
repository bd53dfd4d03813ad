"""S3 on this machine: moto behind a door that keeps count, checks checksums as S3 does, and can misbehave.

moto takes any body under any checksum, answers at once and never fails; S3 does not.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
import requests
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

from data_preparation.in_parallel import THREADS
from tests.launcher.aws_stand_in import KEYS, REGION

BUCKET = "ocr-bucket"


@dataclass(frozen=True)
class Request:
    """What came in. `number` counts the requests of this method, from 1."""

    method: str
    path: str  # /BUCKET/KEY
    query: str
    number: int
    range: str = ""  # of bytes, as the header has it


@dataclass(frozen=True)
class Fault:
    """An answer of S3's own making."""

    status: str  # such as 503 Slow Down
    code: str
    message: str = "Said by the test"


HANG_UP = Fault("", "")  # the connection breaks instead

Misbehaviour = Callable[[Request], Fault | None]


@dataclass
class S3Endpoint:
    """Where it is, what it was asked, and how it misbehaves."""

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    misbehave: Misbehaviour = lambda request: None
    delay_s: float = 0.0
    cut: Callable[[Request], int | None] = lambda request: None  # bytes after which an answer breaks off
    hide_md5: bool = False  # ETags are no MD5, as under a bucket's own KMS key
    _counts: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def session(self) -> Any:
        return boto3.Session(aws_access_key_id=KEYS[0], aws_secret_access_key=KEYS[1], region_name=REGION)

    def client(self, region: str = REGION) -> Any:
        """A client of the test's own, by another way than the code under test."""
        return self.session().client("s3", region_name=region, endpoint_url=self.url)

    def forget(self) -> None:
        """Behave again, and count from zero."""
        self.requests.clear()
        self._counts.clear()
        self.misbehave, self.delay_s, self.hide_md5 = (lambda request: None), 0.0, False
        self.cut = lambda request: None

    def sent(self, method: str = "PUT") -> list[str]:
        """The keys of the requests of a method, without the bucket."""
        return [each.path.split("/", 2)[2] for each in self.requests if each.method == method]

    def names(self, bucket: str = BUCKET) -> list[str]:
        """The names of everything in the bucket."""
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return [each["Key"] for page in pages for each in page.get("Contents", ())]

    def objects(self, bucket: str = BUCKET) -> dict[str, bytes]:
        """Everything in the bucket."""
        client = self.client()
        return {key: client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in self.names(bucket)}

    def note(self, method: str, path: str, query: str, bytes_range: str) -> Request:
        with self._lock:
            self._counts[method] += 1
            request = Request(method, path, query, self._counts[method], bytes_range)
            self.requests.append(request)
        return request


class _Quiet(WSGIRequestHandler):
    """Each answer closes its connection, as werkzeug wants it; S3 keeps them."""

    protocol_version = "HTTP/1.1"  # for 100-continue

    def log_request(self, *_: object) -> None:
        """Not on the tests' output."""

    def log(self, *_: object) -> None:
        """Nor that a client has gone."""


@contextmanager
def run_s3() -> Iterator[S3Endpoint]:
    """The endpoint, until the end of the block."""
    endpoint = S3Endpoint()
    moto = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, _door(endpoint, moto), threaded=True, request_handler=_Quiet)
    server.daemon_threads = True  # type: ignore[attr-defined]
    endpoint.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def reset(endpoint: S3Endpoint) -> None:
    """An empty S3 with one bucket."""
    join_left_behind()
    endpoint.forget()
    requests.post(f"{endpoint.url}/moto-api/reset", timeout=10).raise_for_status()
    endpoint.client().create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    endpoint.forget()


def join_left_behind() -> None:
    """Waits for the requests that an upload in this process has left behind when it failed, and for their retries."""
    for thread in threading.enumerate():
        if thread.name == THREADS:
            thread.join(60)
            assert not thread.is_alive()


def _door(endpoint: S3Endpoint, moto: Any) -> Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]:
    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        query, bytes_range = environ.get("QUERY_STRING", ""), environ.get("HTTP_RANGE", "")
        request = endpoint.note(environ["REQUEST_METHOD"], environ["PATH_INFO"], query, bytes_range)
        time.sleep(endpoint.delay_s)
        fault = endpoint.misbehave(request) or _wrong_checksum(environ, body)
        if fault is HANG_UP:
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise ConnectionResetError
        if fault:
            said = f"<Error><Code>{fault.code}</Code><Message>{fault.message}</Message></Error>".encode()
            said = b"" if request.method == "HEAD" else said
            headers = [("Content-Type", "application/xml"), ("Content-Length", str(len(said)))]
            start_response(fault.status, headers)
            return [said]
        cut = endpoint.cut(request)
        if cut is not None:
            return [b"".join(moto(environ, start_response))[:cut]]  # shorter than its Content-Length
        return _without_md5(moto, environ, start_response) if endpoint.hide_md5 else moto(environ, start_response)

    return application


def _wrong_checksum(environ: dict[str, Any], body: bytes) -> Fault | None:
    claimed = environ.get("HTTP_X_AMZ_CHECKSUM_SHA256")
    if claimed in (None, base64.b64encode(hashlib.sha256(body).digest()).decode()):
        return None
    return Fault("400 Bad Request", "BadDigest", "The SHA256 you specified did not match the calculated checksum.")


def _without_md5(moto: Any, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    def other(match: re.Match[str]) -> str:
        return hashlib.md5(match[0].encode()).hexdigest()

    def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
        changed = [(k, re.sub(r"\b[0-9a-f]{32}\b", other, v) if k.lower() == "etag" else v) for k, v in headers]
        return start_response(status, changed, *rest)

    body = b"".join(moto(environ, start))
    if environ["REQUEST_METHOD"] == "GET" and "list-type" in environ.get("QUERY_STRING", ""):
        body = re.sub(r"\b[0-9a-f]{32}\b", other, body.decode()).encode()
    return [body]
