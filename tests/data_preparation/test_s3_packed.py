"""Datasets travel packed: the shards that pack writes, made while they are sent, and home again byte for byte."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from contract.errors import UserError
from data_preparation import pieces, s3_folder
from data_preparation.__main__ import main
from data_preparation.dataset_files import read_dataset
from data_preparation.packing import pack_dataset
from data_preparation.remote_dataset import describe_dataset_uri
from data_preparation.s3 import DatasetUpload, upload_dataset
from tests.data_preparation.folders import dataset
from tests.data_preparation.s3_endpoint import BUCKET, HANG_UP, Fault, Request, S3Endpoint, reset, run_s3
from tests.launcher.aws_stand_in import KEYS, REGION, use_no_aws

PREFIX = f"s3://{BUCKET}/ocr"
EXPIRED = Fault("400 Bad Request", "ExpiredToken", "The provided token has expired.")
SLOW_DOWN = Fault("503 Slow Down", "SlowDown", "Please reduce your request rate.")
SHARD_BYTES = 1000  # some two images of the test's


@pytest.fixture(scope="module")
def running_s3() -> Iterator[S3Endpoint]:
    with run_s3() as endpoint:
        yield endpoint


@pytest.fixture
def aws(running_s3: S3Endpoint, monkeypatch: pytest.MonkeyPatch) -> S3Endpoint:
    use_no_aws(monkeypatch)
    for name, value in {
        "AWS_ENDPOINT_URL_S3": running_s3.url,
        "AWS_ACCESS_KEY_ID": KEYS[0],
        "AWS_SECRET_ACCESS_KEY": KEYS[1],
        "AWS_REGION": REGION,
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(pieces, "SHARD_BYTES", SHARD_BYTES)
    reset(running_s3)
    return running_s3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """11 images and 3 texts; a label in Windows' spelling, and a path twice."""
    folder = dataset(tmp_path / "crops", {f"{n}/{9 - n}.png": f"a{n}" for n in range(10)}, {"v.png": "a9"})
    with (folder / "train.txt").open("a") as labels:
        labels.write("images\\3\\6.png\ta3\n")
    return folder


def upload(folder: Path, aws: S3Endpoint, **options: Any) -> DatasetUpload:
    return upload_dataset(read_dataset(folder), PREFIX, aws.session(), REGION, **options)


def packed(folder: Path, into: Path) -> Path:
    into.mkdir()
    pack_dataset(folder, into, shard_bytes=SHARD_BYTES)
    return into


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def there(aws: S3Endpoint, done: DatasetUpload) -> dict[str, bytes]:
    stem = done.uri.removeprefix(f"s3://{BUCKET}/")
    return {key.removeprefix(stem): data for key, data in aws.objects().items()}


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """The last sentence, which is one line."""
    return capsys.readouterr().err.splitlines()[-1]


# ---------------------------------------------------------------- up


def test_what_goes_up_is_what_pack_writes(aws: S3Endpoint, folder: Path, tmp_path: Path) -> None:
    done = upload(folder, aws)
    here = content(packed(folder, tmp_path / "packed"))
    objects = there(aws, done)
    manifest = json.loads(objects.pop("manifest.json"))
    assert objects == here
    assert done.shards > 2
    assert (done.files, done.skipped, done.sent) == (14, 0, len(here) + 1)
    assert (manifest["dataset"]["files"], manifest["dataset"]["shards"]) == (len(here), done.shards)
    assert aws.sent()[0].endswith("shards/index.tsv"), "a small request says first what S3 has against it"
    assert aws.sent()[-1].endswith("manifest.json")
    remote = describe_dataset_uri(done.uri, aws.session(), REGION)
    assert (remote.files, remote.bytes) == (len(here), sum(map(len, here.values())))
    assert remote.summary
    assert remote.summary.shards == done.shards


@pytest.mark.parametrize("keep_bytes", [3000, 10**6])
def test_what_the_check_kept_need_not_be_read_again(
    aws: S3Endpoint, folder: Path, tmp_path: Path, keep_bytes: int
) -> None:
    local = read_dataset(folder, keep_bytes=keep_bytes)
    assert 0 < sum(map(len, local.kept.values())) <= keep_bytes
    for name in local.kept:
        (folder / name).rename(tmp_path / "elsewhere")
    done = upload_dataset(local, PREFIX, aws.session(), REGION)
    assert home(aws, done.uri, tmp_path / "home") == 0
    assert read_dataset(tmp_path / "home").content_sha256 == local.content_sha256


def test_packed_and_loose_are_one_dataset_and_are_sent_once(aws: S3Endpoint, folder: Path, tmp_path: Path) -> None:
    first = upload(folder, aws)
    aws.forget()
    (tmp_path / "other").mkdir()
    alike = packed(folder, tmp_path / "other/crops")
    for again in (upload(alike, aws), upload(folder, aws), upload(folder, aws, loose=True)):
        assert (again.uri, again.sent, again.skipped, again.shards) == (first.uri, 0, 14, first.shards)
    assert not aws.sent()


def test_what_lies_there_loose_stays_loose(aws: S3Endpoint, folder: Path) -> None:
    first = upload(folder, aws, loose=True)
    assert first.shards == 0
    aws.forget()
    assert upload(folder, aws).sent == 0
    stem = first.uri.removeprefix(f"s3://{BUCKET}/")
    for name in ("manifest.json", "images/4/5.png"):  # as if it had been interrupted
        aws.client().delete_object(Bucket=BUCKET, Key=stem + name)
    aws.forget()
    assert (upload(folder, aws).skipped, len(aws.sent())) == (13, 2)
    assert not any("shards/" in name for name in aws.names())


@pytest.mark.parametrize("after", [1, 4])
def test_an_interrupted_upload_sends_no_shard_twice(
    aws: S3Endpoint, folder: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    monkeypatch.setattr("data_preparation.s3.SHARD_WORKERS", 1)
    aws.misbehave = lambda request: EXPIRED if request.method == "PUT" and request.number > after else None
    with pytest.raises(UserError, match="the AWS credentials have expired"):
        upload(folder, aws)
    names = aws.names()
    assert len(names) == after
    assert not any(name.endswith((".txt", ".json")) for name in names), "nobody takes it for a dataset"
    aws.forget()
    done = upload(folder, aws)
    assert not {*aws.sent()} & {*names}
    assert done.sent == done.shards + 6 - after


def test_a_shard_that_was_altered_is_sent_again(aws: S3Endpoint, folder: Path) -> None:
    done = upload(folder, aws)
    stem = done.uri.removeprefix(f"s3://{BUCKET}/")
    good = there(aws, done)
    aws.client().put_object(Bucket=BUCKET, Key=f"{stem}shards/00001.bin", Body=good["shards/00001.bin"][:-1] + b"?")
    aws.client().delete_object(Bucket=BUCKET, Key=f"{stem}manifest.json")
    aws.forget()
    upload(folder, aws)
    assert [name.removeprefix(stem) for name in aws.sent()] == ["shards/00001.bin", "manifest.json"]
    assert there(aws, done) == good


def test_shards_of_another_size_do_not_end_up_among_those_there(
    aws: S3Endpoint, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a version to come: two sets of shards must not be mixed at one address."""
    aws.misbehave = lambda request: EXPIRED if request.method == "PUT" and request.number > 3 else None
    with pytest.raises(UserError):
        upload(folder, aws)
    aws.forget()
    monkeypatch.setattr(pieces, "SHARD_BYTES", 3 * SHARD_BYTES)
    done = upload(folder, aws)
    assert "-" in done.uri.rstrip("/").rpartition("/")[2]
    assert there(aws, done)["shards/index.tsv"]


def test_large_bodies_are_streams_and_live_with_what_s3_does(
    aws: S3Endpoint, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("data_preparation.s3.AT_ONCE", 100)
    monkeypatch.setattr(s3_folder, "AT_ONCE", 100)
    faults = [SLOW_DOWN, HANG_UP]

    def misbehave(request: Request) -> Fault | None:
        return faults[request.number % 2] if request.method == "PUT" and request.number in (3, 4, 5, 6) else None

    aws.misbehave = misbehave
    shown: list[int] = []
    done = upload(folder, aws, show=lambda meter: shown.append(meter.done_bytes))
    assert shown[-1] == done.bytes, "what was sent twice is counted once"
    here = content(packed(folder, tmp_path / "packed"))
    assert {name: data for name, data in there(aws, done).items() if name != "manifest.json"} == here


# ---------------------------------------------------------------- the commands


def test_up_and_home_again(aws: S3Endpoint, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    at = ["--bucket", BUCKET, "--prefix", "team/ocr"]
    assert main(["upload", str(folder), *at, "--dry-run", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert not aws.sent(), "a dry run writes nothing"
    assert main(["upload", str(folder), *at]) == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"s3://{BUCKET}/team/ocr/datasets/crops/")
    assert f"ok: 14 files in {plan['shards']} shards; sent {plan['sent']} objects" in err
    assert len(aws.sent()) == plan["sent"], "what the dry run said"
    assert main(["download", *at, "--output-dir", str(tmp_path / "home"), "--dry-run"]) == 0
    assert not (tmp_path / "home").exists()
    assert main(["download", *at, "--output-dir", str(tmp_path / "home")]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "home")
    assert content(tmp_path / "home") == content(packed(folder, tmp_path / "packed"))
    assert main(["upload", str(folder), *at, "--loose"]) == 0
    assert "note: it lies there in shards" in said(capsys)


def test_where_it_goes_is_said_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], [PREFIX, "--bucket", BUCKET], [PREFIX, "--prefix", "x"]):
        assert main(["upload", str(folder), *words]) == 1
        assert "say once which place in S3" in said(capsys)
    assert main(["upload", str(folder), "--bucket", f"{BUCKET}/ocr"]) == 1
    assert "give its name alone" in said(capsys)


# ---------------------------------------------------------------- home


def home(aws: S3Endpoint, place: str, into: Path) -> int:
    return main(["download", place, "--output-dir", str(into)])


def test_answers_that_break_off_go_on(aws: S3Endpoint, folder: Path, tmp_path: Path) -> None:
    done = upload(folder, aws)
    aws.cut = lambda request: 300 if request.method == "GET" and ".bin" in request.path and not request.range else None
    assert home(aws, done.uri, tmp_path / "home") == 0
    assert any(request.range for request in aws.requests), "only the rest is asked for"
    assert read_dataset(tmp_path / "home").content_sha256 == done.content_sha256


def test_what_was_altered_or_deleted_after_the_upload_is_named(
    aws: S3Endpoint, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = upload(folder, aws, loose=True)
    stem = done.uri.removeprefix(f"s3://{BUCKET}/")
    same_size = b"?" * len(there(aws, done)["images/4/5.png"])
    aws.client().put_object(Bucket=BUCKET, Key=f"{stem}images/4/5.png", Body=same_size)
    aws.client().delete_object(Bucket=BUCKET, Key=f"{stem}images/7/2.png")
    assert home(aws, done.uri, tmp_path / "home") == 1
    assert "2 files are gone or altered since the upload (images/4/5.png, images/7/2.png)" in said(capsys)
    assert not (tmp_path / "home").exists()
    for name in ("images/4/5.png", "images/7/2.png"):
        aws.client().put_object(Bucket=BUCKET, Key=stem + name, Body=(folder / name).read_bytes())
    aws.forget()
    assert home(aws, done.uri, tmp_path / "home") == 0
    fetched = [key.removeprefix(stem) for key in aws.sent("GET") if key.endswith(".png")]
    assert sorted(fetched) == ["images/4/5.png", "images/7/2.png"], "what had come and is sound is not fetched again"
    assert content(tmp_path / "home") == content(folder)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


ALTERED = {
    "cut": (lambda text: text[:-20], "is not what an upload wrote (its list of files cannot be read"),
    "a way out": (
        lambda text: text.replace('"path":"val.txt"', '"path":"../val.txt"'),
        "it lists the path '../val.txt'",
    ),
    "a number": (lambda text: text.replace('"files":', '"files":1', 1), "is not what it says in the beginning"),
    "another hash": (
        lambda text: text.replace('"content_sha256":"', '"content_sha256":"0', 1),
        "has been altered, what it lists has another content hash than it says",
    ),
}


@pytest.mark.parametrize("case", ALTERED)
def test_a_manifest_that_was_altered(
    aws: S3Endpoint, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    alter, words = ALTERED[case]
    done = upload(folder, aws)
    key = done.uri.removeprefix(f"s3://{BUCKET}/") + "manifest.json"
    aws.client().put_object(Bucket=BUCKET, Key=key, Body=alter(aws.objects()[key].decode()).encode())
    assert home(aws, done.uri, tmp_path / "home") == 1
    assert words in said(capsys)
    assert not (tmp_path / "home").exists()


def test_a_full_disk(
    aws: S3Endpoint, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    done = upload(folder, aws)
    with monkeypatch.context() as small:
        small.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=1000))
        assert home(aws, done.uri, tmp_path / "home") == 1
        assert "has 0.001 MB left, and 0.00739 MB are to come: make room" in said(capsys)

    def no_space(path: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left")

    with monkeypatch.context() as full:  # someone else fills it meanwhile
        full.setattr(Path, "replace", no_space)
        assert home(aws, done.uri, tmp_path / "home") == 1
        last = said(capsys)
        assert "home cannot be written (No space left): check space and permissions; what has come is kept in" in last
    assert not (tmp_path / "home").exists()
    assert home(aws, done.uri, tmp_path / "home") == 0


def test_what_is_no_upload(aws: S3Endpoint, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert home(aws, PREFIX, tmp_path / "home") == 1
    assert "holds no complete upload, which manifest.json would say" in said(capsys)
    first = upload(folder, aws)
    for number, parts in enumerate((2, 3)):  # the dataset's name alone, and the folder of all
        assert home(aws, first.uri.rsplit("/", parts)[0], tmp_path / f"only-{number}") == 0
    with (folder / "train.txt").open("a") as labels:
        labels.write("images/0/9.png\ta1\n")
    second = upload(folder, aws)
    assert home(aws, PREFIX, tmp_path / "home") == 1
    last = said(capsys)
    assert "has 2 datasets: name one of" in last
    assert first.uri in last
    assert second.uri in last
    (tmp_path / "home").mkdir()
    (tmp_path / "home/mine.txt").write_text("mine")
    assert home(aws, first.uri, tmp_path / "home") == 1
    assert "is not empty: name a new folder" in said(capsys)
    assert home(aws, "s3://no-such-bucket/ocr", tmp_path / "other") == 1
    assert "the bucket no-such-bucket does not exist" in said(capsys)
