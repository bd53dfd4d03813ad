"""validate --fix: a copy that is sound, a list of every change, and the original as it was."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from contract.dataset import read_dictionary, read_labels
from contract.errors import UserError
from data_preparation.__main__ import main as data_preparation
from data_preparation.fixes import FIXABLE
from data_preparation.fixing import Options, plan_fixes, write_fixed
from data_preparation.scripts.validate_data import main
from tests.data_preparation.folders import dataset, png
from tests.faults.bad_items import items
from tests.faults.test_bad_dataset import write_corpus

# What is left in the copy of a dataset that has everything: somebody must look.
FOR_PEOPLE = {
    *("near-blank", "tiny image", "large image", "upright text", "animated", "turned", "doubtful image"),
    *("private use", "lost character", "look-alike", "mixed digits", "lone mark", "untaught character", "squeezed"),
}


def fixes(folder: Path) -> list[list[str]]:
    """Rows of fixes.csv without its header."""
    with (folder / "fixes.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["file", "line", "kind", "action", "before", "after"]
    return rows


def lines(folder: Path, name: str) -> list[str]:
    return (folder / name).read_text(encoding="utf-8").splitlines()


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_copy_of_the_corpus_is_fit_to_train(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = items()
    write_corpus(tmp_path / "bad", corpus)
    before = {name: (tmp_path / "bad" / name).read_bytes() for name in ("train.txt", "val.txt", "dict.txt")}
    assert main([str(tmp_path / "bad"), "--fix", str(tmp_path / "good"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ok"]
    assert found["problems"] == []
    assert set(found["kinds"]) <= FOR_PEOPLE
    assert {kind for item in corpus for kind in item.kinds} - FOR_PEOPLE <= FIXABLE
    assert not FIXABLE & FOR_PEOPLE
    assert before == {name: (tmp_path / "bad" / name).read_bytes() for name in before}
    removed = {(file, line) for file, line, _, action, *_ in fixes(tmp_path / "good") if action == "removed"}
    assert found["train"] == len(corpus) - sum(file == "train.txt" for file, _ in removed)
    sound = {item.name for item in corpus if not item.kinds - FOR_PEOPLE and item.line is None}
    kept = {sample.image.removeprefix("images/") for sample in read_labels(tmp_path / "good/train.txt").samples}
    repaired = {item.name for item in corpus if item.kinds & {"not normal", "invisible", "stray space", "character"}}
    contradicted = {"sound.png", "once.png"}
    assert kept - repaired == sound - contradicted


def test_each_picture_once_and_never_with_two_labels(tmp_path: Path) -> None:
    train = {"a.png": "ab", "again.png": "ab", "x.png": "ab", "y.png": "ba", "b.png": "ba"}
    folder = dataset(tmp_path / "data", train, {"leak.png": "ab", "v.png": "ba"})
    for copy, original in {"again": "a", "y": "x", "leak": "a"}.items():
        (folder / f"images/{copy}.png").write_bytes((folder / f"images/{original}.png").read_bytes())
    assert main([str(folder), "--fix", str(tmp_path / "good"), "--strict"]) == 0
    assert lines(tmp_path / "good", "train.txt") == ["images/a.png\tab", "images/b.png\tba"]
    assert lines(tmp_path / "good", "val.txt") == ["images/v.png\tba"]
    assert [row[:5] for row in fixes(tmp_path / "good")] == [
        ["train.txt", "2", "duplicate", "removed", "images/again.png\\tab"],
        ["train.txt", "3", "contradiction", "removed", "images/x.png\\tab"],
        ["train.txt", "4", "contradiction", "removed", "images/y.png\\tba"],
        ["val.txt", "1", "leak", "removed", "images/leak.png\\tab"],
    ]


def test_texts_are_written_as_they_should_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = dataset(tmp_path / "data", {"1.png": "น้ำ", "2.png": "ab"}, {"v.png": "กข"})
    (folder / "train.txt").write_bytes((folder / "train.txt").read_text("utf-8").encode("utf-16"))
    (folder / "val.txt").write_bytes((folder / "val.txt").read_text("utf-8").encode("cp874"))
    (folder / "dict.txt").write_bytes(b"\xef\xbb\xbf" + (folder / "dict.txt").read_bytes().replace(b"\n", b"\r\n"))
    assert main([str(folder), "--fix", str(tmp_path / "good")]) == 1
    assert "val.txt:1: the file is not UTF-8: add --encoding cp874 if this line reads 'กข'" in capsys.readouterr().err
    assert not (tmp_path / "good").exists()
    assert main([str(folder), "--fix", str(tmp_path / "good"), "--encoding", "cp874"]) == 0
    assert lines(tmp_path / "good", "train.txt") == ["images/1.png\tน้ำ", "images/2.png\tab"]
    assert lines(tmp_path / "good", "val.txt") == ["images/v.png\tกข"]
    assert fixes(tmp_path / "good") == [
        ["train.txt", "", "file", "changed", "UTF-16", "UTF-8"],
        ["val.txt", "", "file", "changed", "cp874", "UTF-8"],
        ["dict.txt", "", "file", "changed", "UTF-8 with a byte order mark", "UTF-8"],
        ["dict.txt", "", "file", "changed", "line ends CR LF", "LF"],
    ]


def test_the_dictionary_keeps_its_order_and_grows_at_its_end(tmp_path: Path) -> None:
    folder = dataset(tmp_path / "data", {"1.png": "ab", "2.png": "cz"}, {"v.png": "ba"})
    (folder / "dict.txt").write_text("z\nb\nb\nab\n \na\n")
    assert main([str(folder), "--fix", str(tmp_path / "added"), "--strict"]) == 0
    assert read_dictionary(tmp_path / "added/dict.txt").characters == ("z", "b", "a", "c")
    assert [row[1:] for row in fixes(tmp_path / "added")] == [
        ["", "character", "added", "", "c"],
        ["3", "file", "removed", "b", ""],
        ["4", "file", "removed", "ab", ""],
        ["5", "file", "removed", " ", ""],
    ]
    assert main([str(folder), "--fix", str(tmp_path / "dropped"), "--drop-unknown"]) == 0
    assert lines(tmp_path / "dropped", "train.txt") == ["images/1.png\tab"]
    assert read_dictionary(tmp_path / "dropped/dict.txt").characters == ("z", "b", "a")


@pytest.mark.parametrize(
    ("recipe", "kept"),  # of 9, 33 and 50 letters; -o asks for one that no job changes by itself
    [
        (["rec/rec_mv3_none_bilstm_ctc.yml"], [9]),
        (
            ["rec/rec_mv3_none_bilstm_ctc.yml", "-o", "Train.dataset.transforms.2.RecResizeImg.image_shape=[3,32,160]"],
            [9, 33],
        ),
        (["rec/PP-OCRv5/en_PP-OCRv5_mobile_rec.yml"], [9, 33]),
        (["rec/PP-OCRv5/en_PP-OCRv5_mobile_rec.yml", "-o", "Global.max_text_length=25"], [9]),
    ],
)
def test_labels_that_need_a_wider_input_are_left_out_when_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], recipe: list[str], kept: list[int]
) -> None:
    long = {f"{length}.png": ("ab" * 50)[:length] for length in (9, 33, 50)}
    folder = dataset(tmp_path / "data", long, {"v.png": "ba"})
    assert main([str(folder), "--config", *recipe]) == 1
    said = capsys.readouterr().err
    command = f"validate {folder} --fix NEW_FOLDER --drop-unfit --config {' '.join(recipe)}"
    assert f"too long for the recipe as it is: python -m data_preparation {command} writes a copy without" in said
    assert ("1 label is too" in said) == (len(kept) == 2)
    assert main([str(folder), "--config", *recipe, "--fix", str(tmp_path / "fitting"), "--drop-unfit"]) == 0
    assert [len(each.label) for each in read_labels(tmp_path / "fitting/train.txt").samples] == kept
    assert {tuple(row[2:4]) for row in fixes(tmp_path / "fitting")} == {("too wide", "removed")}


def test_a_packed_dataset_is_cleaned_too(tmp_path: Path) -> None:
    folder = dataset(tmp_path / "data", {"1.png": " ab", "2.png": "ba"})
    assert data_preparation(["pack", str(folder), "--output-dir", str(tmp_path / "packed")]) == 0
    assert main([str(tmp_path / "packed"), "--fix", str(tmp_path / "good")]) == 0
    assert lines(tmp_path / "good", "train.txt") == ["images/1.png\tab", "images/2.png\tba"]
    assert (tmp_path / "good/images/2.png").read_bytes() == (folder / "images/2.png").read_bytes()


def test_names_stay_apart(tmp_path: Path) -> None:
    folder = dataset(tmp_path / "data", {"1.png": "ab"})
    (folder / "1.png").write_bytes(png(shade=99))
    with (folder / "train.txt").open("a") as file:
        file.write("1.png\tba\n")
    assert main([str(folder), "--fix", str(tmp_path / "good")]) == 0
    assert len(set(read_labels(tmp_path / "good/train.txt").samples)) == 2
    assert (tmp_path / "good/images/1.png").read_bytes() == (folder / "images/1.png").read_bytes()


def test_all_or_nothing(tmp_path: Path) -> None:
    folder = dataset(tmp_path / "data", {"1.png": "ab", "2.png": "ba"})
    plan = plan_fixes(folder, Options(), None)
    (folder / "images/2.png").write_bytes(png(shade=99))
    with pytest.raises(UserError, match=r"train.txt:2: the image 'images/2.png' was changed meanwhile: try again"):
        write_fixed(plan, tmp_path / "good", lambda done, total: None)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--fix", "data"], "data is not empty: name a new folder with --fix, or empty it first"),
        (["--fix", "new", "--encoding", "cp0"], "'cp0' is no encoding of text files that Python knows"),
        (["--drop-unfit"], "--drop-unknown, --drop-unfit and --encoding say how to clean: name the folder of the copy"),
        (["--fix", "new", "--drop-unfit"], "--drop-unfit leaves out what a recipe does not take: name the recipe"),
        (["--fix", "new"], "val.txt: no sample of it can be kept: add sound ones"),
    ],
)
def test_what_cannot_be_cleaned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, flags: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = dataset(Path("data"), {"1.png": "ab"})
    (folder / "images/v.png").write_bytes(b"")
    before = files(tmp_path)
    assert main(["data", *flags]) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("error: ")
    assert words in said
    assert files(tmp_path) == before
