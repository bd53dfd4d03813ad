"""Loose or packed, a label's image is the same bytes, and every damage is told in one sentence."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from contract.check import check_dataset
from contract.errors import UserError
from contract.images import open_images
from contract.picture import Look
from contract.shards import Shard, index_line, shard_name, summary_text
from tests.data_preparation.folders import dataset

IMAGES = ("images/a.png", "images/deep/b.png", "images/c.png", "images/v.png")


@pytest.fixture
def loose(tmp_path: Path) -> Path:
    return dataset(tmp_path / "loose", {"a.png": "one", "deep/b.png": "two", "c.png": "three"})


@pytest.fixture
def packed(loose: Path, tmp_path: Path) -> Path:
    """The same dataset with two images a shard, packed by hand."""
    folder = tmp_path / "packed"
    (folder / "shards").mkdir(parents=True)
    for name in ("train.txt", "val.txt", "dict.txt"):
        (folder / name).write_bytes((loose / name).read_bytes())
    index, shards = b"", []
    for number in range(2):
        content = b""
        for image in IMAGES[2 * number : 2 * number + 2]:
            data = (loose / image).read_bytes()
            index += index_line(image, number, len(content), len(data), hashlib.sha256(data).hexdigest())
            content += data
        (folder / "shards" / shard_name(number)).write_bytes(content)
        shards.append(Shard(shard_name(number), len(content), hashlib.sha256(content).hexdigest(), 2))
    (folder / "shards/index.tsv").write_bytes(index)
    (folder / "shards/shards.json").write_text(summary_text(tuple(shards), hashlib.sha256(index).hexdigest()))
    return folder


def test_packed_images_are_the_loose_ones(loose: Path, packed: Path):
    ours = open_images(packed)
    for image in IMAGES:
        data = (loose / image).read_bytes()
        assert ours.read(image) == bytes(ours.view(image)) == data
        assert ours.read_verified(image) == open_images(loose).read_verified(image)
    assert ours.read(".\\images\\deep/b.png") == ours.read(IMAGES[1]), "a label may write its path otherwise"


def looked(data: bytes) -> Look | None:
    return Look() if data else None


def test_both_are_one_dataset_to_the_check(loose: Path, packed: Path):
    one, other = (check_dataset(folder, None, looked) for folder in (loose, packed))
    assert not other.problems
    assert one.content_sha256 == other.content_sha256
    assert one.split_sha256 == other.split_sha256
    assert one.aspects == other.aspects
    assert one.notes == other.notes


def test_a_packed_dataset_validates_another(loose: Path, packed: Path):
    reports = [check_dataset(loose, None, looked, validation=folder) for folder in (loose, packed)]
    assert not reports[1].problems
    assert reports[0].split_sha256 == reports[1].split_sha256
    assert not [note for note in reports[1].notes if "packed" in note], "its other images are those of its train.txt"
    remove("00001.bin")(packed)
    (problem,) = check_dataset(loose, None, looked, validation=packed).problems
    assert problem.where == f"{packed}/shards/00001.bin"


def test_maps_survive_fork_and_spawn(packed: Path):
    images = open_images(packed)
    sent = pickle.loads(pickle.dumps(images))  # as multiprocessing's spawn sends it
    assert sent.read(IMAGES[3]) == images.read(IMAGES[3])
    child = os.fork()
    if child == 0:
        os._exit(0 if images.read(IMAGES[0]) and images.read(IMAGES[3]) == sent.read(IMAGES[3]) else 1)
    assert os.waitpid(child, 0)[1] == 0


def edit(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        path = folder / "shards" / name
        path.write_bytes(change(path.read_bytes()))

    return damage


def forge(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[Path], None]:
    """Change the lines of the index, and let shards.json vouch for it."""

    def damage(folder: Path) -> None:
        path = folder / "shards/index.tsv"
        path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))
        edit_summary(index_sha256=hashlib.sha256(path.read_bytes()).hexdigest())(folder)

    return damage


def edit_summary(**changes: object) -> Callable[[Path], None]:
    return edit("shards.json", lambda data: json.dumps(json.loads(data) | changes).encode())


def rename_first(name: bytes) -> Callable[[Path], None]:
    return forge(lambda lines: [lines[0].replace(b"images/a.png", name), *lines[1:]])


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / "shards" / name).unlink()


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (remove("00001.bin"), "00001.bin is missing, with it 2 images from 'images/c.png' on"),
        (
            edit("00001.bin", lambda data: data[:-1]),
            r"00001.bin is cut short \(\d+ of \d+ bytes\), from 'images/v.png'",
        ),
        (edit("00000.bin", lambda data: b""), "00000.bin is cut short .*, from 'images/a.png' on"),
        (edit("00000.bin", lambda data: data + b"x"), r"00000.bin has \d+ bytes, more than"),
        (edit("index.tsv", lambda data: data[:-9]), "index.tsv has been altered or cut"),
        (edit("index.tsv", lambda data: data.replace(b"\t0\t0\t", b"\t0\t1\t")), "index.tsv has been altered or cut"),
        (remove("index.tsv"), "index.tsv cannot be read"),
        (remove("shards.json"), "shards.json is missing beside index.tsv"),
        (edit("shards.json", lambda data: data[:-20]), "shards.json is not what pack writes"),
        (edit_summary(format=2), "shards.json has format 2, this version reads 1"),
        (edit_summary(images=5), "numbers of images do not add up"),
        (edit_summary(shards=[], images=0), "there is no shard"),
        (edit("shards.json", lambda data: data.replace(b"00001.bin", b"../../x.bin")), "'../../x.bin' stands where"),
        (rename_first(b"../a.png"), "index.tsv:1: '../a.png' leaves the dataset folder"),
        (rename_first(b"/etc/a.png"), "index.tsv:1: '/etc/a.png' is an absolute path"),
        (rename_first(b"C:\\a.png"), "index.tsv:1: .* is an absolute path"),
        (rename_first(b"images/./a.png"), "index.tsv:1: 'images/./a.png' is not a plain path"),
        (rename_first(b"images/c.png"), "index.tsv:3: 'images/c.png' has a line already"),
        (
            forge(lambda lines: lines[1:]),
            "index.tsv:1: 'images/deep/b.png' is not where it belongs, at byte 0 of 00000",
        ),
        (forge(lambda lines: lines[:-1]), "index.tsv:3: the line does not end what shards.json says is in 00001.bin"),
        (forge(lambda lines: []), "index.tsv:0: the line does not end"),
        (forge(lambda lines: [lines[0], lines[0], *lines[1:]]), "index.tsv:2: 'images/a.png' is not where it belongs"),
        (forge(lambda lines: [lines[0].replace(b"\t", b" "), *lines[1:]]), "index.tsv:1: the line has 1 columns"),
        (forge(lambda lines: [lines[0][:-9] + b"\n", *lines[1:]]), "index.tsv:1: .*(sha256|fromhex)"),
        (
            forge(lambda lines: [b"a.png\t0\t0\t999999999\t00\n"]),
            "index.tsv:1: 'a.png' has 999,999,999 bytes, not 1 to",
        ),
        (edit("shards.json", lambda data: b"[" * 100_000), "shards.json is not what pack writes"),
    ],
)
def test_each_damage_is_one_sentence_and_no_exception_of_the_check(
    packed: Path, damage: Callable[[Path], None], sentence: str
):
    damage(packed)
    with pytest.raises(UserError, match=sentence) as refused:
        open_images(packed)
    assert "\n" not in str(refused.value)
    (problem,) = check_dataset(packed, None, looked).problems
    assert problem.where.startswith("shards/")
    assert " " not in problem.where
    assert problem.remedy == "copy shards/ once more from where it is whole, or pack the images again"


def test_no_change_of_a_byte_goes_unseen(packed: Path):
    """Bits flipped, bytes put in or taken out, anywhere in shards/: never an exception, and never another dataset."""
    whole = check_dataset(packed, None, looked)
    random = Random(1)
    for path in sorted((packed / "shards").iterdir()):
        data = path.read_bytes()
        for place in random.sample(range(len(data)), min(len(data), 120)):
            flipped = bytes([data[place] ^ 1 << random.randrange(8)])
            for changed in (
                data[:place] + flipped + data[place + 1 :],
                data[:place],
                data[:place] + b"9" + data[place:],
            ):
                path.write_bytes(changed)
                report = check_dataset(packed, None, looked)
                assert report.problems or report.content_sha256 == whole.content_sha256
                # The sha256 of a whole shard is for whoever copies shards: each image has one of its own.
                assert report.problems or path.name == "shards.json", (path.name, place)
        path.write_bytes(data)


def test_a_flipped_bit_is_found_by_the_check(packed: Path):
    edit("00001.bin", lambda data: data[:40] + bytes([data[40] ^ 1]) + data[41:])(packed)
    (problem,) = check_dataset(packed, None, looked).problems
    assert problem.where == "train.txt:3"
    assert "'images/c.png' is damaged" in problem.message
    assert "in shards/00001.bin have been altered" in problem.message


def test_a_shard_that_leads_out_of_the_dataset_is_refused(packed: Path, tmp_path: Path):
    (packed / "shards/00000.bin").rename(tmp_path / "elsewhere")
    (packed / "shards/00000.bin").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match=r"00000.bin is a link that leaves the dataset folder"):
        open_images(packed)


def test_labels_and_shards_that_do_not_match(packed: Path):
    lines = (packed / "train.txt").read_text().splitlines(keepends=True)
    (packed / "train.txt").write_text("".join([*lines[:2], "images/d.png\tthree\n"]))
    report = check_dataset(packed, None, looked)
    (problem,) = report.problems
    assert str(problem).startswith("train.txt:3: the image 'images/d.png' is in no shard: shards/index.tsv does not")
    assert [note for note in report.notes if "packed images that no label names: 1" in note and "00001.bin" in note]


def test_a_shard_that_vanishes_later_is_about_its_images_alone(packed: Path):
    images = open_images(packed)
    remove("00001.bin")(packed)
    assert images.read(IMAGES[0])
    with pytest.raises(ValueError, match=r"cannot be read from shards/00001.bin"):
        images.read(IMAGES[2])


@pytest.mark.parametrize("windows", [False, True])
def test_loose_images_stay_inside(loose: Path, tmp_path: Path, windows: bool, monkeypatch: pytest.MonkeyPatch):
    if windows:
        monkeypatch.setattr("contract.images._NO_FOLLOW", 0)  # it cannot open a file and refuse a link at once
    images = open_images(loose)
    (tmp_path / "secret").write_bytes(b"secret")
    (loose / "images/file").symlink_to(tmp_path / "secret")
    (loose / "images/folder").symlink_to(tmp_path)
    (loose / "images/inside").symlink_to(loose / "images/a.png")
    os.mkfifo(loose / "images/pipe")
    for image, reason in (
        ("images/file", "is a link that leaves"),
        ("images/folder/secret", "is a link that leaves"),
        ("../secret", "is a link that leaves"),
        ("images/deep", "is a folder"),
        ("images/pipe", "is not a file"),
        ("images/none", "does not exist"),
        ("images/none/none", "does not exist"),
        ("images/a.png/none", "cannot be read"),
    ):
        with pytest.raises(ValueError, match=reason):
            images.read(image)
    assert images.read("images\\inside") == images.read("images/a.png")
