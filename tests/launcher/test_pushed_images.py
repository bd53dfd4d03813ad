"""`.images.json`: what was pushed is found again in its region, and nothing else is."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from contract.errors import UserError
from launcher.cloud.pushed import push_command, pushed_for, why_none
from launcher.images.image import source_hash
from launcher.images.pushed_images import (
    FILE_NAME,
    PushedImage,
    check_readable,
    find_pushed,
    pushed_now,
    record_pushed,
    regions_with,
)

HERE, THERE, ACCOUNT = "ap-southeast-1", "eu-west-1", "123456789012"


def an_image(what: str, region: str = HERE, account: str = ACCOUNT, day: int = 22) -> PushedImage:
    uri = f"{account}.dkr.ecr.{region}.amazonaws.com/ocr@sha256:{what * 64}"
    return PushedImage(uri, f"gpu-cu126-{what}", f"2026-11-{day}T12:00:00Z")


GPU, CPU = an_image("a"), an_image("b")


def record(root: Path, device: str, image: PushedImage, region: str = HERE, account: str = ACCOUNT) -> None:
    record_pushed(root, "s1", device, account, region, image)


def test_an_image_is_found_by_its_sources_and_device(tmp_path: Path) -> None:
    assert find_pushed(tmp_path, "s1", "gpu", HERE) is None
    record(tmp_path, "gpu", GPU)
    record(tmp_path, "cpu", CPU)
    assert find_pushed(tmp_path, "s1", "gpu", HERE, ACCOUNT) == GPU
    assert find_pushed(tmp_path, "s1", "cpu", HERE, ACCOUNT) == CPU
    assert find_pushed(tmp_path, "s2", "gpu", HERE) is None
    newer = pushed_now(GPU.uri, "v2")
    record(tmp_path, "gpu", newer)
    assert find_pushed(tmp_path, "s1", "gpu", HERE) == newer
    assert find_pushed(tmp_path, "s1", "cpu", HERE) == CPU
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


def test_a_push_to_one_region_or_account_hides_no_other(tmp_path: Path) -> None:
    far, others = an_image("c", THERE), an_image("d", account="999999999999", day=23)
    record(tmp_path, "gpu", GPU)
    record(tmp_path, "gpu", far, THERE)
    record(tmp_path, "gpu", others, account="999999999999")
    assert find_pushed(tmp_path, "s1", "gpu", HERE, ACCOUNT) == GPU
    assert find_pushed(tmp_path, "s1", "gpu", THERE, ACCOUNT) == far
    assert find_pushed(tmp_path, "s1", "gpu", THERE, "999999999999") is None
    assert find_pushed(tmp_path, "s1", "gpu", HERE) == others  # nobody to ask whose account it is: the last one
    assert regions_with(tmp_path, "s1", "gpu") == (HERE, THERE)
    assert regions_with(tmp_path, "s1", "cpu") == ()


def test_the_file_is_what_the_documentation_says(tmp_path: Path) -> None:
    record(tmp_path, "gpu", GPU)
    expected = {"s1": {"gpu": {f"{ACCOUNT}/{HERE}": asdict(GPU)}}}
    assert json.loads((tmp_path / FILE_NAME).read_text()) == expected


def test_a_file_of_before_there_were_regions_stays_good(tmp_path: Path) -> None:
    """An address in ECR says whose and where it is."""
    (tmp_path / FILE_NAME).write_text(json.dumps({"s1": {"gpu": asdict(GPU)}}))
    assert find_pushed(tmp_path, "s1", "gpu", HERE, ACCOUNT) == GPU
    assert find_pushed(tmp_path, "s1", "gpu", THERE) is None
    record(tmp_path, "gpu", an_image("c", THERE), THERE)
    assert find_pushed(tmp_path, "s1", "gpu", HERE, ACCOUNT) == GPU


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"s1": []}', '{"s1": {"gpu": {"uri": "x"}}}', '{"s1": {"gpu": "x"}}', '{"s1": {"gpu": {"1/x": {}}}}'],
)
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    for action in (
        lambda: check_readable(tmp_path),
        lambda: find_pushed(tmp_path, "s1", "gpu", HERE),
        lambda: record(tmp_path, "gpu", GPU),
    ):
        with pytest.raises(UserError, match="is damaged: delete it"):
            action()
    assert (tmp_path / FILE_NAME).read_text() == text


def test_a_file_that_cannot_be_written_names_the_image(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        record(tmp_path / "not there", "gpu", GPU)
    assert f"--image-uri {GPU.uri}" in str(caught.value)


# ---------------------------------------------------------------- what a job takes
def test_a_job_takes_the_image_of_its_region_and_hears_of_those_elsewhere(tmp_path: Path) -> None:
    lock = "requirements/gpu-cu126.lock"
    (tmp_path / "requirements").mkdir()
    for name, text in {lock: "", "Dockerfile": "", ".dockerignore": FILE_NAME}.items():
        (tmp_path / name).write_text(text)
    record_pushed(tmp_path, source_hash(tmp_path, lock), "gpu", ACCOUNT, THERE, an_image("c", THERE))
    assert pushed_for("ml.g4dn.xlarge", tmp_path, THERE, ACCOUNT) == an_image("c", THERE).uri
    assert pushed_for("ml.m5.xlarge", tmp_path, THERE, ACCOUNT) == an_image("c", THERE).uri  # without its GPU
    assert pushed_for("ml.p3.2xlarge", tmp_path, THERE, ACCOUNT) == ""  # V100 needs an older CUDA line
    assert pushed_for("ml.g4dn.xlarge", tmp_path, HERE, ACCOUNT) == ""
    assert why_none("ml.g4dn.xlarge", tmp_path, HERE).endswith("runs on ml.g4dn.xlarge (only to eu-west-1)")
    record_pushed(tmp_path, source_hash(tmp_path, lock), "gpu", ACCOUNT, HERE, GPU)
    assert pushed_for("ml.g4dn.xlarge", tmp_path, HERE, ACCOUNT) == GPU.uri
    assert pushed_for("ml.g4dn.xlarge", tmp_path, THERE, ACCOUNT) == an_image("c", THERE).uri


def test_the_command_that_pushes_makes_the_image_that_the_instance_needs(tmp_path: Path) -> None:
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements/train.lock").write_text("")
    (tmp_path / "requirements/gpu-cu126.lock").write_text("")

    def at_home(instance: str, *words: str) -> str:
        return push_command(instance, *words, root=tmp_path, folder=tmp_path)

    assert at_home("ml.g4dn.xlarge") == "make push"
    assert at_home("ml.g4dn.xlarge", "--region", HERE) == f"make push ARGS='--region {HERE}'"
    assert at_home("ml.m5.xlarge") == "make push ARGS='--device cpu'"
    assert at_home("ml.p3.2xlarge") == "make lock-gpu CUDA=cu118 && make push ARGS='--cuda cu118'"
    elsewhere = push_command("ml.p3.2xlarge", "--region", HERE, root=tmp_path, folder=tmp_path.parent)
    assert (
        elsewhere == f"make -C {tmp_path} lock-gpu CUDA=cu118 && python -m launcher.push --cuda cu118 --region {HERE}"
    )
