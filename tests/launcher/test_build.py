"""Which docker client builds, what it is told, and what becomes of its words. The real engine is in tests/docker."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from contract.errors import UserError
from launcher.image_settings import ImageSettings, load_image_settings
from launcher.images.build_failure import cause_of
from launcher.images.build_output import BuildOutput
from launcher.images.build_secrets import build_secrets
from launcher.images.buildkit import SECRET_LIMIT, Build, BuildClient, BuildFailed, find_build_client, run_build
from launcher.images.git import commit_of_tag, own_commit
from launcher.status_line import PlainStatus
from tests.launcher.running import ROOT

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="shell scripts stand for docker clients")

BUILDX = """case "$*" in
  "buildx version") echo "github.com/docker/buildx v0.19.3" ;;
  "buildx build --help") echo "  --load           x"
    echo "  --provenance string   x"
    echo "  --sbom string   x" ;;
esac"""
OLD_BUILDX = BUILDX.replace("provenance", "x").replace("sbom", "y")
DOCKER_28 = 'case "$*" in --version) echo "Docker version 28.2.2, build e6534b4" ;; *) exit 1 ;; esac'
DOCKER_20 = 'case "$*" in --version) echo "Docker version 20.10.24+dfsg1, build 297e128" ;; *) exit 1 ;; esac'
DOCKER_17 = 'case "$*" in --version) echo "Docker version 17.03.2-ce, build f5ec1e2" ;; *) exit 1 ;; esac'
PODMAN = 'case "$*" in --version) echo "podman version 4.3.1" ;; "buildx version") echo "buildah 1.28.2" ;; esac'


def client(folder: Path, script: str, interpreter: str = "/bin/sh") -> str:
    """A real program named docker in a folder of its own."""
    folder.mkdir(parents=True)
    (folder / "docker").write_text(f"#!{interpreter}\n{script}\n")
    (folder / "docker").chmod(0o755)
    return str(folder / "docker")


def choose(tmp_path: Path, *scripts: str) -> tuple[BuildClient, list[str]]:
    programs = [client(tmp_path / str(number), script) for number, script in enumerate(scripts)]
    path = os.pathsep.join(str(Path(program).parent) for program in programs)
    return find_build_client("default", {"PATH": path}), programs


def test_buildx_is_used_with_the_flags_that_it_knows(tmp_path: Path) -> None:
    found, (program,) = choose(tmp_path / "new", BUILDX)
    words = ("buildx", "build", "--builder", "default", "--load")
    assert found == BuildClient((program, *words, "--provenance=false", "--sbom=false"))
    found, (program,) = choose(tmp_path / "old", OLD_BUILDX)
    assert found == BuildClient((program, *words))


def test_a_new_client_without_buildx_is_passed_over_for_an_older_one(tmp_path: Path) -> None:
    found, programs = choose(tmp_path, DOCKER_28, PODMAN, DOCKER_17, DOCKER_20, BUILDX)
    assert found == BuildClient((programs[3], "build"), (("DOCKER_BUILDKIT", "1"),))


def test_no_client_that_can_build_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^\S+/0/docker cannot build with BuildKit: install the package docker-buildx"):
        choose(tmp_path / "a", DOCKER_28, PODMAN)
    with pytest.raises(UserError, match=r"^there is no `docker` on PATH"):
        find_build_client("default", {"PATH": str(tmp_path)})


# Writes down how it was called, what it was given to read, and prints what it is told to.
RECORDER = """import json, os, pathlib, sys
words = sys.argv[1:]
files = dict(pair.removeprefix("id=").split(",src=") for word, pair in zip(words, words[1:]) if word == "--secret")
json.dump(
    {
        "words": words,
        "environment": dict(os.environ),
        "secrets": {name: pathlib.Path(file).read_text() for name, file in files.items()},
        "modes": [
            oct(os.stat(path).st_mode & 0o777) for file in files.values() for path in (file, os.path.dirname(file))
        ],
        "folders": [os.path.dirname(file) for file in files.values()],
    },
    open(os.environ["RECORD"], "w"),
)
print(open(os.environ["OUTPUT"]).read(), end="")
sys.exit(int(os.environ["CODE"]))
"""


class Recorded(PlainStatus):
    """Keeps what people would read."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str = "", code: int = 0
) -> tuple[dict, list[str], str]:
    """One build by the recorder: what it saw, what people read, and the log."""
    program = client(tmp_path / "bin", RECORDER, sys.executable)
    (tmp_path / "output").write_text(output)
    for name, value in {"RECORD": tmp_path / "record", "OUTPUT": tmp_path / "output", "CODE": code}.items():
        monkeypatch.setenv(name, str(value))
    build = Build(
        context=tmp_path,
        name="name:tag",
        labels={"label": "a b"},
        arguments={"DEVICE": "cpu"},
        network="host",
        log=tmp_path / "logs/build.log",
        secrets={"pip.conf": b"index-url = https://me:pass-word@index.example\n", "ca.crt": b"CERTIFICATE"},
        hidden=("pass-word",),
    )
    view = Recorded()
    try:
        run_build(BuildClient((program, "build"), (("DOCKER_BUILDKIT", "1"),)), build, view)
        failed = False
    except BuildFailed as error:
        view.lines.append(f"error: {error}")
        failed = True
    assert failed == bool(code)
    return json.loads((tmp_path / "record").read_text()), view.lines, build.log.read_text()


def test_secrets_are_files_for_this_user_only_and_gone_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://me:proxy-word@proxy.example:3128")
    monkeypatch.setenv("no_proxy", "localhost")
    seen, _, log = run(tmp_path, monkeypatch, "#1 [a 1/1] RUN x\n#1 0.1 from https://me:pass-word@index.example\n")
    assert seen["secrets"]["pip.conf"] == "index-url = https://me:pass-word@index.example\n"
    assert seen["secrets"]["ca.crt"] == "CERTIFICATE"
    assert seen["modes"] == ["0o600", "0o700"] * 2
    assert not any(Path(folder).exists() for folder in seen["folders"])
    assert not any("word" in word for word in seen["words"])
    pairs = list(zip(seen["words"], seen["words"][1:], strict=False))
    assert ("--build-arg", "HTTPS_PROXY") in pairs  # the value comes from the environment
    assert ("--build-arg", "no_proxy") in pairs
    assert seen["environment"]["HTTPS_PROXY"].startswith("http://me:proxy-word@")
    assert "https://me:****@index.example" in log


def test_the_command_line_of_a_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    seen, _, _ = run(tmp_path, monkeypatch)
    assert " ".join(seen["words"]).startswith(
        "build --progress=plain --platform linux/amd64 --network host --tag name:tag "
        "--label label=a b --build-arg DEVICE=cpu --secret "
    )
    assert seen["words"][-1] == str(tmp_path)
    assert seen["environment"]["DOCKER_BUILDKIT"] == "1"


def test_a_failed_build_shows_its_last_lines_the_cause_and_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = "".join(f"#1 0.{number} line {number}\n" for number in range(30))
    output = f"#1 [a 1/1] RUN x\n{output}#1 ERROR: failed to copy: write /x: no space left on device\n"
    _, lines, log = run(tmp_path, monkeypatch, output, code=1)
    assert lines[-1] == (
        "error: the build failed: the Docker engine's disk is full: docker system prune makes room; "
        f"all of its output is in {tmp_path}/logs/build.log"
    )
    assert len([line for line in lines if line.startswith("  ")]) == 20
    assert "line 9" not in "\n".join(lines)
    assert log == output


def test_a_secret_that_buildkit_would_not_take(tmp_path: Path) -> None:
    build = Build(tmp_path, "n", {}, {}, "host", tmp_path / "log", {"ca.crt": b"x" * (SECRET_LIMIT + 1)})
    with pytest.raises(UserError, match=r"ca\.crt has more than 500 KiB"):
        run_build(BuildClient(("/nowhere",)), build, Recorded())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux only")
def test_a_log_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    script = "import time; print('#1 [a 1/1] RUN x', flush=True); time.sleep(30)"
    program = client(tmp_path / "bin", script, sys.executable)
    build = Build(tmp_path, "n", {}, {}, "host", Path("/dev/full"), {})
    began = time.monotonic()
    with pytest.raises(UserError, match="the log /dev/full cannot be written"):
        run_build(BuildClient((program,)), build, Recorded())
    assert time.monotonic() - began < 10  # the client was ended, not waited for


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_ends_the_client_and_removes_the_secrets(number: signal.Signals, tmp_path: Path) -> None:
    program = client(
        tmp_path / "bin",
        f"trap 'echo asked > {tmp_path}/asked; exit 1' INT\necho '#1 [a 1/1] RUN x'\nwhile :; do sleep 0.1; done",
    )
    code = f"""
import sys
from pathlib import Path
from launcher.images.buildkit import Build, BuildClient, BuildFailed, run_build
from launcher.entry import enter
from launcher.status_line import status_line
def work(argv):
    build = Build(Path("."), "n", {{}}, {{}}, "host", Path({str(tmp_path / "log")!r}), {{"s": b"x"}})
    with status_line() as view:
        run_build(BuildClient(({program!r},)), build, view)
    return 0
sys.exit(enter(["--json"], work, (BuildFailed,)))
"""
    (tmp_path / "tmp").mkdir()
    environment = os.environ | {"TMPDIR": str(tmp_path / "tmp")}
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 30
    while not ((tmp_path / "log").exists() and (tmp_path / "log").read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert list((tmp_path / "tmp").iterdir())  # the secrets
    process.send_signal(number)
    out, error = process.communicate(timeout=30)
    assert process.returncode == 130
    assert json.loads(out) == {"image": None, "reason": "stopped", "exit_code": 130}
    assert "Traceback" not in error
    assert (tmp_path / "asked").exists()
    assert not list((tmp_path / "tmp").iterdir())


OUTPUT = """\
#1 [internal] load build definition from Dockerfile
#1 sha256:1b1b68
#1 DONE 0.0s

#4 [python 1/2] FROM docker.io/library/debian:bookworm-slim
#4 CACHED

#5 [packages 2/3] RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf     if x;     then y; fi
#5 0.345 Collecting numpy
#5 ...

#6 [tree 1/1] RUN /fetch.sh
#6 ERROR: executor failed running [/bin/sh -c /fetch.sh]: exit code: 3

#5 [packages 2/3] RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf     if x;     then y; fi
#5 CANCELED
------
 > [tree 1/1] RUN /fetch.sh:
------
"""


def test_steps_in_words() -> None:
    output = BuildOutput()
    told = []
    for number, line in enumerate(OUTPUT.splitlines()):
        now = number * 0.15  # a step is told after half a second: the cached and the quickly failing one are not
        told += [*output.due(now), *output.feed(line, now)]
        if line.startswith("#5 0.345"):
            assert output.current == "[packages 2/3] RUN if x; then y; fi"
    assert told == [
        "[python 1/2] FROM docker.io/library/debian:bookworm-slim: there already",
        "[packages 2/3] RUN if x; then y; fi: runs",
        "[tree 1/1] RUN /fetch.sh: failed",
        "[packages 2/3] RUN if x; then y; fi: given up",
    ]
    assert output.current == ""
    assert list(output.tail)[-1] == "------"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("failed to register layer: write /x: no space left on device", "disk is full"),
        ("dd: error writing '/t/x': No space left on device", "disk is full"),
        ("#7 0.231 exec /bin/sh: exec format error", "not amd64 and emulates none"),
        (
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.",
            "not the one that the lock names",
        ),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate", "--ca-bundle"),
        ("x509: certificate signed by unknown authority", "--ca-bundle"),
        ("OSError('Tunnel connection failed: 407 Proxy Authentication Required')", "user name and password"),
        ("ERROR: HTTP error 401 while getting x: 401 Client Error: Unauthorized for url", "OCR_INDEX_URL"),
        ("Temporary failure resolving 'mirror.example'", "cannot be resolved"),
        ("[Errno -3] Temporary failure in name resolution", "cannot be resolved"),
        ("fatal: unable to access 'https://x/': Could not resolve host: x", "cannot be resolved"),
        ("ERROR: No matching distribution found for paddlepaddle==3.3.1", "lacks a package of the lock"),
        ("dial tcp 10.0.0.1:443: i/o timeout", "does not answer"),
        ("failed to solve: network.host is not allowed", "--network default"),
        ("executor failed running [/bin/sh -c exit 3]: exit code: 3", "executor failed running"),
    ],
)
def test_causes_that_are_recognised(line: str, words: str) -> None:
    cause = cause_of(["#1 [a 1/1] RUN x", line, "------"])
    assert words in cause
    assert "\n" not in cause


def test_an_image_that_cannot_be_pulled_is_named() -> None:
    output = """\
#2 [internal] load metadata for docker.io/library/debian:bookworm-slim
#2 DONE 0.0s
#3 [internal] load metadata for docker.io/library/debian:nope
#3 ERROR: docker.io/library/debian:nope: not found
ERROR: failed to solve: debian:nope: failed to resolve source metadata: no such host
"""
    assert cause_of(output.splitlines()).startswith(
        "the image docker.io/library/debian:nope cannot be pulled (docker.io/library/debian:nope: not found): pull it"
    )


def settings(tmp_path: Path, *argv: str) -> ImageSettings:
    return load_image_settings("build", list(argv), {}, tmp_path)


def pip_environment(tmp_path: Path, text: str, **variables: str) -> dict[str, str]:
    """pip as it is set up with one file, and none of this machine's."""
    (tmp_path / "pip.conf").write_text(text)
    return {"PATH": os.environ["PATH"], "PIP_CONFIG_FILE": str(tmp_path / "pip.conf"), **variables}


def test_the_build_installs_from_where_pip_does(tmp_path: Path) -> None:
    environment = pip_environment(
        tmp_path,
        "[global]\nindex-url = https://me:pass-word@index.example/simple\n"
        "extra-index-url =\n    file:///local\n    https://extra.example/simple\nfind-links = /wheels\n",
    )
    found = build_secrets(settings(tmp_path), environment)
    assert found.files["pip.conf"].decode().splitlines() == [
        "[global]",
        "index-url = https://me:pass-word@index.example/simple",
        "extra-index-url = https://extra.example/simple",
    ]
    assert found.hidden == ("pass-word",)
    assert found.notes == (
        "pip installs as it is set up here: https://index.example/simple https://extra.example/simple",
    )
    by_variable = build_secrets(settings(tmp_path), environment | {"PIP_INDEX_URL": "https://variable.example"})
    assert "index-url = https://variable.example\n" in by_variable.files["pip.conf"].decode()
    by_flag = build_secrets(settings(tmp_path, "--index-url", "https://flag.example"), environment)
    assert by_flag.files["pip.conf"] == b"[global]\nindex-url = https://flag.example\n"
    assert "pip.conf" not in build_secrets(settings(tmp_path), pip_environment(tmp_path, "")).files


def test_passwords_are_hidden_as_they_are_written_and_as_they_are_meant(tmp_path: Path) -> None:
    environment = pip_environment(tmp_path, "", https_proxy="http://me:proxy%21word@proxy.example")
    found = build_secrets(settings(tmp_path, "--index-url", "https://me:a%2Fb@index.example"), environment)
    assert set(found.hidden) == {"a%2Fb", "a/b", "proxy%21word", "proxy!word"}
    assert "a%2Fb" not in repr(found)


def test_certificates_come_from_the_flag_or_the_first_variable_with_a_file(tmp_path: Path) -> None:
    (tmp_path / "one.pem").write_text("one")
    (tmp_path / "two.pem").write_text("two")
    environment = pip_environment(tmp_path, "", PIP_CERT="/nowhere.pem", SSL_CERT_FILE=str(tmp_path / "two.pem"))
    found = build_secrets(settings(tmp_path), environment)
    assert found.files == {"ca.crt": b"two"}
    assert found.notes == (f"certificates trusted while building: {tmp_path}/two.pem (SSL_CERT_FILE)",)
    assert build_secrets(settings(tmp_path, "--ca-bundle", "one.pem"), environment).files == {"ca.crt": b"one"}
    (tmp_path / "two.pem").write_bytes(b"x" * (SECRET_LIMIT + 1))  # a variable's file that cannot be used is not
    assert build_secrets(settings(tmp_path), environment).files == {}


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    return subprocess.run(
        ["git", "-C", str(folder), *identity, *words], check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "a.txt").write_text("a")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "a")
    return folder


def test_the_commit_of_a_release(repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD").strip()
    git(repository, "tag", "v1")
    git(repository, "tag", "-a", "-m", "annotated", "v2")
    assert commit_of_tag(str(repository), "v1") == commit_of_tag(str(repository), "v2") == commit


def test_a_release_that_is_not_there(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="has no tag v9: use --tree pypi"):
        commit_of_tag(str(repository), "v9")
    with pytest.raises(UserError, match=r"cannot be reached \(.*\): use --tree pypi, or name a mirror with --tree-url"):
        commit_of_tag(str(tmp_path / "nowhere"), "v1")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="git is not installed here"):
        commit_of_tag(str(repository), "v1")


def test_our_own_commit_is_known_only_when_nothing_has_changed(repository: Path, tmp_path: Path) -> None:
    assert own_commit(repository, ["a.txt"]) == git(repository, "rev-parse", "HEAD").strip()
    (repository / "b.txt").write_text("elsewhere")
    assert own_commit(repository, ["a.txt"]) != ""
    (repository / "a.txt").write_text("changed")
    assert own_commit(repository, ["a.txt"]) == ""
    assert own_commit(tmp_path, ["a.txt"]) == ""
