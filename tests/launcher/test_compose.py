"""Finding Compose: with small commands on a private PATH, and by what the SDK itself would choose there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from contract.errors import UserError
from launcher.platforms.local_mode.compose import find_compose, put_shim, search_path_with
from tests.launcher.running import ROOT

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="shell scripts")

NO_PLUGIN = "echo \"docker: 'compose' is not a docker command.\" >&2; exit 1"
COMPOSE_1 = "echo docker-compose version 1.29.2, build unknown; echo docker-py version: 5.0.3"


def command(folder: Path, name: str, body: str) -> dict[str, str]:
    """Put a command on the PATH that is returned."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{body}\n")
    (folder / name).chmod(0o755)
    return {"PATH": str(folder)}


@pytest.mark.parametrize(
    ("says", "version", "needs_shim"),
    [
        ("Docker Compose version v2.40.0", "2.40.0", False),
        ("Docker Compose version 2.24.6+ds1-0ubuntu1", "2.24.6+ds1-0ubuntu1", True),
        ("Docker Compose version v5.0.2", "5.0.2", True),
    ],
)
def test_the_plugin(tmp_path: Path, says: str, version: str, needs_shim: bool) -> None:
    path = command(tmp_path / "bin", "docker", f"echo {says}")
    command(tmp_path / "bin", "docker-compose", COMPOSE_1)  # passed over: the SDK would take the newer one, or should
    found = find_compose(path)
    assert (found.version, found.needs_shim, found.runs_gpu_jobs) == (version, needs_shim, True)


def test_compose_1_is_taken_where_there_is_no_plugin(tmp_path: Path) -> None:
    path = command(tmp_path / "bin", "docker", NO_PLUGIN)
    command(tmp_path / "bin", "docker-compose", COMPOSE_1)
    found = find_compose(path)
    assert (found.version, found.needs_shim, found.runs_gpu_jobs) == ("1.29.2", False, False)


@pytest.mark.parametrize(
    ("docker", "compose", "why"),
    [
        (None, COMPOSE_1, "there is no `docker` on the PATH"),
        (NO_PLUGIN, None, "needs Docker Compose, which is not installed here"),
        (NO_PLUGIN, "echo ImportError: no ssl >&2; exit 1", "does not run (ImportError: no ssl)"),
    ],
)
def test_none_is_one_sentence(tmp_path: Path, docker: str | None, compose: str | None, why: str) -> None:
    (tmp_path / "bin").mkdir()
    for name, body in (("docker", docker), ("docker-compose", compose)):
        if body:
            command(tmp_path / "bin", name, body)
    with pytest.raises(UserError) as error:
        find_compose({"PATH": str(tmp_path / "bin")})
    assert why in str(error.value)
    assert "install" in str(error.value)
    assert "--instance process" in str(error.value)


def test_a_command_that_cannot_be_executed_is_one_sentence(tmp_path: Path) -> None:
    path = command(tmp_path / "bin", "docker", "exit 0")
    (tmp_path / "bin/docker").write_text("#!/no/such/shell\n")
    with pytest.raises(UserError, match="`docker compose version` cannot be started"):
        find_compose(path)


def test_the_shim_passes_everything_on(tmp_path: Path) -> None:
    odd = tmp_path / "it's a folder"
    path = command(odd, "docker", 'if [ "$2" = version ]; then echo v5.0.2; else printf "%s|" "$@"; exit 3; fi')
    found = find_compose(path)
    put_shim(found, tmp_path)
    done = subprocess.run([tmp_path / "docker-compose", "-f", "a b", "up"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "compose|-f|a b|up|")


def test_the_sdk_chooses_the_same(tmp_path: Path) -> None:
    """Where we say that it needs no shim, it finds its Compose; with the shim it does, too."""
    cases = {}
    for name, says in (("v2", "Docker Compose version v2.40.0"), ("v5", "Docker Compose version v5.0.2")):
        path = command(tmp_path / name, "docker", f"echo {says}")
        found = find_compose(path)
        if found.needs_shim:
            (tmp_path / "shim").mkdir()
            put_shim(found, tmp_path / "shim")
            path = {"PATH": search_path_with(tmp_path / "shim", path)}
        cases[name] = path["PATH"]
    cases["v1"] = command(tmp_path / "v1", "docker", NO_PLUGIN)["PATH"]
    command(tmp_path / "v1", "docker-compose", COMPOSE_1)
    code = (
        "import json, os, sys; from sagemaker.local.image import _SageMakerContainer\n"
        "answers = {}\n"
        "for name, path in json.loads(sys.argv[1]).items():\n"
        "    os.environ['PATH'] = path\n"
        "    answers[name] = _SageMakerContainer._get_compose_cmd_prefix()\n"
        "print(json.dumps(answers))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(cases)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    answers = json.loads(done.stdout.splitlines()[-1])
    assert answers == {"v1": ["docker-compose"], "v2": ["docker", "compose"], "v5": ["docker-compose"]}


def test_the_path_of_a_process_without_one(tmp_path: Path) -> None:
    assert search_path_with(tmp_path, {}) == f"{tmp_path}{os.pathsep}{os.defpath}"
