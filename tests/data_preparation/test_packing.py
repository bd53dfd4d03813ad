"""pack and unpack: the same images, labels and content hash, the same bytes each time, and all of it or nothing."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from contract.check import check_dataset
from contract.errors import UserError
from contract.images import open_images
from data_preparation.__main__ import main
from data_preparation.dataset_files import read_dataset
from data_preparation.images import decode
from data_preparation.packing import Packed, pack_dataset
from tests.data_preparation.folders import dataset, decodes, huge_png, jpeg

TRAIN = {"b.png": "one", "deep/a.png": "two", "c.png": "one two", "deep/er/a.png": "three", "again.png": "one"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Names in subfolders, two images with equal bytes, a path twice, a label in Windows' spelling, a stray file."""
    folder = dataset(tmp_path / "loose", TRAIN, {"v.png": "two"})
    (folder / "images/again.png").write_bytes((folder / "images/b.png").read_bytes())
    with (folder / "train.txt").open("a") as labels:
        labels.write("images/c.png\tone two\nimages\\deep\\a.png\ttwo\n")
    (folder / "dataset.json").write_text('{"format": 1, "source": "by hand"}\n')
    (folder / "images/stray.png").write_bytes(jpeg())
    return folder


def pack(folder: Path, into: Path, **options: object) -> Path:
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    assert main(["pack", str(folder), "--output-dir", str(into), *flags]) == 0
    return into


def in_shards_of(folder: Path, into: Path, shard_bytes: int) -> Packed:
    into.mkdir()
    return pack_dataset(folder, into, shard_bytes=shard_bytes)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_there_and_back(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    packed = pack(folder, tmp_path / "packed")
    assert "8 samples in 1 shard" in capsys.readouterr().err
    assert sorted(files(packed)) == sorted(
        ["train.txt", "val.txt", "dict.txt", "dataset.json"]
        + [f"shards/{name}" for name in ("00000.bin", "index.tsv", "shards.json")]
    )
    assert main(["unpack", str(packed), "--output-dir", str(tmp_path / "again")]) == 0
    expected = files(folder)
    del expected["images/stray.png"]  # no label names it
    assert files(tmp_path / "again") == expected
    assert list(tmp_path.glob(".*")) == []


def test_the_same_dataset_makes_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    packed = files(pack(folder, tmp_path / "one"))
    assert files(pack(folder, tmp_path / "two")) == packed
    assert files(pack(tmp_path / "one", tmp_path / "three", shard_mb=1)) == packed, "what is packed can be packed again"


def test_shards_are_filled_in_the_order_of_the_labels(folder: Path, tmp_path: Path) -> None:
    in_shards_of(folder, tmp_path / "packed", shard_bytes=700)
    shards = json.loads((tmp_path / "packed/shards/shards.json").read_text())["shards"]
    assert len(shards) > 2
    assert all(shard["bytes"] <= 700 for shard in shards)
    content = [(tmp_path / "packed/shards" / shard["file"]).read_bytes() for shard in shards]
    assert [hashlib.sha256(each).hexdigest() for each in content] == [shard["sha256"] for shard in shards]
    images = [*TRAIN, "v.png"]
    assert b"".join(content) == b"".join((folder / "images" / image).read_bytes() for image in images)
    alone = in_shards_of(folder, tmp_path / "alone", shard_bytes=1)
    assert len(alone.shards) == len(images), "an image that is larger than a shard has one to itself"


def test_packed_is_the_same_dataset(folder: Path, tmp_path: Path) -> None:
    local = in_shards_of(folder, tmp_path / "packed", shard_bytes=700)
    loose, packed = read_dataset(folder), read_dataset(tmp_path / "packed")
    assert packed.content_sha256 == loose.content_sha256 == local.report.content_sha256
    assert packed.report.split_sha256 == loose.report.split_sha256
    assert packed.report.notes == loose.report.notes
    assert list(packed.images) == list(loose.images)
    assert packed.texts == loose.texts


def test_bad_images_are_named_and_nothing_is_written(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "images/c.png").write_bytes(b"no image")
    whole = (folder / "images/deep/er/a.png").read_bytes()
    (folder / "images/deep/er/a.png").write_bytes(whole[:60] + b"damage" + whole[66:])
    assert main(["pack", str(folder), "--output-dir", str(tmp_path / "packed")]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert "train.txt:3: the image 'images/c.png' is not an image" in error
    assert "2 more" in error, "the damaged one, and the second line of the first"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["loose"]


def test_labels_that_change_meanwhile_are_noticed(folder: Path, tmp_path: Path) -> None:
    def change(done: int, total: int) -> None:
        (folder / "val.txt").write_text("images/v.png\tone\n")

    (tmp_path / "packed").mkdir()
    with pytest.raises(UserError, match=r"val.txt changed while the dataset was read"):
        pack_dataset(folder, tmp_path / "packed", change)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        ("flip", "the image 'images/deep/a.png' is damaged: "),
        ("cut", "00000.bin is cut short"),
        ("loose", "is not packed"),
        ("none", "does not exist: name the folder"),
    ],
)
def test_unpack_refuses_damage_and_writes_nothing(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str, sentence: str
) -> None:
    packed = {"loose": folder, "none": tmp_path / "none"}.get(damage) or pack(folder, tmp_path / "packed")
    if damage in ("flip", "cut"):
        shard = packed / "shards/00000.bin"
        data = bytearray(shard.read_bytes())
        place = len((folder / "images/b.png").read_bytes()) + 20
        data[place] ^= 1
        shard.write_bytes(data if damage == "flip" else data[:place])
    assert main(["unpack", str(packed), "--output-dir", str(tmp_path / "again")]) == 1
    assert sentence in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "again").exists()


def test_reencoded_only_when_asked_and_only_what_is_no_jpeg(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "images/c.png").write_bytes(jpeg())
    packed = pack(folder, tmp_path / "packed", reencode="jpeg", quality=80)
    images, report = open_images(packed), check_dataset(packed, None, decodes)
    assert report.problems == []
    assert images.read("images/c.png") == jpeg(), "no second loss"
    before, after = (decode(each.read("images/b.png")) for each in (open_images(folder), images))
    assert images.read("images/b.png").startswith(b"\xff\xd8")
    assert abs(before.astype(int) - after).mean() < 3
    manifest = json.loads((packed / "dataset.json").read_text())
    assert manifest["reencoded"] == {"as": "jpeg", "quality": 80}
    assert manifest["content_sha256"] == report.content_sha256 != check_dataset(folder, None, decodes).content_sha256
    (folder / "images/b.png").write_bytes(huge_png())
    assert main(["pack", str(folder), "--output-dir", str(tmp_path / "x"), "--reencode", "jpeg"]) == 1
    assert "train.txt:1: the image 'images/b.png' claims 30000 x 30000 pixels" in capsys.readouterr().err
    assert main(["pack", str(folder), "--output-dir", str(tmp_path / "x"), "--quality", "80"]) == 1
    assert "--quality is that of --reencode jpeg" in capsys.readouterr().err


def test_convert_says_what_to_do_with_a_packed_dataset(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packed = pack(folder, tmp_path / "packed")
    assert main(["convert", "--input-images", str(packed), "--output-dir", str(tmp_path / "new")]) == 1
    assert "is packed, its images are in shards: unpack it first" in capsys.readouterr().err


def test_a_name_that_is_taken_on_this_disk(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As on Windows and macOS, where A.png is a.png."""
    packed = pack(folder, tmp_path / "packed")
    images = type(open_images(packed))
    monkeypatch.setattr(images, "paths", lambda self: ["images/b.png", "images/./b.png"])
    assert main(["unpack", str(packed), "--output-dir", str(tmp_path / "again")]) == 1
    assert "'images/./b.png' is another image's name on this disk" in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no such pipes there")
@pytest.mark.parametrize("name", ["train.txt", "dict.txt", "dataset.json"])
def test_a_pipe_in_place_of_a_text_is_not_waited_for(
    name: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / name).unlink()
    os.mkfifo(folder / name)
    verbs = [
        ["pack", "--output-dir", str(tmp_path / "packed")],
        ["upload", "--bucket", "abc", "--region", "eu-north-1", "--dry-run"],
    ]
    if name != "dict.txt":  # a split needs none
        verbs.append(["split", "--dry-run"])
    for verb, *flags in verbs:
        assert main([verb, str(folder), *flags]) == 1
        assert f"{name} is not a file: put a text file in its place" in capsys.readouterr().err
    assert not (tmp_path / "packed").exists()
