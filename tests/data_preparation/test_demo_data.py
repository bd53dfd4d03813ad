"""create_demo_data: what is drawn, and that it is drawn the same again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from contract.check import check_dataset
from contract.dataset import read_labels
from contract.recipe import find_recipe, limits_of, load_recipe
from data_preparation.demo.fonts import Face, covers, faces_for
from data_preparation.demo.words import ENGLISH, KINDS, THAI, Kind
from data_preparation.scripts.create_demo_data import main
from tests.data_preparation.folders import decodes, run_python


def draw(folder: Path, *flags: str) -> Path:
    assert main(["--output-dir", str(folder), *flags]) == 0
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_digits_make_a_dataset_that_trains(tmp_path: Path) -> None:
    folder = draw(tmp_path / "demo", "--count", "40")
    report = check_dataset(folder, limits_of(load_recipe(find_recipe("rec/demo_digits.yml"))), decodes)
    assert report.problems == []
    assert (len(report.samples("train")), len(report.samples("val"))) == (36, 4)
    labels = [sample.label for sample in report.samples("train")]
    assert all(label.isascii() and label.isdigit() and 3 <= len(label) <= 6 for label in labels)
    manifest = json.loads((folder / "dataset.json").read_text())
    assert manifest["content_sha256"] == report.content_sha256
    assert (manifest["train"], manifest["val"], manifest["kinds"]) == (36, 4, ["digits"])


def test_the_same_seed_draws_the_same_bytes(tmp_path: Path) -> None:
    flags = ("--count", "12", "--kinds", "digits,english")
    assert content(draw(tmp_path / "a", *flags)) == content(draw(tmp_path / "b", *flags))
    assert content(draw(tmp_path / "c", *flags, "--seed", "7")) != content(tmp_path / "a")


def test_a_sample_does_not_depend_on_the_count(tmp_path: Path) -> None:
    few, many = draw(tmp_path / "few", "--count", "5"), draw(tmp_path / "many", "--count", "9")
    for image in sorted((few / "images").iterdir()):
        assert image.read_bytes() == (many / "images" / image.name).read_bytes()


def test_val_count_takes_the_last_ones(tmp_path: Path) -> None:
    folder = draw(tmp_path / "demo", "--count", "10", "--val-count", "3")
    names = [sample.image for sample in read_labels(folder / "val.txt").samples]
    assert names == ["images/000007.png", "images/000008.png", "images/000009.png"]


def test_words_are_clean() -> None:
    assert any("\u0e33" in word for word in THAI)
    assert not any("\u0e4d\u0e32" in word for word in THAI)  # SARA AM taken apart
    assert set("".join(ENGLISH)) <= set("abcdefghijklmnopqrstuvwxyz")
    for kind in KINDS.values():
        assert " " not in kind.characters


def test_thai_is_drawn_with_fonts_that_have_it(tmp_path: Path) -> None:
    if main(["--output-dir", str(tmp_path / "thai"), "--count", "6", "--kinds", "thai"]) != 0:
        pytest.skip("this machine has no Thai font (fonts-thai-tlwg)")
    faces = faces_for(KINDS["thai"])
    assert all(face.path and covers(face.path, KINDS["thai"].characters) for face in faces)


def test_pillows_font_has_every_digit_and_letter_but_no_thai() -> None:
    font = Face().at(20)
    missing = font.getmask("\uffff")
    assert all(bytes(font.getmask(c)) != bytes(missing) for c in KINDS["english"].characters)
    assert bytes(font.getmask("ก")) == bytes(missing)


def test_a_script_without_a_font_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for variable in ("XDG_DATA_DIRS", "XDG_DATA_HOME", "WINDIR"):
        monkeypatch.setenv(variable, str(tmp_path / "no-fonts"))
    private_use = Kind("thai", lambda rng: "\ue123", frozenset("\ue123"), "Thai", "fonts-thai-tlwg")
    monkeypatch.setitem(KINDS, "thai", private_use)
    assert main(["--output-dir", str(tmp_path / "out"), "--kinds", "digits,thai"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: no installed font draws Thai")
    assert "fonts-thai-tlwg" in said
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--count", "0"], "whole number of at least 1"),
        (["--count", "1"], "leaves nothing of --count 1 to train on"),
        (["--kinds", "klingon"], "unknown kind 'klingon'"),
        (["--coun", "5"], "unrecognized arguments"),
    ],
)
def test_bad_flags(tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], words: str) -> None:
    assert main(["--output-dir", str(tmp_path / "out"), *flags]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert words in said
    assert not (tmp_path / "out").exists()


def test_output_must_be_new(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["--output-dir", str(tmp_path / "file")]) == 1
    assert "is a file" in capsys.readouterr().err
    assert main(["--output-dir", str(tmp_path)]) == 1
    assert "is not empty" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    draw(tmp_path / "empty", "--count", "4")


def test_plain_lines_when_stderr_is_no_terminal(tmp_path: Path) -> None:
    done = run_python("-m", "data_preparation", "demo", "--output-dir", str(tmp_path / "demo"), "--count", "8")
    assert done.returncode == 0
    assert done.stdout == ""
    assert done.stderr.splitlines()[0] == "drawing: 2 of 8"
    assert "\x1b" not in done.stderr
