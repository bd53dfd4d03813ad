"""The verb `split`: what it writes, loose and packed, and that a kill at any point leaves a dataset."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from contract.check import check_dataset
from contract.errors import UserError
from data_preparation.label_swap import finish, swap_in
from data_preparation.scripts.convert_data import main as convert
from data_preparation.scripts.pack_dataset import main as pack
from data_preparation.scripts.split_dataset import main
from data_preparation.scripts.validate_data import main as validate
from tests.data_preparation.folders import dataset, decodes
from tests.data_preparation.test_convert_data import labelled, samples


def sides(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    return samples(folder, "train"), samples(folder, "val")


@pytest.fixture
def converted(tmp_path: Path) -> Path:
    images, labels = labelled(tmp_path, 60)
    arguments = ["--input-images", str(images), "--input-labels", str(labels), "--output-dir", str(tmp_path / "data")]
    assert convert(arguments) == 0
    return tmp_path / "data"


def test_a_converted_dataset_is_split_so_already(converted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sides(converted)
    assert main([str(converted)]) == 0
    assert "nothing to do" in capsys.readouterr().err
    assert sides(converted) == before
    assert not list(converted.glob("*.before"))


def test_another_fraction_moves_samples_of_loose_and_packed_alike(
    converted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packed = tmp_path / "packed"
    assert pack([str(converted), "--output-dir", str(packed)]) == 0
    old = sides(converted)
    texts = {name: (converted / name).read_bytes() for name in ("train.txt", "val.txt")}
    for folder in (converted, packed):
        capsys.readouterr()
        assert main([str(folder), "--val-fraction", "0.3", "--json"]) == 0
        out, said = capsys.readouterr()
        assert "changed sides; the old files end in .before" in said
        train, val = sides(folder)
        assert train | val == old[0] | old[1]
        assert set(old[1]) < set(val), "a larger fraction keeps those that validate"
        facts = json.loads(out)
        assert (facts["train"], facts["val"], facts["written"]) == (len(train), len(val), True)
        assert facts["moved"] == len(val) - len(old[1])
        assert {name: (folder / f"{name}.before").read_bytes() for name in texts} == texts
        manifest = json.loads((folder / "dataset.json").read_text())
        assert manifest["split"] == facts["split"] == {"by": "hash", "seed": 1024, "fraction": 0.3}
        assert (manifest["train"], manifest["val"]) == (len(train), len(val))
        assert manifest["source"] == "label-file", "the rest of dataset.json stays"
        assert manifest["content_sha256"] == check_dataset(folder, None, decodes).content_sha256
    assert not [path for path in converted.iterdir() if path.name.startswith(".split")]


def test_a_dataset_without_manifest_and_with_windows_paths_is_split(tmp_path: Path) -> None:
    folder = dataset(tmp_path / "data", {f"{number}.png": "a" for number in range(9)})
    (folder / "train.txt").write_bytes((folder / "train.txt").read_bytes().replace(b"/", b"\\").replace(b"\n", b"\r\n"))
    assert main([str(folder), "--val-fraction", "0.5"]) == 0
    train, val = sides(folder)
    assert len(train) + len(val) == 10
    manifest = json.loads((folder / "dataset.json").read_text())
    assert (manifest["format"], manifest["characters"], manifest["val"]) == (1, 1, len(val))
    assert validate([str(folder)]) == 0


def test_the_same_image_twice_is_on_one_side(tmp_path: Path) -> None:
    folder = dataset(tmp_path / "data", {f"{number}.png": "a" for number in range(30)})
    shutil.copy(folder / "images/3.png", folder / "images/other.png")
    with (folder / "val.txt").open("a") as file:
        file.write("images/3.png\ta\nimages/other.png\tb\n")
    (folder / "dict.txt").write_text("a\nb\n")
    for seed in range(8):
        assert main([str(folder), "--val-fraction", "0.5", "--seed", str(seed), "--group-by", "sample"]) == 0
        train, val = sides(folder)
        assert set(train).isdisjoint(val)
        assert ("images/3.png" in val) == ("images/other.png" in val)


def test_a_grouping_that_would_be_forgotten_is_said(converted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(converted), "--group-by", r"(.)\.png"]) == 0
    assert main([str(converted)]) == 0
    assert "the split before kept together what has one (.)\\.png: --group-by" in capsys.readouterr().err


def test_a_column_that_is_none_is_named_with_those_that_are(
    converted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = converted.parent / "writers.csv"
    table.write_text("image;text;writer\nx.png;one;a\n", encoding="utf-8")
    assert main([str(converted), "--group-by", "author", "--groups", str(table)]) == 1
    assert "there is no column 'author', only image, text, writer" in capsys.readouterr().err


def test_a_table_that_is_none_is_one_sentence(converted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = converted.parent / "writers.csv"
    table.write_text(f"image,writer\nx.png,{'w' * 200_000}\n", encoding="utf-8")
    assert main([str(converted), "--group-by", "writer", "--groups", str(table)]) == 1
    assert "writers.csv:2 is no line of a table (field larger" in capsys.readouterr().err


def test_a_dry_run_changes_nothing(converted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in converted.iterdir() if path.is_file()}
    assert main([str(converted), "--val-fraction", "0.4", "--dry-run", "--json"]) == 0
    assert {path: path.read_bytes() for path in converted.iterdir() if path.is_file()} == before
    out, said = capsys.readouterr()
    assert "nothing was written" in said
    assert json.loads(out)["written"] is False


@pytest.mark.parametrize(
    ("file", "text", "sentence"),
    [
        ("train.txt", "images/v.png a\nimages/v.png b\n", "train.txt:1: the line has no tab"),
        ("train.txt", "images/nowhere.png\ta\n", "train.txt:1: the image 'images/nowhere.png' does not exist"),
        ("train.txt", "dict.txt\ta\n", "the image 'dict.txt' is not an image"),
        ("train.txt", "images/v.png\ta\n", "has one image only"),
        ("dataset.json", "[1]", "dataset.json of the dataset is not one JSON object"),
    ],
)
def test_what_is_not_sound_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str, text: str, sentence: str
) -> None:
    folder = dataset(tmp_path / "data", {"a.png": "a"})
    (folder / file).write_text(text)
    assert main([str(folder)]) == 1
    assert sentence in capsys.readouterr().err.splitlines()[-1]


def test_nothing_to_split(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none")]) == 1
    assert "train.txt does not exist" in capsys.readouterr().err


OLD = {"train": [(f"{n}.png", "a") for n in range(8)], "val": [(f"{n}.png", "a") for n in range(8, 12)]}
NEW = {
    "some move": {
        "train": [(f"{n}.png", "a") for n in range(2, 10)],
        "val": [(f"{n}.png", "a") for n in (0, 1, 10, 11)],
    },
    "no training sample stays": {"train": OLD["val"][:2], "val": [*OLD["val"][2:], *OLD["train"]]},
    "all are exchanged": {"train": OLD["val"], "val": OLD["train"]},
}


def label_files(folder: Path, split: dict[str, list[tuple[str, str]]]) -> Path:
    folder.mkdir()
    for side, pairs in split.items():
        (folder / f"{side}.txt").write_text("".join(f"{image}\t{label}\n" for image, label in pairs))
    (folder / "dataset.json").write_text('{"old": 1}\n')
    return folder


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a child of this process is killed")
@pytest.mark.parametrize("full", [False, True], ids=["killed", "disk full"])
@pytest.mark.parametrize("name", NEW)
def test_an_end_at_any_point_leaves_a_dataset_and_is_made_good(tmp_path: Path, name: str, full: bool) -> None:
    """Ended before each operation on the disk, the first one, the second, … until the swap comes through."""
    new, old = ({side: dict(pairs) for side, pairs in split.items()} for split in (NEW[name], OLD))
    for end in range(1000):
        folder = label_files(tmp_path / str(end), OLD)
        code = swapped_in_a_child(folder, NEW[name], end, full)
        assert code in (0, 1 if full else 9)
        train, val = sides(folder)
        assert train
        assert val
        if name != "all are exchanged":
            assert set(train).isdisjoint(val)
        finished = finish(folder)
        assert sides(folder) in ((old["train"], old["val"]), (new["train"], new["val"]))
        if finished or code == 0:
            assert sides(folder) == (new["train"], new["val"])
            assert sides_before(folder) == (old["train"], old["val"])
            assert (folder / "dataset.json").read_text() == '{"new": 1}\n'
        assert not list(folder.glob(".split*"))
        if code == 0:
            break
    assert end > 20


def sides_before(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    train, val = (
        dict(line.split("\t") for line in (folder / f"{side}.txt.before").read_text().splitlines())
        for side in ("train", "val")
    )
    return train, val


def swapped_in_a_child(folder: Path, new: dict[str, list[tuple[str, str]]], end: int, full: bool) -> int:
    """The exit code of a process that swaps: killed (9) before operation number `end` on the disk, or refused (1)."""
    child = os.fork()
    if not child:
        count = 0

        def hear(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal count
            if event.startswith(("os.", "shutil.")) or (event == "open" and arguments[1] != "r"):
                count += 1
                if count == end + 1:
                    if not full:
                        os._exit(9)
                    raise OSError(errno.ENOSPC, "No space left on device")

        try:
            sys.addaudithook(hear)
            swap_in(folder, new["train"], new["val"], b'{"new": 1}\n')
        except UserError:
            os._exit(1)
        except BaseException:
            os._exit(2)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_an_interrupted_split_is_said_and_finished(converted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = sides(converted)
    staged = converted / ".split"
    staged.mkdir()
    pairs = sorted((old[0] | old[1]).items())
    for name, chosen in (("train.txt", pairs[:40]), ("val.txt", pairs[40:])):
        shutil.copy(converted / name, staged / f"{name}.before")
        (staged / name).write_text("".join(f"{image}\t{label}\n" for image, label in chosen))
    shutil.copy(converted / "dataset.json", staged)
    assert validate([str(converted)]) == 0
    assert f"python -m data_preparation split {converted} puts the rest in place" in capsys.readouterr().err
    assert main([str(converted), "--dry-run"]) == 1
    assert "without --dry-run it is finished first" in capsys.readouterr().err
    assert main([str(converted)]) == 0
    assert "note: a split that was interrupted has been finished first" in capsys.readouterr().err
    assert sides(converted) == old, "then the split that was asked for"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="permissions stop nobody here")
def test_a_folder_that_cannot_be_written(converted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    converted.chmod(0o500)
    try:
        assert main([str(converted), "--val-fraction", "0.4"]) == 1
    finally:
        converted.chmod(0o700)
    assert "cannot be written (Permission denied), nothing has changed" in capsys.readouterr().err
