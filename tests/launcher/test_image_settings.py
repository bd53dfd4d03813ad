"""What `build` and `push` are asked for, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from contract.errors import UserError
from launcher.image_settings import ImageSettings, load_image_settings


def load(folder: Path, *argv: str, verb: str = "build", **environment: str) -> ImageSettings:
    return load_image_settings(verb, list(argv), environment, folder)


def test_flag_beats_environment_beats_file_beats_builtin(tmp_path: Path) -> None:
    assert load(tmp_path).base_image == "debian:bookworm-slim"
    (tmp_path / "launcher.yml").write_text("base_image: file:1\n")
    assert load(tmp_path).base_image == "file:1"
    assert load(tmp_path, OCR_BASE_IMAGE="env:1").base_image == "env:1"
    assert load(tmp_path, "--base-image", "flag:1", OCR_BASE_IMAGE="env:1").base_image == "flag:1"


def test_build_is_for_this_machine_and_push_for_gpus(tmp_path: Path) -> None:
    built, pushed = load(tmp_path), load(tmp_path, verb="push")
    assert (built.device, built.cuda, built.tree) == ("cpu", "", "pypi")
    assert (pushed.device, pushed.cuda, pushed.tree) == ("gpu", "cu126", "git")
    assert load(tmp_path, "--device", "gpu", "--cuda", "cu118").cuda == "cu118"
    assert load(tmp_path, "--cuda", "cu118").cuda == ""  # a cpu image has none
    assert load(tmp_path, "--tree", "git").tree == "git"
    assert load(tmp_path, "--device", "cpu", verb="push").tree == "pypi"


def test_a_file_starts_where_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/ca.pem").write_text("x")
    (tmp_path / "sub/launcher.yml").write_text("ca_bundle: ca.pem\n")
    assert load(tmp_path, "--config-file", "sub/launcher.yml").ca_bundle == tmp_path / "sub/ca.pem"
    assert load(tmp_path, "--ca-bundle", "sub/ca.pem").ca_bundle == tmp_path / "sub/ca.pem"


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--device", "tpu"], "--device is one of cpu, gpu, not 'tpu'"),
        (["--cuda", "12.6"], "--cuda is one of cu126, cu118, not '12.6'"),
        (["--tree", "svn"], "--tree is one of pypi, git"),
        (["--network", "bridge"], "--network is one of host, default, none"),
        (["--base-image", "--rm"], "--base-image needs a value"),
        (["--base-image=-v"], "--base-image '-v' is no name of an image"),
        (["--index-url", "pypi.example"], "--index-url is an address that begins with https://"),
        (["--debian-mirror", "ftp://mirror.example"], "--debian-mirror is an address that begins with"),
        (["--debian-mirror", "https://me:word@mirror.example"], "--debian-mirror holds a password"),
        (["--tree-url", "https://me:word@git.example/x.git"], "--tree-url holds a password"),
        (["--tree-url=--upload-pack=x"], "is no address"),
        (["--ca-bundle", "nowhere.pem"], "nowhere.pem: there is no such file"),
        (["--tag", "x"], "unknown flag --tag"),
        (["--repository", "x"], "unknown flag --repository"),
    ],
)
def test_a_wrong_flag_is_one_sentence(tmp_path: Path, argv: list[str], words: str) -> None:
    with pytest.raises(UserError) as caught:
        load(tmp_path, *argv)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "word@" not in str(caught.value)
