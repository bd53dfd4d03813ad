"""Building with BuildKit through Docker's own client: docker-py knows the old builder only, without secrets."""

from __future__ import annotations

import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from contract.errors import UserError
from launcher.engine import PLATFORM
from launcher.images.build_failure import cause_of
from launcher.images.build_output import BuildOutput
from launcher.status_line import PlainStatus

PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
SECRET_LIMIT = 500 * 1024  # bytes; BuildKit's
ASK_S = 30.0  # for a question to the client
END_S = 10.0  # for a client that was told to end
TICK_S = 0.2
KEPT_LINES = 400  # of the output, in which the cause of a failure is looked for


class BuildFailed(UserError):
    """The build ran and failed. The text is one sentence with the cause and the log."""


@dataclass(frozen=True)
class BuildClient:
    """A docker client that can build with BuildKit, as far as the command line of a build."""

    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()  # beside the user's own


@dataclass(frozen=True)
class Build:
    """One build: what its command line says, and beside it what nobody may see."""

    context: Path
    name: str
    labels: Mapping[str, str]
    arguments: Mapping[str, str]
    network: str
    log: Path
    secrets: Mapping[str, bytes] = field(repr=False)  # by the ID that the Dockerfile mounts
    hidden: tuple[str, ...] = field(default=(), repr=False)  # words that no line may show


def find_build_client(context: str, environment: Mapping[str, str] | None = None) -> BuildClient:
    """The first `docker` on PATH that builds with BuildKit. Raises UserError.

    `context`: Docker's current one. Its builder works inside the engine, where the base image is and ours must go.
    """
    found = list(_docker_programs((os.environ if environment is None else environment).get("PATH", os.defpath)))
    for program in found:
        if "docker/buildx" in _ask(program, "buildx", "version").stdout:  # podman answers too, and is none
            known = _ask(program, "buildx", "build", "--help").stdout
            plain = [f"--{name}=false" for name in ("provenance", "sbom") if f"--{name} " in known]
            return BuildClient((program, "buildx", "build", "--builder", context, "--load", *plain))
        version = re.search(r"Docker version (\d+)\.(\d+)", _ask(program, "--version").stdout)
        if version and (18, 9) <= (int(version.group(1)), int(version.group(2))) < (23, 0):
            return BuildClient((program, "build"), (("DOCKER_BUILDKIT", "1"),))
    if found:
        raise UserError(f"{found[0]} cannot build with BuildKit: install the package docker-buildx-plugin")
    raise UserError(
        "there is no `docker` on PATH, which builds the image: install docker-ce-cli and docker-buildx-plugin"
    )


def run_build(client: BuildClient, build: Build, view: PlainStatus) -> None:
    """Build, showing what goes on; everything that is printed goes to build.log. Raises BuildFailed.

    Ctrl-C ends docker's client, and with it the build, before it goes on its way.
    """
    output, kept = BuildOutput(), deque[str](maxlen=KEPT_LINES)
    with _secret_files(build.secrets) as secrets, _open_log(build.log) as log:
        command = [*client.command, *_options(build, secrets)]
        environment = os.environ | dict(client.environment)
        with _running(command, environment) as (process, lines):
            for line in _timed(lines):
                now = time.monotonic()
                told = []
                if line is not None:
                    shown = _without(line.rstrip("\r\n"), build.hidden)
                    _write(log, shown)
                    kept.append(shown)
                    told = output.feed(shown, now)
                told = output.due(now) + told
                if not view.is_live:
                    for each in told:
                        view.say(each)
                view.set(output.current or "building")
            code = process.wait()
    if code != 0:
        for line in output.tail:
            view.say(f"  {line}")
        raise BuildFailed(f"the build failed: {cause_of(list(kept))}; all of its output is in {build.log}")


def _options(build: Build, secrets: Mapping[str, Path]) -> list[str]:
    options = ["--progress=plain", "--platform", PLATFORM, "--network", build.network, "--tag", build.name]
    for name, text in build.labels.items():
        options += ["--label", f"{name}={text}"]
    for name, text in build.arguments.items():
        options += ["--build-arg", f"{name}={text}"]
    for name in (*PROXY_VARIABLES, *map(str.lower, PROXY_VARIABLES)):
        if os.environ.get(name):
            options += ["--build-arg", name]  # the client takes the value from its environment: it may hold a password
    for name, file in secrets.items():
        options += ["--secret", f"id={name},src={file}"]
    return [*options, str(build.context)]


def _docker_programs(path: str) -> Iterator[str]:
    """Every `docker` on PATH, each once, whatever links lead to it."""
    seen = set()
    for folder in path.split(os.pathsep):
        program = shutil.which("docker", path=folder) if folder else None
        if program and os.path.realpath(program) not in seen:
            seen.add(os.path.realpath(program))
            yield program


def _ask(program: str, *words: str) -> subprocess.CompletedProcess[str]:
    """A question that needs no engine. A client that does not answer, or cannot start, does not fit."""
    command = [program, *words]
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=ASK_S, stdin=subprocess.DEVNULL, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 1, "", str(error))


@contextmanager
def _secret_files(secrets: Mapping[str, bytes]) -> Iterator[dict[str, Path]]:
    """The secrets as files in a folder that only this user can open; it is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="paddleocr-sagemaker-") as folder:  # mode 0700
        files = {}
        for name, content in secrets.items():
            if len(content) > SECRET_LIMIT:
                raise UserError(
                    f"{name} has more than {SECRET_LIMIT // 1024} KiB, BuildKit's limit: name a smaller file"
                )
            files[name] = Path(folder) / name
            files[name].write_bytes(content)
            files[name].chmod(0o600)
        yield files


def _open_log(path: Path) -> BinaryIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return open(path, "wb", buffering=0)  # people look into it meanwhile; and closing it cannot fail
    except OSError as error:
        raise UserError(f"the log {path} cannot be written ({error.strerror}): make room for it") from None


def _write(log: BinaryIO, line: str) -> None:
    try:
        log.write(f"{line}\n".encode())
    except OSError as error:
        raise BuildFailed(f"the log {log.name} cannot be written ({error.strerror}): make room for it") from None


@contextmanager
def _running(
    command: list[str], environment: Mapping[str, str]
) -> Iterator[tuple[subprocess.Popen[str], queue.SimpleQueue[str | None]]]:
    """The client and its lines; None is the last. In a session of its own: Ctrl-C reaches it through us, once."""
    process = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    reader = threading.Thread(target=_read, args=(process, lines), daemon=True)
    reader.start()
    try:
        yield process, lines
    finally:
        _end(process)
        reader.join(END_S)  # a plugin that outlives the client may hold its output open


def _read(process: subprocess.Popen[str], lines: queue.SimpleQueue[str | None]) -> None:
    assert process.stdout is not None
    with process.stdout as stream:
        for line in stream:
            lines.put(line)
    lines.put(None)


def _timed(lines: queue.SimpleQueue[str | None]) -> Iterator[str | None]:
    """The lines; None whenever none came for a moment."""
    while True:
        try:
            line = lines.get(timeout=TICK_S)
        except queue.Empty:
            yield None
            continue
        if line is None:
            return
        yield line


def _end(process: subprocess.Popen[str]) -> None:
    """End client and plugin, if they still run: they cancel the build in the engine when they are interrupted.

    Who asks again, with another Ctrl-C, does not have to wait.
    """
    if sys.platform == "win32":  # no signals to ask with
        process.kill()
        return
    for number, wait_s in ((signal.SIGINT, END_S), (signal.SIGTERM, END_S), (signal.SIGKILL, None)):
        if process.poll() is not None:
            return
        with suppress(ProcessLookupError, PermissionError):  # macOS: EPERM for a group of zombies
            os.killpg(process.pid, number)
        try:
            process.wait(wait_s)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            continue


def _without(line: str, hidden: tuple[str, ...]) -> str:
    for word in hidden:
        line = line.replace(word, "****")
    return line
