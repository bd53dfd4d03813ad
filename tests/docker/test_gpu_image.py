"""The GPU branch of the Dockerfile, with stand-ins for Paddle's index and NVIDIA's archive, which no test can reach.

What is real: the Dockerfile, the engine, pip, apt and its signatures, dpkg. The wheels and the package are empty.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import docker
import pytest

from launcher.images.buildkit import Build, BuildFailed, find_build_client, run_build
from launcher.status_line import PlainStatus
from tests.docker.conftest import ROOT, need

pytestmark = pytest.mark.slow
IMAGE = "paddleocr-sagemaker:test-gpu"
SITE = "/opt/venv/lib/python3.11/site-packages"
LIBRARY = "libcuda.so.560.35.05"


def test_gpu_image(engine: docker.DockerClient, stand_ins: str, repository: tuple[str, str], tmp_path: Path) -> None:
    context = copy_of_the_context(tmp_path / "context")
    wheels = tmp_path / "stand-ins/packages/cu126"
    lock = "".join(f"{name}=={version} --hash=sha256:{digest}\n" for name, version, digest in fill_index(wheels))
    (context / "requirements/gpu-cu126.lock").write_text(lock)
    settings = {
        "DEVICE": "gpu", "LOCK": "gpu-cu126.lock", "PADDLE_INDEX": f"{stand_ins}/packages",
        "CUDA_REPOSITORY": f"{stand_ins}/cuda",
        "TREE": "git", "TREE_URL": repository[0], "TREE_REVISION": "v3.7.0", "TREE_COMMIT": repository[1],
    }  # fmt: skip
    build(context, settings)
    image = engine.images.get(IMAGE)
    try:
        check(engine, repository[1])
        environment = image.attrs["Config"]["Env"]
        assert "NVIDIA_VISIBLE_DEVICES=all" in environment
        assert "NVIDIA_DRIVER_CAPABILITIES=compute,utility" in environment
        assert len(image.attrs["RootFS"]["Layers"]) <= 12
        with pytest.raises(
            BuildFailed, match=r"is commit .*, not 0000000"
        ):  # the tag was moved after the launcher had looked
            build(context, settings | {"TREE_COMMIT": "0" * 40})
    finally:
        engine.images.remove(IMAGE, force=True)


def check(engine: docker.DockerClient, commit: str) -> None:
    listing = engine.containers.run(
        IMAGE, entrypoint=["sh", "-c"],
        command=[f"cd {SITE} && cat paddle/__init__.py nvidia/cudnn/lib.py nvidia/cublas/lib.py nvidia/nccl/lib.py "
                 f"/opt/paddleocr/REVISION && readlink -f /usr/local/cuda/compat/libcuda.so.1 && ls /opt/paddleocr"],
        remove=True, network_mode="none",
    ).decode().split()  # fmt: skip
    assert listing == ["#gpu", "#cudnn", "#cublas", "#nccl", commit, f"/usr/local/cuda/compat/{LIBRARY}",
                       "LICENSE", "REVISION", "ppocr", "tools"]  # fmt: skip


def build(context: Path, arguments: dict[str, str]) -> None:
    """With what `launcher build` builds with; the stand-ins are on loopback, so with the host's network."""
    authorities = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE")
    build = Build(
        context=context, name=IMAGE, labels={}, arguments=arguments, network="host",
        log=context.parent / "build.log", secrets={"ca.crt": Path(authorities).read_bytes()} if authorities else {},
    )  # fmt: skip
    run_build(find_build_client("default"), build, PlainStatus(sys.stderr))


@pytest.fixture
def stand_ins(tmp_path: Path) -> Iterator[str]:
    """An address on loopback that serves tmp_path/stand-ins: /packages and /cuda."""
    if missing := [tool for tool in ("gpg", "dpkg-deb", "git") if not shutil.which(tool)]:
        need(f"{', '.join(missing)} not installed: the stand-in for NVIDIA's archive cannot be made")
    folder = tmp_path / "stand-ins"
    folder.mkdir()
    fill_archive(folder / "cuda/debian12/x86_64", tmp_path)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """A git server on loopback with a tree at v3.7.0: its address and the commit."""
    commit = make_tree(tmp_path / "git/PaddleOCR")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["git", "daemon", "--export-all", "--listen=127.0.0.1", f"--port={port}", f"--base-path={tmp_path}/git"]
    server = subprocess.Popen([*command, "--reuseaddr"], start_new_session=True)
    yield f"git://127.0.0.1:{port}/PaddleOCR", commit
    os.killpg(server.pid, signal.SIGTERM)
    server.wait()


def copy_of_the_context(folder: Path) -> Path:
    for name in ("Dockerfile", ".dockerignore", "image", "contract", "container", "configs"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            folder.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    (folder / "requirements").mkdir()
    return folder


def fill_index(folder: Path) -> list[tuple[str, str, str]]:
    """Four wheels of one file each. Returns name, version and sha256."""
    cuda = "py3-none-manylinux_2_28_x86_64"
    rows = (
        ("paddlepaddle-gpu", "cp311-cp311-linux_x86_64", "paddle/__init__.py", "#gpu\n"),
        ("nvidia-cudnn-cu12", cuda, "nvidia/cudnn/lib.py", "#cudnn\n"),
        ("nvidia-cublas-cu12", cuda, "nvidia/cublas/lib.py", "#cublas\n"),
        ("nvidia-nccl-cu12", cuda, "nvidia/nccl/lib.py", "#nccl\n"),
    )
    return [(name, "3.3.1", wheel(folder / name, name, tag, path, text)) for name, tag, path, text in rows]


def wheel(folder: Path, name: str, tag: str, path: str, text: str) -> str:
    folder.mkdir(parents=True)
    stem = f"{name.replace('-', '_')}-3.3.1"
    file = folder / f"{stem}-{tag}.whl"
    content = {
        path: text,
        f"{stem}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 3.3.1\n",
        f"{stem}.dist-info/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\nTag: {tag}\n",
    }
    record = [f"{stem}.dist-info/RECORD,,"]
    with zipfile.ZipFile(file, "w") as archive:
        for inner, data in content.items():
            archive.writestr(inner, data)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data.encode()).digest()).rstrip(b"=").decode()
            record.append(f"{inner},sha256={digest},{len(data)}")
        archive.writestr(f"{stem}.dist-info/RECORD", "\n".join(record) + "\n")
    (folder / "index.html").write_text(f'<a href="{file.name}">{file.name}</a>')
    return hashlib.sha256(file.read_bytes()).hexdigest()


def fill_archive(folder: Path, work: Path) -> None:
    """A signed flat Debian archive with cuda-compat-12-6, as NVIDIA's is."""
    content = work / "package"
    target = content / "usr/local/cuda-12.6/compat"
    target.mkdir(parents=True)
    (target / LIBRARY).touch()
    (target / "libcuda.so.1").symlink_to(LIBRARY)
    (content / "DEBIAN").mkdir()
    (content / "DEBIAN/control").write_text(
        "Package: cuda-compat-12-6\nVersion: 560.35.05-1\nArchitecture: amd64\n"
        "Maintainer: a test\nDescription: a stand-in\n"
    )
    folder.mkdir(parents=True)
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    package = folder / "cuda-compat.deb"
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", content, package], **quiet)
    entry = (content / "DEBIAN/control").read_text() + f"Filename: ./{package.name}\n{weight(package)}"
    (folder / "Packages").write_text(entry)
    digest, size = hashlib.sha256(entry.encode()).hexdigest(), len(entry.encode())
    date = time.strftime("%a, %d %b %Y %H:%M:%S UTC", time.gmtime())
    (work / "Release").write_text(f"Date: {date}\nSHA256:\n {digest} {size} Packages\n")
    gpg = ["gpg", "--homedir", str(work / "gpg"), "--batch", "--pinentry-mode", "loopback", "--passphrase", ""]
    (work / "gpg").mkdir(mode=0o700)
    subprocess.run([*gpg, "--quick-generate-key", "a test <test@localhost>", "rsa2048", "sign"], **quiet)
    subprocess.run([*gpg, "--armor", "--output", folder / "3bf863cc.pub", "--export"], **quiet)
    subprocess.run([*gpg, "--clearsign", "--output", folder / "InRelease", work / "Release"], **quiet)


def weight(file: Path) -> str:
    return f"Size: {file.stat().st_size}\nSHA256: {hashlib.sha256(file.read_bytes()).hexdigest()}\n"


def make_tree(folder: Path) -> str:
    """A repository with the tag v3.7.0, served as plain files. Returns its commit."""
    for name in ("ppocr/data/__init__.py", "tools/program.py", "configs/left_out.yml", "LICENSE"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    git = ["git", "-C", str(folder), "-c", "user.name=a test", "-c", "user.email=test@localhost"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "a tree"], check=True)
    subprocess.run([*git, "tag", "-a", "v3.7.0", "-m", "a release"], check=True)
    done = subprocess.run([*git, "rev-parse", "HEAD"], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()
