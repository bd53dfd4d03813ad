"""A real engine and the real CPU image; without an engine these tests skip, in CI they fail (REQUIRE_DOCKER=1)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.docker.a_docker_engine import NoEngine, docker_engine, have_base_image
from tests.docker.an_index_with_a_password import index_with_a_password

ROOT = Path(__file__).resolve().parents[2]

# What the environment of a build may hold and the image must not. test_image.py looks for each of them.
SECRETS = {
    "PIP_PASSWORD": "planted-index-password-6e1f0c",
    "AWS_SECRET_ACCESS_KEY": "planted-aws-secret-key-93ab27",
    "AWS_SESSION_TOKEN": "planted-aws-session-token-55d0e8",
    "DOCKER_AUTH_CONFIG": "planted-docker-auth-0c77aa",
}


def need(missing: str) -> None:
    """Skip because something is not on this machine; in CI, where everything must be, fail."""
    if os.environ.get("REQUIRE_DOCKER"):
        pytest.fail(missing)
    pytest.skip(missing)


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    """A client of an engine that has the base image."""
    try:
        with docker_engine() as client:
            have_base_image(client)
            yield client
    except NoEngine as error:
        need(str(error))


@pytest.fixture(scope="session")
def cpu_image(engine: docker.DockerClient) -> str:
    """The CPU image of these sources, built by the command that users type, among secrets; its name."""
    command = [sys.executable, "-m", "launcher", "build"]
    with index_with_a_password(SECRETS["PIP_PASSWORD"]) as address:
        environment = os.environ | SECRETS | {"PIP_INDEX_URL": address}
        done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, "python -m launcher build failed: its own words are above"
    return done.stdout.strip()
