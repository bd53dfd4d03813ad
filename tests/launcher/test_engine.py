"""An engine that cannot be reached is one sentence; which engine is meant follows Docker's own rules."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.errors import UserError
from launcher.engine import connect, context_name
from tests.launcher.running import ROOT

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="unix sockets")
NOBODY = 65534


@pytest.fixture(autouse=True)
def docker_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of Docker's settings."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "docker"
    folder.mkdir()
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    return folder


def write_context(config: Path, name: str, address: str) -> Path:
    """A context as `docker context create` writes it."""
    meta = config / "contexts/meta" / hashlib.sha256(name.encode()).hexdigest() / "meta.json"
    meta.parent.mkdir(parents=True)
    meta.write_text(json.dumps({"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": address}}}))
    return meta


def why() -> str:
    with pytest.raises(UserError) as caught:
        connect()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    assert why() == (
        f"there is no Docker engine at unix://{tmp_path}/none.sock: "
        "install Docker, or start it (sudo systemctl start docker)"
    )


def test_an_engine_that_has_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(tmp_path / "d.sock"))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/d.sock")
    assert why().startswith(f"the Docker engine at unix://{tmp_path}/d.sock does not run: start it")


def test_an_address_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "nonsense://x")
    assert why().startswith("the Docker engine at nonsense://x does not answer")


def test_a_socket_of_others(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(str(tmp_path / "d.sock"))
        engine.listen()
        (tmp_path / "d.sock").chmod(0o600 if os.geteuid() == 0 else 0)
        tmp_path.chmod(0o755)
        become = f"os.setgroups([]); os.setuid({NOBODY})" if os.geteuid() == 0 else ""
        code = (
            f"import os, docker, docker.context, docker.utils, urllib3, requests, launcher.engine; {become}\n"
            "try: launcher.engine.connect()\n"
            "except launcher.engine.UserError as error: print(error)"
        )
        environment = os.environ | {"DOCKER_HOST": f"unix://{tmp_path}/d.sock"}
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
    assert "is not open to this user: join its group (sudo usermod -aG docker $USER)" in done.stdout, done.stderr


def test_without_the_docker_package(tmp_path: Path) -> None:
    # None in sys.modules is how Python itself marks a module that must not be imported
    code = "import sys; sys.modules['docker'] = None\nimport launcher.build as verb; sys.exit(verb.main([]))"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == "error: the Python package docker is not installed here: run bash setup.sh --launch\n"


def test_the_context_is_found_as_dockers_client_finds_it(
    docker_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert context_name() == "default"
    for name in ("saved", "named"):
        write_context(docker_config, name, f"unix://{tmp_path}/{name}.sock")
    (docker_config / "config.json").write_text('{"currentContext": "saved"}')
    assert f"unix://{tmp_path}/saved.sock" in why()
    monkeypatch.setenv("DOCKER_CONTEXT", "named")
    assert f"unix://{tmp_path}/named.sock" in why()
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/host.sock")
    assert f"unix://{tmp_path}/host.sock" in why()
    assert context_name() == "default"


def test_a_context_that_is_gone_or_damaged(docker_config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONTEXT", "gone")
    (docker_config / "config.json").write_text("{}")
    assert why().startswith("Docker has no context 'gone'")
    write_context(docker_config, "gone", "unix:///x").write_text("{")
    assert why().startswith("Docker's context cannot be read")


@pytest.fixture
def windows_engine() -> Iterator[str]:
    """Answers /version as an engine for Windows containers does; none can run here."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"Os": "windows", "ApiVersion": "1.41", "Version": "20.10"}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"tcp://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_an_engine_for_windows_containers(windows_engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", windows_engine)
    assert why() == f"the Docker engine at {windows_engine} runs windows containers: switch it to Linux containers"
