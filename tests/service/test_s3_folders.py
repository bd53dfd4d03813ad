"""How files go between a machine's folders and S3."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.service import Service, scripted_service
from tests.service.s3_folders import Mirror, Prefix, upload_packed

URI = "s3://ocr-data/runs/one/checkpoints/"


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with scripted_service() as service:
        service.make_bucket("ocr-data")
        yield service


@pytest.fixture
def s3(service: Service) -> Any:
    client = service.own_client("s3")
    for key in Prefix("ocr-data", "").keys(client):
        client.delete_object(Bucket="ocr-data", Key=key)
    return client


def in_s3(s3: Any) -> dict[str, bytes]:
    keys = list(Prefix("ocr-data", "").keys(s3))
    return {key: s3.get_object(Bucket="ocr-data", Key=key)["Body"].read() for key in keys}


def test_a_mirror_copies_what_is_new_or_changed_and_deletes_what_is_gone(s3: Any, tmp_path: Path):
    s3.put_object(Bucket="ocr-data", Key="runs/one/checkpoints/old/a", Body=b"downloaded")
    assert Prefix.of(URI).download(s3, tmp_path) == 1
    mirror = Mirror(s3, tmp_path, URI)
    (tmp_path / "new").mkdir()
    (tmp_path / "new/b").write_text("1")
    mirror.copy()
    assert in_s3(s3) == {"runs/one/checkpoints/old/a": b"downloaded", "runs/one/checkpoints/new/b": b"1"}
    (tmp_path / "new").rename(tmp_path / "newer")
    (tmp_path / "old/a").unlink()
    mirror.copy()
    assert in_s3(s3) == {"runs/one/checkpoints/newer/b": b"1"}
    status = (tmp_path / "newer/b").stat()
    (tmp_path / "newer/b").write_text("2")
    os.utime(tmp_path / "newer/b", ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    mirror.copy()
    assert in_s3(s3) == {"runs/one/checkpoints/newer/b": b"2"}


def test_a_mirror_leaves_alone_what_came_to_s3_otherwise(s3: Any, tmp_path: Path):
    mirror = Mirror(s3, tmp_path, URI)
    s3.put_object(Bucket="ocr-data", Key="runs/one/checkpoints/other", Body=b"x")
    mirror.copy()
    assert list(in_s3(s3)) == ["runs/one/checkpoints/other"]


def test_a_prefix_without_a_slash_brings_its_siblings(s3: Any, tmp_path: Path):
    for key in ("runs/one/a", "runs/one-more/b", "runs/two/c", "runs/one/"):
        s3.put_object(Bucket="ocr-data", Key=key, Body=b"x")
    assert Prefix.of("s3://ocr-data/runs/one").download(s3, tmp_path / "loose") == 2
    assert (tmp_path / "loose/one-more/b").exists()
    assert Prefix.of("s3://ocr-data/runs/one/").download(s3, tmp_path / "strict") == 1
    assert (tmp_path / "strict/a").exists()


def test_a_folder_is_packed_as_its_content(s3: Any, tmp_path: Path):
    (tmp_path / "inference").mkdir()
    (tmp_path / "inference/x").write_text("y")
    upload_packed(s3, tmp_path, "s3://ocr-data/out/model.tar.gz")
    with tarfile.open(fileobj=io.BytesIO(in_s3(s3)["out/model.tar.gz"])) as tar:
        assert tar.getnames() == ["inference", "inference/x"]
