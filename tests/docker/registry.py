"""ECR on this machine: docker-registry behind TLS and a password holds the images, moto answers as AWS's API.

The engine talks to a front, which passes everything on to docker-registry, fails when a test asks for it, and shows
every manifest to moto first: ECR's API and its registry are one thing, while these two know nothing of each other.
`127.0.0.1:PORT` is what the engine calls an insecure registry: it speaks TLS to it and asks for no known issuer.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HOST = "127.0.0.1"
USER = "AWS"
PROGRAMS = ("docker-registry", "htpasswd", "openssl")
DEBIAN_PACKAGES = "docker-registry apache2-utils openssl"

# Of one hop only: RFC 9110, 7.6.1.
_HOP_HEADERS = ("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade")


def missing_programs() -> str:
    """What a machine lacks for this stand-in, as a sentence; empty when it lacks nothing."""
    lacking = [name for name in PROGRAMS if not shutil.which(name)]
    return f"{', '.join(lacking)} missing: apt-get install {DEBIAN_PACKAGES}" if lacking else ""


@dataclass
class Fault:
    """What happens to the first `times` requests that fit, in the registry's place."""

    method: str
    path: str  # a regular expression
    status: int = 0  # 0: the connection is closed without an answer
    error: tuple[str, str] | None = None  # code and message, as registries give them
    times: int = 1
    is_late: bool = False  # the registry has taken the request: only its answer is lost
    before: Callable[[], object] = lambda: None

    @property
    def body(self) -> bytes:
        errors = [{"code": self.error[0], "message": self.error[1]}] if self.error else []
        return json.dumps({"errors": errors} if errors else {}).encode()


# Takes repository, tag, manifest, media type and digest; returns why ECR would not take the manifest, or nothing.
OnManifest = Callable[[str, str, bytes, str, str], "tuple[str, str] | None"]


@dataclass
class Registry:
    """What a test needs to know of the stand-in, and what it may ask of it."""

    address: str
    certificate: Path
    folder: Path
    on_manifest: OnManifest = lambda *_: None
    requests: list[tuple[str, str]] = field(default_factory=list)  # method and path, as they came
    faults: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def fail(self, fault: Fault) -> None:
        self.faults.append(fault)

    def clear(self) -> None:
        """No faults, and no requests so far."""
        self.requests.clear()
        self.faults.clear()

    def sent(self, method: str, path: str = "") -> int:
        """How many requests of this kind have come."""
        return sum(each == method and re.search(path, where) is not None for each, where in self.requests)

    def set_password(self, password: str) -> None:
        """From now on: docker-registry reads the file again when it has changed."""
        write_passwords(self.folder, password)

    def fault_for(self, method: str, path: str) -> Fault | None:
        with self._lock:
            self.requests.append((method, path))
            for fault in self.faults:
                if fault.times > 0 and fault.method == method and re.search(fault.path, path):
                    fault.times -= 1
                    return fault
        return None


@contextmanager
def run_registry(folder: Path, password: str) -> Iterator[Registry]:
    """docker-registry and the front before it, until the end of the block."""
    certificate, key = _make_certificate(folder)
    port = _free_port()
    process = _start_registry(folder, port, certificate, key, password)
    try:
        _wait_until_open(port, process, folder / "registry.log")
        with _front(port, certificate, key, folder) as registry:
            yield registry
    finally:
        process.terminate()
        process.wait(10)


def _make_certificate(folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / "registry.crt", folder / "registry.key"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-days", "1", "-subj", f"/CN={HOST}", "-addext", f"subjectAltName=IP:{HOST}"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    return certificate, key


def _start_registry(folder: Path, port: int, certificate: Path, key: Path, password: str) -> subprocess.Popen[bytes]:
    settings = {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "images")}, "delete": {"enabled": True}},
        "auth": {"htpasswd": {"realm": "stand-in", "path": str(write_passwords(folder, password))}},
        "http": {
            "addr": f"{HOST}:{port}",
            "secret": "one registry only",
            "relativeurls": True,  # its uploads go through the front as well
            "tls": {"certificate": str(certificate), "key": str(key)},
        },
    }
    file = folder / "registry.yml"
    file.write_text(json.dumps(settings))  # JSON is YAML
    with (folder / "registry.log").open("wb") as log:
        return subprocess.Popen(["docker-registry", "serve", str(file)], stdout=log, stderr=log)


def write_passwords(folder: Path, password: str) -> Path:
    """The file that docker-registry checks passwords with."""
    # -B: it takes bcrypt only; -C 4: bcrypt's cheapest form, because every request is checked.
    command = ["htpasswd", "-i", "-n", "-B", "-C", "4", USER]
    line = subprocess.run(command, input=password.encode(), check=True, capture_output=True).stdout
    path = folder / "htpasswd"
    path.write_bytes(line)
    return path


def _wait_until_open(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    give_up = time.monotonic() + 20
    while True:
        try:
            socket.create_connection((HOST, port), 1).close()
            return
        except OSError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < give_up, "docker-registry does not listen"
            time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextmanager
def _front(port: int, certificate: Path, key: Path, folder: Path) -> Iterator[Registry]:
    server = _Front((HOST, 0), _Handler)
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    registry = Registry(f"{HOST}:{server.server_address[1]}", certificate, folder)
    server.registry, server.behind = registry, port  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield registry
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Front(ThreadingHTTPServer):
    """TLS and faults before the registry."""

    def handle_error(self, request: object, client_address: object) -> None:
        """The engine cuts the connections of the layers that it gives up; everything else is a defect."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    """One connection of the engine."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the registry keeps its own log."""

    def _serve(self) -> None:
        registry: Registry = self.server.registry  # type: ignore[attr-defined]
        fault = registry.fault_for(self.command, self.path)
        manifest = re.fullmatch(r"/v2/(.+)/manifests/([^/]+)", self.path) if self.command == "PUT" else None
        body: Iterable[bytes] = [b"".join(self._pieces())] if manifest else self._pieces()
        if not fault or fault.is_late:
            refused = self._show_manifest(registry, *manifest.groups(), *body) if manifest else None
            fault = fault or refused
            if not refused:
                answer = self._behind(registry, body)
        for _ in body:  # an answer before the whole request has come looks like a broken connection
            pass
        if not fault:
            self._answer(*answer)
            return
        fault.before()
        if fault.status:
            self._answer(fault.status, [("Content-Type", "application/json")], fault.body)
        else:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = _serve

    def _show_manifest(self, registry: Registry, name: str, tag: str, manifest: bytes) -> Fault | None:
        """ECR's answer if it would not take the manifest."""
        digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
        refused = registry.on_manifest(name, tag, manifest, self.headers["Content-Type"], digest)
        return Fault("PUT", self.path, 400, refused) if refused else None

    def _pieces(self) -> Iterator[bytes]:
        """The request's body: layers are too large to be kept in memory."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            while size := int(self._line().split(b";")[0], 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        elif length := int(self.headers.get("Content-Length", 0)):
            yield self.rfile.read(length)

    def _line(self) -> bytes:
        if not (line := self.rfile.readline()):
            raise ConnectionAbortedError("the engine gave this request up")
        return line

    def _behind(self, registry: Registry, body: Iterable[bytes]) -> tuple[int, list[tuple[str, str]], bytes]:
        context = ssl.create_default_context(cafile=registry.certificate)
        connection = http.client.HTTPSConnection(HOST, self.server.behind, context=context)  # type: ignore[attr-defined]
        try:
            headers = {name: text for name, text in self.headers.items() if name.lower() not in _HOP_HEADERS}
            is_chunked = "Content-Length" not in headers and self.command in ("PATCH", "PUT", "POST")
            if is_chunked:
                headers["Transfer-Encoding"] = "chunked"
            connection.request(self.command, self.path, iter(body), headers, encode_chunked=is_chunked)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.send_response(status)
        for name, text in headers:
            if name.lower() not in (*_HOP_HEADERS, "content-length"):
                self.send_header(name, text)
        length = dict(headers).get("Content-Length", "0") if self.command == "HEAD" else str(len(content))
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
