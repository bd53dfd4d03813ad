"""validate_data: every bad input is named, and what would make the labels fit is said."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from contract.check import check_dataset
from contract.dataset import content_hash
from contract.picture import Look
from data_preparation import looking
from data_preparation.scripts.validate_data import main
from data_preparation.validation import validate
from tests.data_preparation.folders import REPOSITORY, dataset, huge_png, jpeg, png, run_python

RECIPE = "rec/rec_mv3_none_bilstm_ctc.yml"


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    return dataset(tmp_path / "data", {"1.png": "abc", "2.png": "cab"})


def edit(folder: Path, name: str, text: str | bytes) -> None:
    (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)


def test_a_sound_dataset(sound: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(sound)]) == 0
    out, said = capsys.readouterr()
    assert out == ""
    assert "2 train and 1 val samples, 3 characters" in said
    assert "longest label: 3 code points" in said
    assert said.endswith("is fit to train\n")


@pytest.mark.parametrize("name", [RECIPE, f"configs/{RECIPE}", str(REPOSITORY / "configs" / RECIPE)])
def test_recipes_by_name_and_path(sound: Path, name: str) -> None:
    assert main([str(sound), "--config", name]) == 0


def truncated(folder: Path) -> None:
    edit(folder, "images/1.png", png()[:-40])


def truncated_jpeg(folder: Path) -> None:
    edit(folder, "images/1.png", jpeg()[: len(jpeg()) // 2])


def link_out(folder: Path) -> None:
    (folder.parent / "secret.png").write_bytes(png())
    (folder / "images/1.png").unlink()
    (folder / "images/1.png").symlink_to(folder.parent / "secret.png")


BAD_DATASETS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no train.txt": (lambda d: (d / "train.txt").unlink(), "train.txt: does not exist"),
    "no val.txt": (lambda d: (d / "val.txt").unlink(), "val.txt: does not exist"),
    "no dict.txt": (lambda d: (d / "dict.txt").unlink(), "dict.txt: does not exist"),
    "empty train.txt": (lambda d: edit(d, "train.txt", ""), "train.txt: the file lists no sample"),
    "no tab": (lambda d: edit(d, "train.txt", "images/1.png abc\n"), "train.txt:1: the line has no tab"),
    "blank label": (lambda d: edit(d, "train.txt", "images/1.png\t\n"), "train.txt:1: the label of 'images/1.png'"),
    "missing": (lambda d: (d / "images/1.png").unlink(), "train.txt:1: the image 'images/1.png' does not exist"),
    "empty": (lambda d: edit(d, "images/1.png", b""), "train.txt:1: the image 'images/1.png' is empty"),
    "cut PNG": (truncated, "train.txt:1: the image 'images/1.png' is cut short"),
    "cut JPEG": (truncated_jpeg, "train.txt:1: the image 'images/1.png' is cut short"),
    "text": (lambda d: edit(d, "images/1.png", "hello"), "train.txt:1: the image 'images/1.png' is not an image"),
    "absolute": (lambda d: edit(d, "train.txt", "/etc/passwd\tabc\n"), "train.txt:1: '/etc/passwd' is an absolute"),
    "parent": (lambda d: edit(d, "train.txt", "../1.png\tabc\n"), "train.txt:1: '../1.png' leaves the dataset"),
    "address": (lambda d: edit(d, "train.txt", "http://a.b/1.png\tabc\n"), "train.txt:1: 'http://a.b/1.png' is an"),
    "UTF-16": (lambda d: edit(d, "train.txt", "a\tb\n".encode("utf-16")), "train.txt:1: the file is UTF-16"),
    "unknown": (lambda d: edit(d, "dict.txt", "b\nc\n"), "'a' (U+0061) occurs 3 times (train.txt:1, train.txt:2, "),
    "link": (link_out, "train.txt:1: the image 'images/1.png' is a link that leaves the dataset folder"),
}


@pytest.mark.parametrize("case", BAD_DATASETS)
def test_a_bad_dataset_is_named(sound: Path, capfd: pytest.CaptureFixture[str], case: str) -> None:
    spoil, words = BAD_DATASETS[case]
    spoil(sound)
    assert main([str(sound), "--config", RECIPE]) == 1
    out, said = capfd.readouterr()
    assert out == ""
    assert words in said
    assert "libpng" not in said
    assert "JPEG data" not in said
    assert said.splitlines()[-1].startswith(f"error: {sound} is not fit to train as it is: ")


def test_no_dataset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none"), "--json"]) == 1
    out, said = capsys.readouterr()
    assert said.startswith("error: ")
    assert "is not a dataset folder" in said
    assert json.loads(out)["ok"] is False


def test_a_huge_image_is_not_decoded(sound: Path, capsys: pytest.CaptureFixture[str]) -> None:
    huge = huge_png()
    assert len(huge) < 200_000
    edit(sound, "images/1.png", huge)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert main([str(sound)]) == 1
    assert "claims 30000 x 30000 pixels" in capsys.readouterr().err
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB


def test_all_problems_in_one_pass(sound: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [f"images/none{number}.png\tabc\n" for number in range(8)]
    edit(sound, "train.txt", "images/1.png\tabz\n" + "".join(lines) + "broken\n")
    assert main([str(sound)]) == 1
    said = capsys.readouterr().err
    assert "missing image: 8 problems" in said
    assert "… and 3 more: --json lists all" in said
    assert "no tab: 1 problem" in said
    assert "'z' (U+007A)" in said


def test_bom_and_crlf_are_accepted_and_said(sound: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("train.txt", "dict.txt"):
        edit(sound, name, b"\xef\xbb\xbf" + (sound / name).read_bytes().replace(b"\n", b"\r\n"))
    assert main([str(sound)]) == 0
    said = capsys.readouterr().err
    for name in ("train.txt", "dict.txt"):
        assert f"note: {name} starts with a byte order mark" in said
        assert f"note: {name} has Windows line ends" in said


def test_labels_that_are_not_in_the_normal_form_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    odd = {"2.png": "น\u0e4d\u0e32", "3.png": "a\u200bb", "4.png": "c\u200b", "5.png": "\u200bd", "6.png": "\u200be"}
    folder = dataset(tmp_path / "data", {"1.png": "น้ำ abcde", **odd}, {"v.png": "น\u0e4d\u0e32"})
    assert main([str(folder), "--json"]) == 0
    out, said = capsys.readouterr()
    assert "not normal: 6 warnings\n" in said
    assert "train.txt:2: the label 'นํา' holds SARA AM in two code points" in said
    assert "; write 'นำ', or let --fix do it\n" in said
    found = json.loads(out)
    places = ["train.txt:2", "train.txt:3", "train.txt:4", "train.txt:5", "train.txt:6"]
    assert found["kinds"]["not normal"] == {"severity": "warning", "count": 6, "fixable": True, "examples": places}
    dictionary = "dict.txt has 1 character that no label in the normal form holds: '\\u200b' (U+200B)"
    assert found["notes"] == [dictionary]


def test_characters_that_nothing_teaches_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = dataset(tmp_path / "data", {"1.png": "ab"}, {"v.png": "aๆcๆ", "w.png": "b"})
    assert main([str(folder), "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)["warnings"]
    assert first["message"] == "the character 'ๆ' (U+0E46) occurs 2 times (val.txt:1) and no training label has it"
    assert (second["kind"], second["where"]) == ("untaught character", "val.txt:1")


def test_strict_takes_no_warnings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = dataset(tmp_path / "data", {"1.png": " ab"}, {"v.png": "ab"})
    assert main([str(folder)]) == 0
    said = capsys.readouterr().err
    assert f"python -m data_preparation validate {folder} --fix NEW_FOLDER writes a copy without 1 of these\n" in said
    assert said.endswith("is fit to train, 1 warning\n")
    assert main([str(folder), "--strict", "--json"]) == 1
    out, said = capsys.readouterr()
    assert json.loads(out)["ok"] is False
    assert said.splitlines()[-1] == f"error: {folder} is fit to train, but --strict takes no warnings: 1 warning"


def test_pictures_that_look_like_trained_ones_are_found_when_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {"twin.jpg": "ab", "other.jpg": "ab", "text.jpg": "cd", "same.jpg": "ab"}
    folder = dataset(tmp_path / "data", {"1.png": "ab", "2.png": "cd"}, names)
    crops = {"1.png": crop(1), "2.png": crop(2), "twin.jpg": crop(1), "other.jpg": crop(3), "text.jpg": crop(1)}
    for name, image in crops.items():
        image.save(folder / "images" / name, quality=90 if name == "text.jpg" else 60)
    (folder / "images/same.jpg").write_bytes((folder / "images/1.png").read_bytes())
    assert main([str(folder), "--near-duplicates", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["kinds"]
    assert {kind: about["examples"] for kind, about in found.items()} == {
        "leak": ["val.txt:4"],
        "near-duplicate": ["val.txt:1"],
    }


def crop(seed: int) -> Image.Image:
    """A few grey blocks, which survive a JPEG."""
    blocks = np.random.default_rng(seed).integers(0, 256, (4, 12), np.uint8)
    return Image.fromarray(np.kron(blocks, np.ones((8, 8), np.uint8)))


def test_processes_find_what_one_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = dataset(tmp_path / "data", {f"{number}.png": "ab" for number in range(70)}, {"v.png": "ba"})
    (folder / "images/64.png").write_bytes(png()[:-40])
    (folder / "images/7.png").unlink()
    monkeypatch.setattr(looking, "ALONE_S", 0)
    monkeypatch.setattr(looking, "WORTH_S", 0)
    one, two = (validate(folder, None, None, workers=workers).report for workers in (1, 2))
    assert one == two
    assert [problem.where for problem in one.problems] == ["train.txt:8", "train.txt:65"]


def test_the_content_hash_is_that_of_its_definition(tmp_path: Path) -> None:
    """Whatever the order of the lines, and with lines that share an image."""
    folder = dataset(tmp_path / "data", {"b.png": "ab", "a b.png": "ba", "a.png": "c"}, {"v.png": "ก"})
    with (folder / "train.txt").open("a") as file:
        file.write("images/b.png\tb\nimages/a.png\tc\n")
    report = validate(folder, None, None).report
    entries = [
        (split.name, each.image, each.label, hashlib.sha256((folder / each.image).read_bytes()).hexdigest())
        for split in report.splits
        for each in split.file.samples
    ]
    assert report.content_sha256 == content_hash(entries)
    train = [entry for entry in entries if entry[0] == "train"]
    assert report.split_sha256["train"] == hashlib.sha256(repr(train).encode()).hexdigest()


def kills_its_process(data: bytes) -> Look | None:
    """As the kernel does when memory is short: any process but the one that was asked."""
    if multiprocessing.parent_process():
        os.kill(os.getpid(), signal.SIGKILL)
    return Look()


def test_what_a_killed_process_leaves_is_done_by_the_one_that_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = dataset(tmp_path / "data", {f"{number}.png": "ab" for number in range(70)}, {"v.png": "ba"})
    monkeypatch.setattr(looking, "ALONE_S", 0)
    monkeypatch.setattr(looking, "WORTH_S", 0)
    one, two = (check_dataset(folder, None, kills_its_process, over=looking.over(workers)) for workers in (1, 2))
    assert one == two
    assert len(two.aspects) == 71


def test_one_of_a_thing_is_singular(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = dataset(tmp_path / "data", {"1.png": "a"})
    assert main([str(folder)]) == 0
    said = capsys.readouterr().err
    assert "samples, 1 character\n" in said
    assert "longest label: 1 code point; hardest label: 1 CTC step\n" in said


def test_overrides_that_make_long_labels_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = dataset(tmp_path / "data", {"1.png": "ab " * 15 + "a", "2.png": "ab"})
    assert main([str(folder), "--config", RECIPE]) == 1
    out, said = capsys.readouterr()
    flags = out.split()
    assert flags[:2] == ["-o", "Global.max_text_length=46"]
    assert "train.txt:1: the label has 46 code points, the recipe takes 25" in said
    assert "train.txt:1: CTC needs 46 time steps" in said
    assert "image_shape [3,32,192]" in said
    assert "with these flags the dataset is fit to train" in said

    assert main([str(folder), "--config", RECIPE, *flags]) == 0
    assert capsys.readouterr().out == ""


def test_overrides_beside_other_problems(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = dataset(tmp_path / "data", {"1.png": "a" * 30, "2.png": "ab"})
    (folder / "images/2.png").write_bytes(b"")
    assert main([str(folder), "--config", RECIPE]) == 1
    out, said = capsys.readouterr()
    assert out.startswith("-o Global.max_text_length=30\n")
    assert "with these flags the labels fit, the rest stays wrong" in said


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = dataset(tmp_path / "data", {"1.png": "a" * 30, "2.png": "ab"})
    assert main([str(folder), "--config", RECIPE, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {
        *(
            "ok",
            "kinds",
            "problems",
            "warnings",
            "notes",
            "train",
            "val",
            "characters",
            "longest_label",
            "most_steps",
            "overrides",
        ),
        "content_sha256",
    }
    assert (found["ok"], found["train"], found["val"], found["characters"]) == (False, 2, 1, 2)
    assert (found["longest_label"], found["most_steps"]) == (30, 59)
    assert found["overrides"][0] == "Global.max_text_length=30"
    assert {problem["kind"] for problem in found["problems"]} == {"too long", "too wide"}
    assert set(found["problems"][0]) == {"kind", "where", "message", "remedy", "count"}
    assert found["kinds"]["too long"] == {
        "severity": "error",
        "count": 2,
        "fixable": False,
        "examples": ["train.txt:1"],
    }


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--config", "rec/rec_mv3.yml"], "there is no recipe 'rec/rec_mv3.yml': did you mean"),
        (["--config", RECIPE, "-o", "Global.max_text_lenght=9"], "did you mean 'Global.max_text_length'"),
        (["--config", RECIPE, "-o", "Global.max_text_length"], "has no '='"),
        (["-o", "Global.max_text_length=9"], "name the recipe with --config"),
    ],
)
def test_bad_flags(sound: Path, capsys: pytest.CaptureFixture[str], flags: list[str], words: str) -> None:
    assert main([str(sound), *flags]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert words in said
    assert said.count("\n") == 1


def test_flags_on_stdout_suit_a_shell(tmp_path: Path) -> None:
    folder = dataset(tmp_path / "data", {"1.png": "a" * 30, "2.png": "ab"})
    command = ["-m", "data_preparation", "validate", str(folder), "--config", RECIPE]
    flags = run_python(*command).stdout.split()
    assert run_python(*command, *flags).returncode == 0
