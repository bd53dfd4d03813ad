"""`.images.json`: what was pushed is found again, and nothing else is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from contract.errors import UserError
from launcher.images.pushed_images import FILE_NAME, PushedImage, check_readable, find_pushed, pushed_now, record_pushed

GPU = PushedImage("1.dkr.ecr.x.amazonaws.com/ocr@sha256:aa", "gpu-cu126-0123", "2026-11-22T12:00:00Z")
CPU = PushedImage("1.dkr.ecr.x.amazonaws.com/ocr@sha256:bb", "cpu-0123", "2026-11-22T12:00:00Z")


def test_an_image_is_found_by_its_sources_and_device(tmp_path: Path) -> None:
    assert find_pushed(tmp_path, "s1", "gpu") is None
    record_pushed(tmp_path, "s1", "gpu", GPU)
    record_pushed(tmp_path, "s1", "cpu", CPU)
    assert find_pushed(tmp_path, "s1", "gpu") == GPU
    assert find_pushed(tmp_path, "s1", "cpu") == CPU
    assert find_pushed(tmp_path, "s2", "gpu") is None
    newer = pushed_now("1.dkr.ecr.x.amazonaws.com/ocr@sha256:cc", "v2")
    record_pushed(tmp_path, "s1", "gpu", newer)
    assert find_pushed(tmp_path, "s1", "gpu") == newer
    assert find_pushed(tmp_path, "s1", "cpu") == CPU
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


def test_the_file_is_what_the_documentation_says(tmp_path: Path) -> None:
    record_pushed(tmp_path, "s1", "gpu", GPU)
    expected = {"s1": {"gpu": {"uri": GPU.uri, "tag": GPU.tag, "pushed": GPU.pushed}}}
    assert json.loads((tmp_path / FILE_NAME).read_text()) == expected


@pytest.mark.parametrize("text", ["{", "[]", '{"s1": []}', '{"s1": {"gpu": {"uri": "x"}}}', '{"s1": {"gpu": "x"}}'])
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    for action in (
        lambda: check_readable(tmp_path),
        lambda: find_pushed(tmp_path, "s1", "gpu"),
        lambda: record_pushed(tmp_path, "s1", "gpu", GPU),
    ):
        with pytest.raises(UserError, match="is damaged: delete it"):
            action()
    assert (tmp_path / FILE_NAME).read_text() == text


def test_a_file_that_cannot_be_written_names_the_image(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        record_pushed(tmp_path / "not there", "s1", "gpu", GPU)
    assert f"--image-uri {GPU.uri}" in str(caught.value)
