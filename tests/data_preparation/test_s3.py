"""The uploader, against S3's protocol over HTTP: once per content, resumable, nothing torn, nothing silent."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from contract.check import check_dataset
from contract.errors import UserError
from contract.picture import Look
from data_preparation import s3, s3_folder
from data_preparation.dataset_files import DatasetFiles, LocalDataset, read_dataset
from data_preparation.remote_dataset import describe_dataset_uri
from data_preparation.s3 import DatasetUpload, dataset_uri, upload_dataset
from data_preparation.scripts.upload_to_s3 import main
from data_preparation.validation import validate
from launcher.cloud.layout import run_layout
from tests.data_preparation.folders import REPOSITORY, dataset, png
from tests.data_preparation.s3_endpoint import (
    BUCKET,
    HANG_UP,
    Fault,
    Request,
    S3Endpoint,
    join_left_behind,
    reset,
    run_s3,
)
from tests.launcher.aws_stand_in import KEYS, REGION, use_no_aws

PREFIX = f"s3://{BUCKET}/ocr"
KMS_KEY = "arn:aws:kms:ap-southeast-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
EXPIRED = Fault("400 Bad Request", "ExpiredToken", "The provided token has expired.")
SLOW_DOWN = Fault("503 Slow Down", "SlowDown", "Please reduce your request rate.")
INTERNAL = Fault("500 Internal Server Error", "InternalError", "We encountered an internal error. Please try again.")
DENIED = Fault("403 Forbidden", "AccessDenied", "User is not authorized to perform: s3:PutObject on resource")


@pytest.fixture(scope="module")
def running_s3() -> Iterator[S3Endpoint]:
    with run_s3() as endpoint:
        yield endpoint


@pytest.fixture
def aws(running_s3: S3Endpoint, monkeypatch: pytest.MonkeyPatch) -> S3Endpoint:
    use_no_aws(monkeypatch)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", running_s3.url)
    reset(running_s3)
    return running_s3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """21 images and their texts: 24 files."""
    train = {f"{number:03}.png": f"a{number}" for number in range(20)}
    return dataset(tmp_path / "my crops", train, {"v.png": "a19"})


def many(folder: Path, count: int) -> Path:
    """A dataset of this many small images."""
    return dataset(folder, {f"{number // 500}/{number:05}.png": str(number) for number in range(count)}, {"v.png": "7"})


def upload(folder: Path | LocalDataset, aws: S3Endpoint, **options: Any) -> DatasetUpload:
    local = read_dataset(folder) if isinstance(folder, Path) else folder
    return upload_dataset(local, PREFIX, aws.session(), REGION, **{"loose": True} | options)


def refused(folder: Path | LocalDataset, aws: S3Endpoint, **options: Any) -> str:
    """The sentence with which an upload is refused."""
    with pytest.raises(UserError) as caught:
        upload(folder, aws, **options)
    join_left_behind()
    text = str(caught.value)
    assert "\n" not in text
    assert "Traceback" not in text
    return text


def manifests(aws: S3Endpoint) -> list[str]:
    return [key for key in aws.names() if key.endswith("manifest.json")]


def assert_whole(aws: S3Endpoint, folder: Path, done: DatasetUpload) -> None:
    """What S3 has at the address is the folder, byte by byte, and the manifest tells the truth about it."""
    stem = done.uri.removeprefix(f"s3://{BUCKET}/")
    there = {k.removeprefix(stem): v for k, v in aws.objects().items() if k.startswith(stem)}
    manifest = json.loads(there.pop("manifest.json"))
    here = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert there == here
    assert manifest["dataset"]["files"] == len(here) == done.files == len(manifest["files"])
    assert manifest["dataset"]["bytes"] == sum(map(len, here.values())) == done.bytes
    listed = {each["path"]: (each["bytes"], each["sha256"]) for each in manifest["files"]}
    assert listed == {path: (len(data), hashlib.sha256(data).hexdigest()) for path, data in here.items()}


# ---------------------------------------------------------------- what goes up


def test_a_dataset_goes_up_with_a_checksum_each_and_the_manifest_last(aws: S3Endpoint, folder: Path) -> None:
    steps: list[tuple[int, int, int]] = []
    done = upload(folder, aws, show=lambda meter: steps.append((meter.done_files, meter.files, meter.done_bytes)))
    content = check_dataset(folder, None, lambda data: Look()).content_sha256
    assert done.uri == f"{PREFIX}/datasets/my-crops/{content}/"
    assert (done.files, done.skipped, done.content_sha256) == (24, 0, content)
    assert [step[:2] for step in steps] == [(number, 24) for number in range(1, 25)]
    assert steps[-1][2] == done.bytes
    last = {key.rpartition("/")[2] for key in aws.sent()[-4:-1]}
    assert last == {"train.txt", "val.txt", "dict.txt"}, "what makes it look like a dataset comes after the images"
    assert aws.sent()[-1].endswith("/manifest.json")
    assert len(aws.sent()) == 25
    assert_whole(aws, folder, done)
    client = aws.client()
    for key in aws.names():
        head = client.head_object(Bucket=BUCKET, Key=key, ChecksumMode="ENABLED")
        assert head["ChecksumSHA256"]
    assert not aws.sent("DELETE")
    assert not aws.sent("POST")  # no multipart upload that could be left behind


def test_the_address_is_the_one_that_the_launcher_plans(aws: S3Endpoint, folder: Path) -> None:
    local = read_dataset(folder)
    planned = run_layout(BUCKET, "any").dataset(local.name, local.content_sha256)
    assert str(planned) == dataset_uri(local, PREFIX) == upload(local, aws).uri


def test_only_what_belongs_to_the_dataset_goes_up(aws: S3Endpoint, folder: Path) -> None:
    (folder / "notes.txt").write_text("mine")
    (folder / "images/unlabelled.png").write_bytes(png())
    (folder / ".git").mkdir()
    (folder / ".git/config").write_text("secret")
    upload(folder, aws)
    names = {key.rpartition("/")[2] for key in aws.names()}
    assert not names & {"notes.txt", "unlabelled.png", "config"}
    assert len(names) == 25


def test_labels_may_name_images_in_any_way_that_training_takes(aws: S3Endpoint, tmp_path: Path) -> None:
    folder = dataset(tmp_path / "d", {"ก ข.png": "กข", "b.png": "b", "c+%20&.png": "c"})
    lines = (folder / "train.txt").read_text(encoding="utf-8")
    text = lines.replace("images/b.png", "images\\b.png").replace("images/c", ".//images/c") + "images/b.png\tb\n"
    (folder / "train.txt").write_text(text, encoding="utf-8")
    done = upload(folder, aws)
    assert_whole(aws, folder, done)
    assert upload(folder, aws).skipped == done.files


@pytest.mark.parametrize("name", ["images/000.png", "train.txt", "dict.txt"])
def test_links_may_not_lead_out(aws: S3Endpoint, folder: Path, name: str) -> None:
    outside = folder.parent / "outside"
    (folder / name).rename(outside)
    (folder / name).symlink_to(outside)
    assert "is a link that leaves the dataset folder" in refused(folder, aws)
    assert not aws.requests


def test_links_inside_are_followed(aws: S3Endpoint, folder: Path) -> None:
    (folder / "images/000.png").rename(folder / "images/real.png")
    (folder / "images/000.png").symlink_to("real.png")
    upload(folder, aws)
    assert any(key.endswith("images/000.png") for key in aws.names())


BAD = {
    "path out of the folder": (lambda d: (d / "train.txt").write_text("../secret.png\ta1\n"), "leaves the dataset"),
    "missing image": (lambda d: (d / "images/003.png").unlink(), "'images/003.png' does not exist"),
    "cut image": (lambda d: (d / "images/003.png").write_bytes(png()[:-40]), "'images/003.png' is cut short"),
    "missing dictionary": (lambda d: (d / "dict.txt").unlink(), "dict.txt: does not exist"),
    "unknown character": (lambda d: (d / "dict.txt").write_text("a\n"), "is not in dict.txt"),
    "no folder": (shutil.rmtree, "is not a dataset folder"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_dataset_is_refused_before_anything_is_asked(aws: S3Endpoint, folder: Path, case: str) -> None:
    spoil, words = BAD[case]
    spoil(folder)
    assert words in refused(folder, aws)
    assert not aws.requests


def test_one_pass_checks_decodes_and_hashes(aws: S3Endpoint, folder: Path) -> None:
    files = DatasetFiles(folder)
    verdict = validate(folder, None, lambda done, total: None, files.add_image)
    local = files.dataset(verdict.report)
    assert list(local.images) == list(read_dataset(folder).images)
    assert_whole(aws, folder, upload(local, aws))


# ---------------------------------------------------------------- once per content


def test_a_second_upload_sends_nothing(aws: S3Endpoint, folder: Path) -> None:
    first = upload(folder, aws)
    aws.forget()
    second = upload(folder, aws)
    stem = f"/{BUCKET}/{first.uri.removeprefix(f's3://{BUCKET}/')}"
    asked = {(each.method, each.path.removeprefix(stem)) for each in aws.requests}
    assert asked == {("GET", "manifest.json"), ("HEAD", f"/{BUCKET}"), ("GET", f"/{BUCKET}")}, "the last is a listing"
    assert len(aws.requests) == 3
    assert (second.uri, second.skipped, second.files) == (first.uri, 24, 24)


@pytest.mark.parametrize("names", [["images/003.png"], ["train.txt"], ["dict.txt", "images/000.png", "images/v.png"]])
def test_what_was_deleted_behind_the_manifest_is_sent_again(aws: S3Endpoint, folder: Path, names: list[str]) -> None:
    first = upload(folder, aws)
    stem = first.uri.removeprefix(f"s3://{BUCKET}/")
    for name in names:
        aws.client().delete_object(Bucket=BUCKET, Key=stem + name)
    aws.forget()
    second = upload(folder, aws)
    assert sorted(aws.sent()) == sorted(stem + name for name in names)
    assert_whole(aws, folder, second)
    assert (second.uri, second.skipped, second.sent) == (first.uri, 24 - len(names), len(names))


def test_a_file_too_large_for_one_request_goes_in_parts(
    aws: S3Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_folder, "LARGEST_PUT", 6 << 20)
    monkeypatch.setattr(s3_folder, "PART", 5 << 20)
    data = os.urandom(11 << 20)
    (tmp_path / "start.pdparams").write_bytes(data)
    sha256 = hashlib.sha256(data).hexdigest()
    place = s3_folder.s3_folder(aws.client(), f"s3://{BUCKET}/ocr/files/", REGION)
    with (tmp_path / "start.pdparams").open("rb") as body:
        assert place.put("start.pdparams", body, sha256, only_new=True)
        assert aws.objects()["ocr/files/start.pdparams"] == data
        aws.forget()
        assert not place.put("start.pdparams", body, sha256, only_new=True)
    assert not aws.sent()


def test_a_changed_label_is_another_dataset(aws: S3Endpoint, folder: Path) -> None:
    first = upload(folder, aws)
    text = (folder / "train.txt").read_text()
    (folder / "train.txt").write_text(text.replace("a19", "a18"))
    second = upload(folder, aws)
    assert first.uri != second.uri
    assert_whole(aws, folder, second)


@pytest.mark.parametrize("complete", [True, False])
def test_another_dictionary_never_ends_up_on_top_of_the_first(aws: S3Endpoint, folder: Path, complete: bool) -> None:
    """The content hash covers images and labels alone; the dictionary decides what a class means."""
    other = folder.parent / "other" / folder.name
    shutil.copytree(folder, other)
    (other / "dict.txt").write_text((folder / "dict.txt").read_text() + "z\n")
    if complete:
        first = upload(folder, aws)
    else:  # the first has sent its labels and is still on its way
        aws.misbehave = lambda request: EXPIRED if "manifest" in request.path and request.method == "PUT" else None
        refused(folder, aws)
        aws.forget()
    second = upload(other, aws)
    assert second.content_sha256 == read_dataset(folder).content_sha256
    assert_whole(aws, other, second)
    if not complete:
        first = upload(folder, aws)
    assert second.uri != first.uri
    assert second.uri.startswith(first.uri[:-1])
    assert_whole(aws, folder, first)
    aws.forget()
    assert upload(other, aws).skipped == 24
    assert not aws.sent()


def test_two_at_the_same_time(aws: S3Endpoint, folder: Path) -> None:
    local = read_dataset(folder)
    aws.delay_s = 0.02
    results: list[DatasetUpload] = []
    threads = [threading.Thread(target=lambda: results.append(upload(local, aws))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 3
    assert len({each.uri for each in results}) == 1
    assert_whole(aws, folder, results[0])
    assert len(manifests(aws)) == 1


# ---------------------------------------------------------------- going on


def test_an_expired_token_in_the_middle(aws: S3Endpoint, folder: Path) -> None:
    aws.misbehave = lambda request: EXPIRED if request.method == "PUT" and request.number > 10 else None
    text = refused(folder, aws)
    assert "the AWS credentials have expired" in text
    assert "of 24 files are there, and the same command goes on" in text
    assert not manifests(aws)
    there = len(aws.names())  # at most: an object may have been sent twice
    assert 5 <= there <= 10
    aws.forget()
    done = upload(folder, aws)
    assert done.skipped == there
    assert len(aws.sent()) == (24 - there) + 1, "what is missing, and the manifest"
    assert_whole(aws, folder, done)


@pytest.mark.parametrize("hide_md5", [False, True])
def test_a_tampered_object_is_sent_again(aws: S3Endpoint, folder: Path, hide_md5: bool) -> None:
    """Also where S3 shows no MD5: under a bucket's own KMS key."""
    done = upload(folder, aws)
    stem = done.uri.removeprefix(f"s3://{BUCKET}/")
    client = aws.client()
    client.delete_object(Bucket=BUCKET, Key=f"{stem}manifest.json")
    good = (folder / "images/004.png").read_bytes()
    client.put_object(Bucket=BUCKET, Key=f"{stem}images/004.png", Body=good[:-1] + b"?")  # of the same size
    client.put_object(Bucket=BUCKET, Key=f"{stem}images/007.png", Body=b"short")
    client.put_object(Bucket=BUCKET, Key=f"{stem}images/000-not-ours.png", Body=b"left alone")
    aws.forget()
    aws.hide_md5 = hide_md5
    again = upload(folder, aws)
    sent = {key.rpartition("/")[2] for key in aws.sent()}
    assert sent == {"004.png", "007.png", "manifest.json"}
    assert again.skipped == 22
    client.delete_object(Bucket=BUCKET, Key=f"{stem}images/000-not-ours.png")
    assert_whole(aws, folder, again)


def test_throttling_and_failures_are_lived_with(aws: S3Endpoint, folder: Path) -> None:
    faults = [SLOW_DOWN, INTERNAL, HANG_UP]

    def misbehave(request: Request) -> Fault | None:
        return faults[request.number // 5 % 3] if request.method == "PUT" and request.number % 5 == 0 else None

    aws.misbehave = misbehave
    done = upload(folder, aws)
    aws.misbehave = lambda request: None
    assert_whole(aws, folder, done)
    assert len(aws.sent()) > 25


def test_a_lost_answer_to_the_manifest_is_no_failure(aws: S3Endpoint, folder: Path) -> None:
    """S3 has taken it, the connection breaks, the repeated request is refused: it exists."""
    local = read_dataset(folder)

    def misbehave(request: Request) -> Fault | None:
        if not request.path.endswith("manifest.json") or request.method != "PUT" or manifests(aws):
            return None
        aws.misbehave = lambda request: None
        upload(local, aws)  # someone else completes it at this very moment
        return HANG_UP

    aws.misbehave = misbehave
    done = upload(local, aws)
    assert_whole(aws, folder, done)


def test_conflicts_with_another_writer_are_waited_for(aws: S3Endpoint, folder: Path) -> None:
    conflict = Fault("409 Conflict", "ConditionalRequestConflict")
    aws.misbehave = lambda request: conflict if request.method == "PUT" and request.number < 3 else None
    assert_whole(aws, folder, upload(folder, aws))


def test_many_small_files_with_pages_of_listing(aws: S3Endpoint, tmp_path: Path) -> None:
    folder = many(tmp_path / "many", 1200)
    local = read_dataset(folder)
    aws.misbehave = lambda request: EXPIRED if request.method == "PUT" and request.number > 1050 else None
    assert re.search(r"at least (9\d\d|1,0[0-5]\d) of 1,204 files are there", refused(local, aws))
    there = len(aws.names())
    assert 1000 < there <= 1050
    aws.forget()
    done = upload(local, aws)
    assert done.files == 1204
    assert done.skipped == there
    assert len(aws.sent()) == 1204 - there + 1
    assert sum("list-type" in each.query for each in aws.requests) == 2  # 1,050 objects
    assert_whole(aws, folder, done)
    aws.forget()
    upload(local, aws)
    assert len(aws.requests) == 1 + 1 + 2  # the bucket, the manifest, pages of a thousand names


# ---------------------------------------------------------------- a folder that changes


def edit(folder: Path) -> None:
    (folder / "images/005.png").write_bytes(png(shade=77))


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "an image is replaced": (edit, "images/005.png changed while the dataset was uploaded"),
    "an image vanishes": (
        lambda d: (d / "images/005.png").unlink(),
        "the image 'images/005.png' does not exist: it was sound when the dataset was checked",
    ),
    "a label changes": (lambda d: (d / "train.txt").write_text("images/001.png\ta\n"), "train.txt changed while"),
    "an image is a folder": (
        lambda d: [(d / "images/005.png").unlink(), (d / "images/005.png").mkdir()],
        "the image 'images/005.png' is a folder: it was sound when the dataset was checked",
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_folder_that_changes_gets_no_manifest(aws: S3Endpoint, folder: Path, case: str) -> None:
    change, words = CHANGES[case]
    local = read_dataset(folder)
    change(folder)
    assert words in refused(local, aws)
    assert not manifests(aws)


def test_labels_that_change_during_the_check_are_noticed(aws: S3Endpoint, folder: Path) -> None:
    files = DatasetFiles(folder)
    with (folder / "train.txt").open("a") as labels:
        labels.write("images/v.png\ta1\n")
    local = files.dataset(check_dataset(folder, None, lambda data: Look(), found=files.add_image))
    assert "train.txt changed while" in refused(local, aws)


def test_large_files_arrive_whole(aws: S3Endpoint, folder: Path) -> None:
    with (folder / "images/005.png").open("ab") as stream:
        stream.write(os.urandom(3 << 20))
    aws.misbehave = lambda request: INTERNAL if request.method == "PUT" and request.number == 9 else None
    assert_whole(aws, folder, upload(folder, aws))


# ---------------------------------------------------------------- refusals of AWS


def test_a_bucket_that_does_not_exist(aws: S3Endpoint, folder: Path) -> None:
    with pytest.raises(UserError, match="the bucket no-such-bucket does not exist: name another, or make it with"):
        upload_dataset(read_dataset(folder), "s3://no-such-bucket/ocr", aws.session(), REGION)


def test_a_bucket_of_another_region(aws: S3Endpoint, folder: Path) -> None:
    aws.client("eu-west-1").create_bucket(
        Bucket="far-away", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    with pytest.raises(UserError, match="far-away is in eu-west-1, and the job is to run in ap-southeast-1"):
        upload_dataset(read_dataset(folder), "s3://far-away/ocr", aws.session(), REGION)
    assert not aws.names("far-away")


def test_no_permission_to_write(aws: S3Endpoint, folder: Path) -> None:
    aws.misbehave = lambda request: DENIED if request.method == "PUT" else None
    text = refused(folder, aws)
    assert "AWS does not allow it (User is not authorized to perform: s3:PutObject" in text


def test_no_permission_to_look_for_what_is_not_there(aws: S3Endpoint, folder: Path) -> None:
    """Without s3:ListBucket on the whole bucket, S3 hides whether a key or a bucket exists."""

    def misbehave(request: Request) -> Fault | None:
        hidden = request.method == "GET" and "manifest.json" in request.path and not manifests(aws)
        return DENIED if hidden or (request.method == "HEAD" and request.path == f"/{BUCKET}") else None

    aws.misbehave = misbehave
    done = upload(folder, aws)
    assert_whole(aws, folder, done)
    aws.misbehave = lambda request: DENIED if request.method == "GET" and request.path.endswith(".json") else None
    assert "AWS does not allow it" in refused(folder, aws)  # it is there, and really may not be read


def test_no_credentials(aws: S3Endpoint, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="no AWS credentials are found"):
        upload_dataset(read_dataset(folder), PREFIX, boto3.Session(), REGION)


def test_no_network(aws: S3Endpoint, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "ATTEMPTS", 2)
    aws.misbehave = lambda request: HANG_UP if request.method == "PUT" and request.number > 5 else None
    text = refused(folder, aws)
    assert "AWS cannot be reached" in text
    assert re.search("at least [345] of 24 files are there, and the same command goes on", text)


def test_endless_throttling(aws: S3Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = dataset(tmp_path / "few", {"1.png": "a1", "2.png": "a2"})  # botocore sends one every two seconds by then
    monkeypatch.setattr(s3, "ATTEMPTS", 2)
    aws.misbehave = lambda request: SLOW_DOWN if request.method == "PUT" else None
    assert "AWS is busy and keeps answering SlowDown" in refused(folder, aws)


def test_a_key_that_is_switched_off(aws: S3Endpoint, folder: Path) -> None:
    fault = Fault("400 Bad Request", "KMS.DisabledException", "the key is disabled")
    aws.misbehave = lambda request: fault if request.method == "PUT" else None
    text = refused(folder, aws, kms_key=KMS_KEY)
    assert "the KMS key cannot be used (KMS.DisabledException): check --kms-key" in text


@pytest.mark.parametrize("prefix", ["bucket/ocr", "s3://", "s3:///ocr", "S3://ocr-bucket/x", "s3://Ocr_Bucket/x"])
def test_an_address_that_is_none(aws: S3Endpoint, folder: Path, prefix: str) -> None:
    with pytest.raises(UserError, match="write an address in S3 as s3://BUCKET/folder/"):
        upload_dataset(read_dataset(folder), prefix, aws.session(), REGION)


def test_a_manifest_of_someone_else(aws: S3Endpoint, folder: Path) -> None:
    key = dataset_uri(read_dataset(folder), "ocr") + "manifest.json"
    for body in (b"[]", b"", b'{"dataset": {"format":2}}', b"\xff\xfe"):
        aws.client().put_object(Bucket=BUCKET, Key=key, Body=body)
        assert "manifest.json is no manifest of an upload" in refused(folder, aws)


# ---------------------------------------------------------------- encryption


def test_a_kms_key_is_passed_on_and_remembered(aws: S3Endpoint, folder: Path) -> None:
    aws.misbehave = lambda request: EXPIRED if request.method == "PUT" and request.number > 12 else None
    refused(folder, aws, kms_key=KMS_KEY)
    there = len(aws.names())
    assert 6 <= there <= 12
    aws.forget()
    done = upload(folder, aws, kms_key=KMS_KEY)
    assert done.skipped == there
    client = aws.client()
    for key in aws.names():
        head = client.head_object(Bucket=BUCKET, Key=key)
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", KMS_KEY)
        assert head["BucketKeyEnabled"]
    assert upload(folder, aws, kms_key=KMS_KEY).skipped == 24
    assert upload(folder, aws).skipped == 24


def test_a_complete_upload_is_not_taken_for_an_encrypted_one(aws: S3Endpoint, folder: Path) -> None:
    upload(folder, aws)
    assert "is complete and encrypted with the bucket's own key" in refused(folder, aws, kms_key=KMS_KEY)


def test_images_that_are_there_unencrypted_are_sent_again(aws: S3Endpoint, folder: Path) -> None:
    aws.misbehave = lambda request: EXPIRED if request.method == "PUT" and request.number > 12 else None
    refused(folder, aws)
    aws.forget()
    done = upload(folder, aws, kms_key=KMS_KEY)
    stem = done.uri.removeprefix(f"s3://{BUCKET}/")
    client = aws.client()
    for key in aws.names():
        if key.startswith(stem):
            assert client.head_object(Bucket=BUCKET, Key=key)["SSEKMSKeyId"] == KMS_KEY


# ---------------------------------------------------------------- what is there


def test_a_dataset_in_s3_is_described_by_its_manifest(aws: S3Endpoint, folder: Path) -> None:
    done = upload(folder, aws)
    aws.forget()
    there = describe_dataset_uri(done.uri, aws.session(), REGION)
    assert (there.uri, there.files, there.bytes) == (done.uri, done.files, done.bytes)
    assert there.summary is not None
    assert there.summary.content_sha256 == done.content_sha256
    assert (there.summary.train, there.summary.val, there.summary.characters) == (20, 1, 11)
    assert (there.summary.longest_label, there.summary.has_space) == (3, False)
    assert len(aws.requests) == 2  # the bucket, the manifest
    assert describe_dataset_uri(done.uri[:-1], aws.session(), REGION) == there  # a forgotten slash


def test_a_dataset_without_a_manifest_is_counted(aws: S3Endpoint, folder: Path) -> None:
    client = aws.client()
    for path in folder.rglob("*.*"):
        key = f"raw/{path.relative_to(folder).as_posix()}"
        client.put_object(Bucket=BUCKET, Key=key, Body=path.read_bytes())
    there = describe_dataset_uri(f"s3://{BUCKET}/raw/", aws.session(), REGION)
    assert (there.files, there.summary) == (24, None)
    assert there.bytes == read_dataset(folder).bytes


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ([], "x/ holds nothing: check the address"),
        (["images/1.png", "train.txt"], "x/ holds no dict.txt: name the folder of a dataset"),
        (["train.txt", "dict.txt", "shards/index.tsv", "shards/00000.bin"], "x/ holds no shards/shards.json"),
        (["deeper/train.txt", "deeper/dict.txt"], "x/ holds no dict.txt and no train.txt"),
    ],
)
def test_what_is_no_dataset_in_s3(aws: S3Endpoint, keys: list[str], words: str) -> None:
    for key in keys:
        aws.client().put_object(Bucket=BUCKET, Key=f"x/{key}", Body=b"?")
    aws.client().put_object(Bucket=BUCKET, Key="xy/train.txt", Body=b"a sibling")
    with pytest.raises(UserError, match=words):
        describe_dataset_uri(f"s3://{BUCKET}/x", aws.session(), REGION)


# ---------------------------------------------------------------- the command


def start(aws: S3Endpoint, *words: str) -> subprocess.Popen[str]:
    """A command of the data tools, in a process of its own."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY),
        "AWS_ENDPOINT_URL_S3": aws.url,
        "AWS_ACCESS_KEY_ID": KEYS[0],
        "AWS_SECRET_ACCESS_KEY": KEYS[1],
        "AWS_REGION": REGION,
    }
    command = [sys.executable, "-m", "data_preparation", *words]
    return subprocess.Popen(
        command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def start_upload(folder: Path, aws: S3Endpoint, *more: str) -> subprocess.Popen[str]:
    return start(aws, "upload", str(folder), PREFIX, *more)


def wait_for(what: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not what():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_the_command(aws: S3Endpoint, folder: Path) -> None:
    first = start_upload(folder, aws)
    out, said = first.communicate(timeout=60)
    assert first.returncode == 0, said
    assert out.strip() == dataset_uri(read_dataset(folder), PREFIX)
    assert "uploading: 24 of 24" in said
    assert "ok: 24 files in 1 shard; sent 7 objects, 0.0 MB, in" in said
    second = start_upload(folder, aws, "--json")
    out, said = second.communicate(timeout=60)
    assert json.loads(out)["skipped"] == 24
    assert said.endswith("ok: all 24 files were there already, nothing was sent\n")


def settled(aws: S3Endpoint) -> int:
    """How many objects there are, once nothing more arrives of what was under way."""
    count = -1
    while (now := len(aws.names())) != count:
        count = now
        time.sleep(1)
    return count


def test_an_interrupted_command_goes_on(aws: S3Endpoint, tmp_path: Path) -> None:
    """Killed ones: tests/faults/test_kill_upload.py."""
    folder = many(tmp_path / "many", 600)
    aws.delay_s = 0.5
    process = start_upload(folder, aws, "--loose")
    wait_for(lambda: len(aws.sent()) > 260)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, said = process.communicate(timeout=30)
    assert time.monotonic() - began < 15
    assert out == ""
    assert process.returncode == 130
    assert said.endswith("interrupted\n")
    assert "Traceback" not in said
    aws.delay_s = 0
    there = settled(aws)
    assert 200 <= there < 600
    assert not manifests(aws)
    aws.forget()
    done = upload(folder, aws)
    assert done.skipped == there
    assert len(aws.sent()) == 604 - there + 1
    assert_whole(aws, folder, done)


def test_ctrl_c_does_not_wait_for_a_request_that_hangs(aws: S3Endpoint, folder: Path) -> None:
    release = threading.Event()

    def misbehave(request: Request) -> Fault | None:
        if request.method == "PUT" and "images" in request.path:
            release.wait(60)
        return None

    aws.misbehave = misbehave
    process = start_upload(folder, aws, "--loose")
    try:
        wait_for(lambda: sum("images" in key for key in aws.sent()) >= 20)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
        assert time.monotonic() - began < 20  # the request hangs for 60
        assert process.returncode == 130
    finally:
        release.set()


@pytest.mark.parametrize("files_before", [0, 1, 30])
@pytest.mark.parametrize("hangs", [False, True], ids=["", "a request hangs"])
def test_an_interrupted_download_goes_on(aws: S3Endpoint, tmp_path: Path, files_before: int, hangs: bool) -> None:
    folder, home = many(tmp_path / "many", 60), tmp_path / "here" / "home"
    home.parent.mkdir()
    done = upload(folder, aws)
    aws.forget()
    release = threading.Event()

    def files() -> int:
        return sum(each.method == "GET" and each.path.endswith((".png", ".txt")) for each in aws.requests)

    def misbehave(request: Request) -> Fault | None:
        if hangs and files() >= files_before:
            release.wait(60)
        time.sleep(0.1)
        return None

    aws.misbehave = misbehave
    words = ["download", done.uri, "--output-dir", str(home)]
    process = start(aws, *words)
    try:
        wait_for(lambda: bool(aws.requests) and files() >= files_before)
        process.send_signal(signal.SIGINT)
        out, said = process.communicate(timeout=30)
    finally:
        release.set()
    assert (process.returncode, out) == (130, "")
    assert said.endswith("interrupted\n")
    assert "Traceback" not in said
    assert [path.name for path in home.parent.iterdir() if not path.name.startswith(".")] == []
    kept = sum(path.suffix in (".png", ".txt") for path in home.parent.rglob("*") if path.is_file())
    aws.forget()
    process = start(aws, *words, "--json")
    out, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert json.loads(out)["skipped"] == kept
    if files_before == 30:
        assert kept > 0
    assert read_dataset(home).content_sha256 == done.content_sha256
    assert list(home.parent.iterdir()) == [home]
    assert not list(home.rglob("*.partial"))


def test_what_goes_wrong_is_one_sentence(
    aws: S3Endpoint, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main([str(folder), PREFIX]) == 1
    assert "no AWS region is set" in capsys.readouterr().err
    assert main([str(folder), PREFIX, "--region", REGION, "--profile", "nobody"]) == 1
    assert "there is no AWS profile nobody: run `aws configure --profile nobody`" in capsys.readouterr().err
    assert main([str(folder), PREFIX, "--region", REGION]) == 1
    out, said = capsys.readouterr()
    assert out == ""
    assert said.splitlines()[-1].startswith(f"error: uploading {folder} to {PREFIX}/datasets/my-crops/")
    assert "no AWS credentials are found" in said
