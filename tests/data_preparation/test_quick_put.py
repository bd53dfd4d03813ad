"""The quick way to put objects signs as botocore does, and leaves everything else to botocore."""

from __future__ import annotations

import hashlib
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.session import Session

from data_preparation.pieces import Content
from data_preparation.quick_put import BLOCK, QuickPut, quick_put
from data_preparation.s3_folder import s3_folder

REGION = "ap-southeast-1"
KEY = "arn:aws:kms:ap-southeast-1:123456789012:key/1234"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
GONE_AFTER_IT = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def quick(
    endpoint: str | None = None, token: str = "", kms_key: str = "", bucket: str = "my-bucket"
) -> QuickPut | None:
    session = Session()
    session.set_credentials("AKIDEXAMPLE", "secret/key", token or None)
    client = session.create_client("s3", REGION, endpoint_url=endpoint)
    return quick_put(s3_folder(client, f"s3://{bucket}/ocr/ก ข/", REGION, kms_key), session)


@pytest.mark.parametrize(("token", "kms_key"), [("", ""), ("a/token==", KEY)])
def test_it_signs_as_botocore_does(token: str, kms_key: str) -> None:
    lane = quick(token=token, kms_key=kms_key)
    assert lane
    assert (lane.netloc, lane.port, lane.root) == (f"my-bucket.s3.{REGION}.amazonaws.com", 443, "/")
    data = b"\0content"
    head, _, body = lane._head("images/1+2 ~.png", content(data)).partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    method, target, _ = first.split()
    request = AWSRequest(method, f"https://{headers['host']}{target}", headers, data=data)
    assert (body, headers["content-length"]) == (b"", str(len(data)))
    assert headers.get("x-amz-security-token", "") == token
    assert ("x-amz-server-side-encryption-aws-kms-key-id" in headers) == bool(kms_key)
    signed = headers.pop("authorization")
    for unsigned in ("authorization", "content-length"):
        del request.headers[unsigned]
    auth = S3SigV4Auth(Credentials("AKIDEXAMPLE", "secret/key", token or None), "s3", REGION)
    request.context["timestamp"] = headers["x-amz-date"]
    text = auth.string_to_sign(request, auth.canonical_request(request))
    assert signed.endswith(f"Signature={auth.signature(text, request)}")


def content(*parts: bytes) -> Content:
    return Content(parts, hashlib.sha256(b"".join(parts)).hexdigest())


def answering(answers: list[bytes]) -> tuple[str, list[bytes]]:
    """A server that gives these answers, one after the other, and what it was sent. Empty: it hangs up."""
    server = socket.create_server(("127.0.0.1", 0))
    heard: list[bytes] = []

    def serve() -> None:
        connection = None
        for answer in answers:
            if connection is None:
                connection, _ = server.accept()
            data = b""
            while not data.endswith(b"END"):
                data += connection.recv(65536)
            heard.append(data)
            connection.sendall(answer)
            if answer != OK:
                connection.close()
                connection = None
        server.close()

    threading.Thread(target=serve, daemon=True).start()
    return f"http://127.0.0.1:{server.getsockname()[1]}", heard


def test_only_success_counts_and_connections_are_kept() -> None:
    refusal = b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n"
    cut = b"HTTP/1.1 200 OK\r\nContent-Le"
    url, heard = answering([OK, OK, refusal, OK, cut, b"", GONE_AFTER_IT, OK])
    lane = quick(url)
    assert lane
    moved: list[int] = []
    taken = [lane.put("1.png", content(b"content", b"", b" END"), moved.append) for _ in range(8)]
    assert taken == [True, True, False, True, False, False, True, True]
    assert sum(moved) == 5 * len(b"content END"), "what was not taken is taken back"
    assert len(heard) == 8
    assert heard[0].startswith(b"PUT /my-bucket/ocr/%E0%B8%81%20%E0%B8%82/1.png HTTP/1.1\r\n")
    assert all(each.endswith(b"\r\n\r\ncontent END") for each in heard)


def test_a_large_body_goes_in_blocks() -> None:
    url, heard = answering([OK])
    lane = quick(url)
    assert lane
    parts = [b"a" * (BLOCK // 2 + 1), b"b" * (2 * BLOCK + 1), b"c", b"END"]
    moved: list[int] = []
    assert lane.put("1.bin", content(*parts), moved.append)
    assert heard[0].partition(b"\r\n\r\n")[2] == b"".join(parts)
    assert sum(moved) == sum(map(len, parts))
    assert len(moved) > 2
    assert max(moved) < 2 * BLOCK


def test_botocore_does_it_where_settings_are_unusual(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert quick(bucket="my-bucket--apse1-az1--x-s3") is None
    lane: Any = quick("http://127.0.0.1:9")  # nobody listens there
    assert lane.put("1.png", content(b"")) is False
    assert lane.works is False
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    assert quick() is None
    monkeypatch.setenv("no_proxy", "amazonaws.com")
    assert quick() is not None
