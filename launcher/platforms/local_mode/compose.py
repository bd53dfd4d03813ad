"""The Docker Compose that SageMaker's local mode will run, found before anything starts."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from contract.errors import UserError

ANSWER_WITHIN_S = 30.0

# What SDK 2 looks for in the answer of `docker compose version`. Compose 5 does not say it, nor does Ubuntu's package.
KNOWN_TO_SDK = "v2"

REMEDY = "install Docker's compose plugin, or use --instance process"


@dataclass(frozen=True)
class Compose:
    """A Compose that answers."""

    version: str  # 1.29.2, 2.40.0, 5.0.2
    docker: str  # the path of Docker's command
    needs_shim: bool  # it is Docker's plugin, and the SDK would not recognise it

    @property
    def runs_gpu_jobs(self) -> bool:
        """Compose 1 knows no `deploy`, by which the SDK asks for GPUs."""
        return not self.version.startswith("1.")


def find_compose(environment: Mapping[str, str]) -> Compose:
    """Docker's plugin if it is there, else `docker-compose`, as the SDK chooses. Raises UserError."""
    search = environment.get("PATH")
    docker = shutil.which("docker", path=search)
    if docker is None:
        raise UserError(
            "SageMaker's local mode needs Docker's command line, and there is no `docker` on the PATH: install it, "
            "or use --instance process"
        )
    answer = _ask((docker, "compose", "version"), environment)
    if answer.returncode == 0:
        return Compose(_version_in(answer.stdout), docker, needs_shim=KNOWN_TO_SDK not in answer.stdout)
    alone = shutil.which("docker-compose", path=search)
    if alone is None:
        raise UserError(f"SageMaker's local mode needs Docker Compose, which is not installed here: {REMEDY}")
    answer = _ask((alone, "version"), environment)
    if answer.returncode != 0:
        last = (answer.stderr or answer.stdout).strip().rpartition("\n")[2]
        raise UserError(f"SageMaker's local mode needs Docker Compose, and {alone} does not run ({last}): {REMEDY}")
    return Compose(_version_in(answer.stdout), docker, needs_shim=False)


def put_shim(compose: Compose, folder: Path) -> None:
    """A `docker-compose` in `folder` that means Docker's plugin: the one name under which the SDK takes any version."""
    shim = folder / "docker-compose"
    shim.write_text(f'#!/bin/sh\nexec {shlex.quote(compose.docker)} compose "$@"\n', encoding="utf-8", newline="\n")
    shim.chmod(0o700)


def search_path_with(folder: Path, environment: Mapping[str, str]) -> str:
    """A PATH on which `folder` comes first."""
    return os.pathsep.join(filter(None, (str(folder), environment.get("PATH", os.defpath))))


def _ask(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    words = " ".join((Path(command[0]).name, *command[1:]))
    try:
        return subprocess.run(
            list(command),
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=ANSWER_WITHIN_S,
        )
    except subprocess.TimeoutExpired:
        raise UserError(f"`{words}` has not answered within {ANSWER_WITHIN_S:g} s: {REMEDY}") from None
    except OSError as error:
        raise UserError(f"`{words}` cannot be started ({error.strerror}): {REMEDY}") from None


def _version_in(text: str) -> str:
    found = re.search(r"\d+\.\d+\S*", text)
    return found[0].rstrip(",") if found else "unknown"
