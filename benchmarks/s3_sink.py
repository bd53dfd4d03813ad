"""S3 on the loopback that is no bottleneck: takes objects, remembers their names, and little else.

python -m benchmarks.s3_sink [--delay-ms 0] [--keep] [--log FILE]

Prints its address and serves until its standard input closes; one process, some 20,000 small PUTs a second. Speaks what
`aws s3`, `s5cmd` and boto3 ask of an upload and a download: PutObject (also If-None-Match), multipart uploads,
GetObject with a range, HeadObject, ListObjectsV2, HeadBucket. Any bucket exists. Signatures are not looked at; a
SHA-256 that does not fit its body is refused with --keep.
--delay-ms: what every request waits before it is answered. --keep: bodies are kept, so that they can be read again.
--log: one JSON line for each request, written before the answer leaves: a PUT that is in the log as 200 was taken.
GET /-/counts answers with the number of requests of each kind; DELETE /-/counts forgets everything.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import json
import subprocess
import sys
from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from typing import IO
from urllib.parse import parse_qs, quote, unquote
from urllib.request import Request, urlopen
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parents[1]
PAGE = 1000  # names that one ListObjectsV2 answers with, as S3's
DATE = formatdate(usegmt=True)  # aws s3 reads it; nobody needs it to be right


@dataclass(frozen=True)
class Stored:
    """An object, with its body when bodies are kept."""

    bytes: int
    etag: str
    sha256: str  # base64, as it was claimed; empty: not claimed
    body: bytes


@dataclass
class Sink:
    """What was sent here."""

    delay_s: float = 0.0
    keep: bool = False
    log: IO[str] | None = None
    objects: dict[str, Stored] = field(default_factory=dict)  # /BUCKET/KEY
    names: list[str] = field(default_factory=list)  # of the objects, sorted
    uploads: dict[str, dict[int, Stored]] = field(default_factory=dict)  # multipart, under way
    counts: Counter[str] = field(default_factory=Counter)

    def store(self, name: str, stored: Stored) -> None:
        if name not in self.objects:
            insort(self.names, name)
        self.objects[name] = stored

    def forget(self) -> None:
        self.objects.clear()
        self.names.clear()
        self.uploads.clear()
        self.counts.clear()


class Connection(asyncio.Protocol):
    """One client's connection: requests one after the other, as HTTP/1.1 without pipelining."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._buffer = bytearray()
        self._head: tuple[str, str, dict[str, str]] | None = None
        self._left = 0  # bytes of the body that are still to come
        self._body = bytearray()  # empty unless it is kept or looked at
        self._length = 0
        self._chunked = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._left and len(data) <= self._left:  # the most bytes come here
            self._take(data)
        else:
            self._buffer += data
            while self._buffer:
                if self._left:
                    part = self._buffer[: self._left]
                    del self._buffer[: self._left]
                    self._take(part)
                elif not self._begin():
                    return

    def _begin(self) -> bool:
        """Read the head of a request; False when more of it must come."""
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        first, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
        del self._buffer[: end + 4]
        method, target, _ = first.split(" ", 2)
        headers = {key.lower(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
        self._head = (method, target, headers)
        self._length = self._left = int(headers.get("content-length", 0))
        self._body.clear()
        if headers.get("expect") == "100-continue":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if not self._left:
            self._finish()
        return True

    def _take(self, part: bytes | bytearray) -> None:
        assert self._head
        self._left -= len(part)
        if self._sink.keep or self._head[0] != "PUT" or "x-amz-decoded-content-length" in self._head[2]:
            self._body += part
        if not self._left:
            self._finish()

    def _finish(self) -> None:
        assert self._head
        method, target, headers = self._head
        status, extra, body = answer(self._sink, method, target, headers, bytes(self._body), self._length)
        lines = "".join(f"{key}: {value}\r\n" for key, value in extra.items())
        if "Content-Length" not in extra:
            lines += f"Content-Length: {len(body)}\r\n"
        said = f"HTTP/1.1 {status}\r\n{lines}x-amz-request-id: sink\r\n\r\n".encode() + body
        if self._sink.delay_s and not target.startswith("/-/"):
            asyncio.get_running_loop().call_later(self._sink.delay_s, self._transport.write, said)
        else:
            self._transport.write(said)


Answer = tuple[str, dict[str, str], bytes]


def answer(sink: Sink, method: str, target: str, headers: dict[str, str], body: bytes, length: int) -> Answer:
    """Status, headers and body of the answer to one request."""
    path, _, query = target.partition("?")
    name = unquote(path)
    if name == "/-/counts":
        if method == "DELETE":
            sink.forget()
        return "200 OK", {}, json.dumps(sink.counts).encode()
    asked = parse_qs(query, keep_blank_values=True) if query else {}
    kind, said = _serve(sink, method, name, asked, headers, body, length)
    sink.counts[kind] += 1
    if sink.log:
        line = {"kind": kind, "name": name, "status": said[0][:3], "bytes": length}
        sink.log.write(json.dumps(line) + "\n")
        sink.log.flush()
    return said


def _serve(
    sink: Sink, method: str, name: str, asked: dict[str, list[str]], headers: dict[str, str], body: bytes, length: int
) -> tuple[str, Answer]:
    """The name of the operation, and the answer."""
    is_bucket = name.count("/") == 1 or (name.endswith("/") and name.count("/") == 2)
    if method == "PUT" and "partNumber" in asked:
        return "UploadPart", _put_part(sink, asked, headers, body, length)
    if method == "PUT":
        return "PutObject", _put(sink, name, headers, body, length)
    if method == "POST" and "uploads" in asked:
        return "CreateMultipartUpload", _create_upload(sink, name)
    if method == "POST" and "uploadId" in asked:
        return "CompleteMultipartUpload", _complete_upload(sink, name, asked["uploadId"][0])
    if method == "GET" and is_bucket and "list-type" in asked:
        return "ListObjectsV2", _list(sink, name.strip("/"), asked)
    if method == "HEAD" and is_bucket:
        return "HeadBucket", ("200 OK", {"x-amz-bucket-region": "ap-southeast-1"}, b"")
    if method == "GET" and is_bucket:
        return "GetBucketLocation", ("200 OK", {}, b"<LocationConstraint>ap-southeast-1</LocationConstraint>")
    if method in ("GET", "HEAD"):
        return f"{method.title()}Object", _get(sink, method, name, headers)
    return method, _error("501 Not Implemented", "NotImplemented")


def _put(sink: Sink, name: str, headers: dict[str, str], body: bytes, length: int) -> Answer:
    if headers.get("if-none-match") == "*" and name in sink.objects:
        return _error("412 Precondition Failed", "PreconditionFailed")
    stored = _stored(sink, headers, body, length)
    if stored is None:
        return _error("400 Bad Request", "BadDigest")
    sink.store(name, stored)
    extra = {"ETag": f'"{stored.etag}"'}
    return "200 OK", extra | ({"x-amz-checksum-sha256": stored.sha256} if stored.sha256 else {}), b""


def _put_part(sink: Sink, asked: dict[str, list[str]], headers: dict[str, str], body: bytes, length: int) -> Answer:
    stored = _stored(sink, headers, body, length)
    if stored is None:
        return _error("400 Bad Request", "BadDigest")
    sink.uploads[asked["uploadId"][0]][int(asked["partNumber"][0])] = stored
    return "200 OK", {"ETag": f'"{stored.etag}"'}, b""


def _stored(sink: Sink, headers: dict[str, str], body: bytes, length: int) -> Stored | None:
    """What is to be stored; None when it is not what its checksum says."""
    length = int(headers.get("x-amz-decoded-content-length", length))
    claimed = headers.get("x-amz-checksum-sha256", "")
    if not sink.keep:
        return Stored(length, "0" * 32, claimed, b"")
    if "x-amz-decoded-content-length" in headers:
        body = _unchunked(body)
    if claimed not in ("", base64.b64encode(hashlib.sha256(body).digest()).decode()):
        return None
    return Stored(length, hashlib.md5(body, usedforsecurity=False).hexdigest(), claimed, body)


def _unchunked(body: bytes) -> bytes:
    """The content of an aws-chunked body: `SIZE[;signature]` CRLF bytes CRLF …, the last of size 0, then trailers."""
    parts, at = [], 0
    while True:
        end = body.index(b"\r\n", at)
        size = int(body[at:end].split(b";")[0], 16)
        if not size:
            return b"".join(parts)
        parts.append(body[end + 2 : end + 2 + size])
        at = end + 2 + size + 2


def _create_upload(sink: Sink, name: str) -> Answer:
    ident = f"upload-{len(sink.uploads)}"
    sink.uploads[ident] = {}
    bucket, key = name[1:].split("/", 1)
    said = f"<Bucket>{bucket}</Bucket><Key>{escape(key)}</Key><UploadId>{ident}</UploadId>"
    return _xml("InitiateMultipartUploadResult", said)


def _complete_upload(sink: Sink, name: str, ident: str) -> Answer:
    parts = [part for _, part in sorted(sink.uploads.pop(ident).items())]
    etag = f"{'0' * 32}-{len(parts)}"
    sink.store(name, Stored(sum(part.bytes for part in parts), etag, "", b"".join(part.body for part in parts)))
    bucket, key = name[1:].split("/", 1)
    said = f"<Bucket>{bucket}</Bucket><Key>{escape(key)}</Key><ETag>&quot;{etag}&quot;</ETag>"
    return _xml("CompleteMultipartUploadResult", said)


def _get(sink: Sink, method: str, name: str, headers: dict[str, str]) -> Answer:
    stored = sink.objects.get(name)
    if stored is None:
        return ("404 Not Found", {}, b"") if method == "HEAD" else _error("404 Not Found", "NoSuchKey")
    extra = {"ETag": f'"{stored.etag}"', "Last-Modified": DATE, "Content-Type": "application/octet-stream"}
    if stored.sha256:
        extra["x-amz-checksum-sha256"] = stored.sha256
    if method == "HEAD":
        return "200 OK", extra | {"Content-Length": str(stored.bytes)}, b""
    if "range" not in headers:
        return "200 OK", extra, stored.body
    first, _, last = headers["range"].removeprefix("bytes=").partition("-")
    start, end = int(first), min(int(last or stored.bytes), stored.bytes - 1)
    extra["Content-Range"] = f"bytes {start}-{end}/{stored.bytes}"
    extra.pop("x-amz-checksum-sha256", None)  # of the whole object, not of the range
    return "206 Partial Content", extra, stored.body[start : end + 1]


def _list(sink: Sink, bucket: str, asked: dict[str, list[str]]) -> Answer:
    stem = f"/{bucket}/"
    prefix = asked.get("prefix", [""])[0]
    after = asked.get("continuation-token", asked.get("start-after", [""]))[0]
    if asked.get("delimiter") == ["/"]:
        return _list_folders(sink, bucket, prefix)
    encode = (lambda key: quote(key, safe="/")) if asked.get("encoding-type") == ["url"] else escape
    limit = min(PAGE, int(asked.get("max-keys", [str(PAGE)])[0]))
    first = bisect_right(sink.names, stem + max(after, prefix[:-1] if prefix else ""))
    found, more = [], False
    for name in sink.names[first:]:
        if not name.startswith(stem + prefix):
            if name > stem + prefix:
                break
            continue
        if len(found) == limit:
            more = True
            break
        found.append(name)
    rows = "".join(
        f"<Contents><Key>{encode(name.removeprefix(stem))}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
        f"<ETag>&quot;{sink.objects[name].etag}&quot;</ETag><Size>{sink.objects[name].bytes}</Size>"
        "<StorageClass>STANDARD</StorageClass></Contents>"
        for name in found
    )
    token = f"<NextContinuationToken>{escape(found[-1].removeprefix(stem))}</NextContinuationToken>" if more else ""
    encoding = "<EncodingType>url</EncodingType>" if "encoding-type" in asked else ""
    said = (
        f"<Name>{bucket}</Name><Prefix>{encode(prefix)}</Prefix>{encoding}<KeyCount>{len(found)}</KeyCount>"
        f"<MaxKeys>{limit}</MaxKeys><IsTruncated>{'true' if more else 'false'}</IsTruncated>{rows}{token}"
    )
    return _xml("ListBucketResult", said)


def _list_folders(sink: Sink, bucket: str, prefix: str) -> Answer:
    """The folders right below a prefix, in one page and without the objects beside them."""
    stem = f"/{bucket}/{prefix}"
    rests = (name.removeprefix(stem).partition("/") for name in sink.names if name.startswith(stem))
    folders = dict.fromkeys(f"{prefix}{folder}/" for folder, slash, _ in rests if slash)
    rows = "".join(f"<CommonPrefixes><Prefix>{escape(each)}</Prefix></CommonPrefixes>" for each in folders)
    return _xml("ListBucketResult", f"<Name>{bucket}</Name><IsTruncated>false</IsTruncated>{rows}")


def _xml(root: str, content: str) -> Answer:
    said = f'<?xml version="1.0" encoding="UTF-8"?>\n<{root}>{content}</{root}>'
    return "200 OK", {"Content-Type": "application/xml"}, said.encode()


def _error(status: str, code: str) -> Answer:
    said = f"<Error><Code>{code}</Code><Message>Said by the sink</Message></Error>"
    return status, {"Content-Type": "application/xml"}, said.encode()


async def serve(sink: Sink) -> None:
    """Until standard input closes."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(sink), "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


@dataclass(frozen=True)
class RunningSink:
    """A sink in a process of its own."""

    url: str

    def counts(self) -> dict[str, int]:
        """The requests of each kind since it began or forgot."""
        return json.loads(self._ask("GET"))

    def forget(self) -> None:
        """Everything that was sent."""
        self._ask("DELETE")

    def _ask(self, method: str) -> bytes:
        with urlopen(Request(f"{self.url}/-/counts", method=method)) as answer:
            return answer.read()


@contextmanager
def run_sink(delay_ms: float = 0.0, *options: str) -> Iterator[RunningSink]:
    """A sink until the end of the block."""
    command = [sys.executable, "-m", "benchmarks.s3_sink", "--delay-ms", str(delay_ms), *options]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield RunningSink(process.stdout.readline().strip())
        finally:
            process.terminate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--delay-ms", type=float, default=0.0)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--log", type=argparse.FileType("w", encoding="utf-8"))
    options = parser.parse_args()
    asyncio.run(serve(Sink(options.delay_ms / 1000, options.keep, options.log)))


if __name__ == "__main__":
    main()
