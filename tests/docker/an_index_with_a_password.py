"""A package index on loopback that asks for a password, and then sends pip on to the index that this machine uses."""

from __future__ import annotations

import base64
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def index_with_a_password(password: str) -> Iterator[str]:
    """Its address, user name and password included. Only a build that shares the machine's network reaches it."""
    beyond = _own_index()
    wanted = "Basic " + base64.b64encode(f"builder:{password}".encode()).decode()

    class Index(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.headers.get("Authorization") != wanted:
                self.send_response(401)
                self.send_header("WWW-Authenticate", "Basic")
            else:
                self.send_response(307)
                self.send_header("Location", beyond + self.path.removeprefix("/simple"))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Index)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://builder:{password}@127.0.0.1:{server.server_port}/simple"
    finally:
        server.shutdown()
        server.server_close()


def _own_index() -> str:
    """What pip is set up with here, else its default."""
    pip = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return done.stdout.strip().rstrip("/")
    from pip._internal.models.index import PyPI

    return PyPI.simple_url.rstrip("/")
