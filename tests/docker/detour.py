"""A way to the engine that can be cut, which is what an engine that goes away is for its clients."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
import threading
from pathlib import Path

import docker


def socket_of(engine: docker.DockerClient) -> str:
    """The path of the engine's socket."""
    return engine.api.get_adapter(engine.api.base_url).socket_path


class Detour:
    """A socket that leads to the engine until it is closed, as when the engine's process ends."""

    def __init__(self, engine: docker.DockerClient) -> None:
        self._engine = socket_of(engine)
        self._path = Path(tempfile.gettempdir()) / f"detour-{os.getpid()}-{id(self)}.sock"  # its path must be short
        self._open: list[socket.socket] = []
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(self._path))
        self._server.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        return f"unix://{self._path}"

    def client(self) -> docker.DockerClient:
        return docker.DockerClient(base_url=self.address, version="auto")

    def close(self) -> None:
        self._path.unlink(missing_ok=True)
        for each in (self._server, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                here, _ = self._server.accept()
                there = socket.socket(socket.AF_UNIX)
                there.connect(self._engine)
                self._open += [here, there]
                for source, target in ((here, there), (there, here)):
                    threading.Thread(target=self._pass_on, args=(source, target), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)
