"""The tag of an image: the same for the same content, another for anything else."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from container import tree
from contract.errors import UserError
from launcher.images.image import (
    LOCKS,
    ROOT,
    SOURCE_PATHS,
    ImageSpec,
    check_lock,
    doubt_about,
    paddle_of,
    pinned_tree,
    source_hash,
    version_of,
)
from tests.launcher.sources import write_sources

BASE = "sha256:" + "0" * 64


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_sources(tmp_path / "project")


def spec(root: Path, device: str = "cpu", cuda: str = "", kind: str = "pypi", base: str = BASE) -> ImageSpec:
    lock = check_lock(device, cuda, root)
    url, pin = ("https://git.example/x.git", "c0ffee") if kind == "git" else ("", pinned_tree(root)[1])
    release = pinned_tree(root)[0]
    return ImageSpec(device, cuda, kind, release, url, pin, "debian:bookworm-slim", base, lock, source_hash(root, lock))


def test_the_name_says_what_kind_of_image_it_is(root: Path) -> None:
    assert re.fullmatch(r"paddleocr-sagemaker:cpu-[0-9a-f]{12}", spec(root).name)
    assert re.fullmatch(r"paddleocr-sagemaker:gpu-cu126-[0-9a-f]{12}", spec(root, "gpu", "cu126", "git").name)


def test_dates_permissions_leftovers_and_ignored_files_change_nothing(root: Path, tmp_path: Path) -> None:
    before = spec(root)
    other = tmp_path / "elsewhere"
    shutil.copytree(root, other)
    for path in other.rglob("*"):
        os.utime(path, (1, 1))
        if path.is_file():
            path.chmod(0o600)
    (other / "container/__pycache__").mkdir()
    (other / "container/__pycache__/tree.cpython-311.pyc").write_bytes(b"x")
    (other / "contract/old.pyc").write_bytes(b"x")
    (other / "container/.ruff_cache").mkdir()
    (other / "container/.ruff_cache/0").write_bytes(b"x")
    (other / "configs/.DS_Store").write_bytes(b"x")
    (other / "README.md").write_text("not in the image")
    (other / "launcher").mkdir()
    (other / "launcher/image.py").write_text("not in the image either")
    (other / "requirements/dev.lock").write_text("another lock")
    (other / "requirements/gpu-cu118.lock").write_text("of another image")
    assert spec(other) == before


@pytest.mark.parametrize(
    "path",
    [
        "Dockerfile",
        ".dockerignore",
        "image/apt_install.sh",
        "contract/errors.py",
        "container/tree.py",
        "configs/rec/demo.yml",
        "requirements/train.lock",
    ],
)
def test_a_change_of_any_file_that_goes_in_changes_the_tag(root: Path, path: str) -> None:
    before = spec(root)
    with open(root / path, "a") as file:
        file.write("\n# changed\n")
    assert spec(root).tag != before.tag
    assert spec(root).source != before.source


def test_the_stage_of_the_source_distribution_has_every_module_that_fetches_it(tmp_path: Path) -> None:
    mounts = re.findall(r"source=(\S+),target=/tmp/code/(\S+)", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    assert len(mounts) > 3
    for source, target in mounts:
        (tmp_path / target).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / source, tmp_path / target)
    words = [sys.executable, "-S", "-c", "import container.__main__, container.tree; print(container.tree.__file__)"]
    done = subprocess.run(
        words,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == str(tmp_path / "container/tree.py"), done.stderr


def test_a_new_a_moved_and_a_removed_file_change_the_tag(root: Path) -> None:
    tags = {spec(root).tag}
    (root / "configs/rec/new.yml").write_text("")
    tags.add(spec(root).tag)
    (root / "configs/rec/new.yml").rename(root / "configs/rec/moved.yml")
    tags.add(spec(root).tag)
    (root / "configs/rec/demo.yml").unlink()
    tags.add(spec(root).tag)
    assert len(tags) == 4


def test_every_choice_changes_the_tag_and_only_files_the_source(root: Path) -> None:
    variants = [
        spec(root),
        spec(root, kind="git"),
        spec(root, base="sha256:" + "1" * 64),
        replace(spec(root), release="3.8.0"),
        replace(spec(root, kind="git"), tree_pin="decaf"),
        replace(spec(root, kind="git"), tree_url="https://git.example/fork.git"),
        spec(root, "gpu", "cu126"),
        spec(root, "gpu", "cu118"),
    ]
    assert len({each.tag.rpartition("-")[2] for each in variants}) == len(variants)
    assert len({each.source for each in variants[:6]}) == 1


def test_a_missing_lock_is_one_sentence(root: Path) -> None:
    (root / "requirements/gpu-cu118.lock").unlink()
    with pytest.raises(UserError, match=r"gpu-cu118\.lock is missing.*run `make .*lock-gpu CUDA=cu118`$"):
        spec(root, "gpu", "cu118")


def test_without_dockerignore_nothing_is_hashed(root: Path) -> None:
    (root / ".dockerignore").unlink()
    with pytest.raises(UserError, match=r"\.dockerignore is missing"):
        spec(root)


def test_labels_and_arguments(root: Path) -> None:
    cpu, gpu = spec(root), spec(root, "gpu", "cu126", "git")
    labels = gpu.labels("0.1.0", "", "3.3.1")
    assert labels["paddleocr-sagemaker.contract"] == "1"
    assert labels["paddleocr-sagemaker.source"] == gpu.source
    assert labels["paddleocr-sagemaker.tree"] == "git-v3.7.0"
    assert labels["paddleocr-sagemaker.tree-revision"] == "c0ffee"
    assert labels["paddleocr-sagemaker.cuda"] == "cu126"
    assert labels["paddleocr-sagemaker.paddle"] == "3.3.1"
    assert labels["org.opencontainers.image.version"] == "0.1.0"
    assert "org.opencontainers.image.revision" not in labels  # not known here
    assert gpu.arguments("https://mirror.example/debian", "https://wheels.example", "https://cuda.example") == {
        "BASE_IMAGE": "debian:bookworm-slim",
        "DEVICE": "gpu",
        "CUDA": "cu126",
        "PADDLE_INDEX": "https://wheels.example",
        "CUDA_REPOSITORY": "https://cuda.example",
        "LOCK": "gpu-cu126.lock",
        "TREE": "git",
        "TREE_REVISION": "v3.7.0",
        "TREE_COMMIT": "c0ffee",
        "TREE_URL": "https://git.example/x.git",
        "DEBIAN_MIRROR": "https://mirror.example/debian",
    }
    assert cpu.arguments("", "https://wheels.example", "https://cuda.example") == {
        "BASE_IMAGE": "debian:bookworm-slim",
        "DEVICE": "cpu",
        "LOCK": "train.lock",
        "TREE": "pypi",
        "TREE_REVISION": "3.7.0",
    }


def test_a_base_image_that_a_registry_knows_is_built_on_by_digest(root: Path) -> None:
    known = replace(spec(root), base="debian@sha256:" + "1" * 64)
    assert known.arguments("", "", "")["BASE_IMAGE"] == known.base
    assert known.tag != spec(root).tag


def test_paddles_version_is_read_from_the_lock() -> None:
    assert re.fullmatch(r"3\.\d+\.\d+", paddle_of(ROOT, "requirements/train.lock"))


def test_an_image_named_by_hand_is_doubted_aloud(root: Path) -> None:
    labels = spec(root).labels("0.1.0", "", "3.3.1")
    assert doubt_about(labels, root) == ""
    (root / "contract/errors.py").write_text("changed")
    assert doubt_about(labels, root) == "was built from other sources than today's"
    assert doubt_about({}, root).startswith("was not built by this project")
    with pytest.raises(UserError, match="speaks version 2 of the contract and this launcher 1"):
        doubt_about(labels | {"paddleocr-sagemaker.contract": "2"}, root)


def test_the_pinned_release_is_the_containers_own() -> None:
    assert pinned_tree(ROOT) == (tree.VERSION, tree.SHA256)
    assert re.fullmatch(r"\d+\.\d+\.\d+", version_of(ROOT))


def test_the_dockerfile_takes_nothing_that_the_hash_does_not_see(tmp_path: Path) -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    taken = re.findall(r"^COPY (?!--from)(\S+) ", text, re.MULTILINE) + re.findall(r"type=bind,source=([^,\s]+)", text)
    assert len(taken) > 5
    for path in taken:
        assert path.partition("/")[0] in {*SOURCE_PATHS, LOCKS}
    gpu = replace(spec(ROOT), cuda="c", tree="git", tree_url="u")
    arguments = spec(ROOT).arguments("m", "p", "n") | gpu.arguments("m", "p", "n")
    assert set(arguments) <= set(re.findall(r"^ARG (\w+)", text, re.MULTILINE))
