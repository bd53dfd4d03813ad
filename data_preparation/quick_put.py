"""Puts objects into S3 with a fraction of the CPU that botocore takes for each: some 0.1 ms instead of 1.5.

Only what goes well happens here. Whatever else S3 answers, and every setting that this does not know (a proxy, a
directory bucket), is left to botocore, which tries again and knows what is wrong. The signature is that of
https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from io import BytesIO
from typing import Any
from urllib.parse import quote, urlsplit
from urllib.request import getproxies, proxy_bypass

from contract.image_header import Bytes
from data_preparation.pieces import Content
from data_preparation.s3_folder import S3Folder

CONNECT_SECONDS = 10
ANSWER_SECONDS = 60
NO_LIMIT = 65_536
BLOCK = 1 << 18  # bytes of a body that are joined to be sent at once; the time limit is for each
MOST_HEADERS = 16_384  # bytes of an answer's headers
_EXPRESS = "--x-s3"  # ends the name of a directory bucket, which has sessions of its own


def quick_put(folder: S3Folder, session: Any) -> QuickPut | None:
    """For objects of a folder; None where botocore must do it."""
    if folder.bucket.endswith(_EXPRESS):
        return None
    url = urlsplit(_address(folder))
    host = url.hostname or ""
    proxied = url.scheme in getproxies() and not proxy_bypass(host)
    if proxied or url.scheme not in ("http", "https"):
        return None
    tls = ssl.create_default_context() if url.scheme == "https" else None
    port = url.port or (443 if tls else 80)
    return QuickPut(folder, session.get_credentials(), url.netloc, host, port, url.path.rstrip("/") + "/", tls)


def most_sockets() -> int:
    """How many files and sockets this process may have open: 256 on macOS, 1,024 on most of Linux."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return NO_LIMIT
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return soft if soft != resource.RLIM_INFINITY else NO_LIMIT


def _address(folder: S3Folder) -> str:
    """Where botocore asks for the bucket, which it is kept from: it knows own endpoints, dual stack, FIPS and more."""
    from botocore.awsrequest import AWSRequest, AWSResponse

    asked = []

    def answer(request: AWSRequest, **_: Any) -> AWSResponse:
        asked.append(request.url)
        return AWSResponse(request.url, 200, {}, _Nothing())

    events = folder.client.meta.events
    events.register_first("before-send.s3.HeadBucket", answer)
    try:
        folder.client.head_bucket(Bucket=folder.bucket)
    finally:
        events.unregister("before-send.s3.HeadBucket", answer)
    return asked[0]


class _Nothing(BytesIO):
    """The body of an answer that never was on a line."""

    def stream(self) -> Iterator[bytes]:
        """As urllib3's."""
        return iter(())


@dataclass
class QuickPut:
    """Safe to use from many threads: each has a connection of its own."""

    folder: S3Folder
    credentials: Any
    netloc: str
    host: str
    port: int
    root: str  # of paths, before the key: / or /BUCKET/
    tls: ssl.SSLContext | None
    works: bool = True  # until it cannot connect
    _own: threading.local = field(default_factory=threading.local)
    _signing: dict[tuple[str, str], bytes] = field(default_factory=dict)  # day and secret → key

    def put(self, path: str, content: Content, moved: Callable[[int], None] = lambda size: None) -> bool:
        """Whether S3 has taken an object, whose SHA-256 it verified. False: ask botocore.

        moved: told of bytes as they go, and of fewer than 0 when they must go again.
        """
        if not self.works:
            return False
        sent = 0
        try:
            connection = getattr(self._own, "connection", None)
            if connection is None:
                connection = self._own.connection = self._connected()
            head = self._head(path, content)
            for block in _blocks(content.parts):
                connection.sendall(head + block)
                head = b""
                sent += len(block)
                moved(len(block))
            is_taken, goes_on = _answer(connection)
        except OSError:
            is_taken = goes_on = False
        if not goes_on:
            self._own.connection = None
        if not is_taken:
            moved(-sent)
        return is_taken

    def _connected(self) -> socket.socket:
        try:
            plain = socket.create_connection((self.host, self.port), CONNECT_SECONDS)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = self.tls.wrap_socket(plain, server_hostname=self.host) if self.tls else plain
        except OSError:
            self.works = False
            raise
        connection.settimeout(ANSWER_SECONDS)
        return connection

    def _head(self, path: str, content: Content) -> bytes:
        keys = self.credentials.get_frozen_credentials()
        now = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        headers = {
            "host": self.netloc,
            "x-amz-checksum-sha256": base64.b64encode(bytes.fromhex(content.sha256)).decode(),
            "x-amz-content-sha256": content.sha256,
            "x-amz-date": now,
            "x-amz-sdk-checksum-algorithm": "SHA256",
        }
        if keys.token:
            headers["x-amz-security-token"] = keys.token
        if self.folder.kms_key:
            headers["x-amz-server-side-encryption"] = "aws:kms"
            headers["x-amz-server-side-encryption-aws-kms-key-id"] = self.folder.kms_key
            headers["x-amz-server-side-encryption-bucket-key-enabled"] = "true"
        target = self.root + quote(self.folder.key + path, safe="/-_.~")
        headers["authorization"] = self._authorization(keys, now, target, headers, content.sha256)
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"PUT {target} HTTP/1.1\r\n{lines}content-length: {content.size}\r\n\r\n".encode()

    def _authorization(self, keys: Any, now: str, target: str, headers: Mapping[str, str], sha256: str) -> str:
        signed = ";".join(sorted(headers))
        lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
        canonical = hashlib.sha256(f"PUT\n{target}\n\n{lines}\n{signed}\n{sha256}".encode()).hexdigest()
        scope = f"{now[:8]}/{self.folder.region}/s3/aws4_request"
        signing = self._signing.get((now[:8], keys.secret_key))
        if signing is None:
            signing = f"AWS4{keys.secret_key}".encode()
            for part in scope.split("/"):
                signing = hmac.digest(signing, part.encode(), "sha256")
            self._signing[now[:8], keys.secret_key] = signing
        to_sign = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{canonical}".encode()
        signature = hmac.digest(signing, to_sign, "sha256").hex()
        return f"AWS4-HMAC-SHA256 Credential={keys.access_key}/{scope}, SignedHeaders={signed}, Signature={signature}"


def _blocks(parts: Iterable[Bytes]) -> Iterator[bytes]:
    """The same bytes in blocks that are worth a call each, at least one."""
    block: list[Bytes] = []
    size = 0
    for part in parts:
        for start in range(0, len(part), BLOCK):
            block.append(part[start : start + BLOCK])
            size += len(block[-1])
            if size >= BLOCK:
                yield b"".join(block)
                block, size = [], 0
    yield b"".join(block)


def _answer(connection: socket.socket) -> tuple[bool, bool]:
    """Whether S3 has taken the object, and whether the connection can be used again."""
    answer = b""
    while b"\r\n\r\n" not in answer:
        part = connection.recv(MOST_HEADERS)
        answer += part
        if not part or len(answer) > MOST_HEADERS:
            return False, False
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.lower().split(b"\r\n")
    is_taken = status.startswith((b"http/1.1 200 ", b"http/1.0 200 "))
    is_empty = b"content-length: 0" in lines and not body
    return is_taken, is_taken and is_empty and b"connection: close" not in lines
