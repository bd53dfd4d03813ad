"""convert_data: what is accepted, what is refused, and that nothing is half done."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pytest

from contract.dataset import read_labels
from data_preparation.scripts.convert_data import main
from data_preparation.sources import FORMATS
from data_preparation.sources.gt_txt import ENDINGS
from data_preparation.sources.reading import PAGE_FORMATS, TABLES
from tests.data_preparation.folders import crops, dataset, huge_png, jpeg, png


def labelled(folder: Path, count: int = 20, prefix: str = "") -> tuple[Path, Path]:
    """A folder of crops and a label file beside it."""
    names = [f"{number:03}.png" for number in range(count)]
    crops(folder / "crops", names)
    labels = folder / "labels.txt"
    labels.write_text("".join(f"{prefix}{name}\tword {name}\n" for name in names), encoding="utf-8")
    return folder / "crops", labels


def convert(images: Path, labels: Path | None, output: Path, *flags: str) -> int:
    source = ["--input-labels", str(labels)] if labels else []
    return main(["--input-images", str(images), *source, "--output-dir", str(output), *flags])


def samples(folder: Path, split: str) -> dict[str, str]:
    return {sample.image: sample.label for sample in read_labels(folder / f"{split}.txt").samples}


def test_a_label_file_becomes_a_dataset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images, labels = labelled(tmp_path)
    out = tmp_path / "out"
    assert convert(images, labels, out) == 0
    everything = samples(out, "train") | samples(out, "val")
    assert everything == {f"images/{n:03}.png": f"word {n:03}.png" for n in range(20)}
    for image in everything:
        assert (out / image).read_bytes() == (images / Path(image).name).read_bytes()
    assert (out / "dict.txt").read_text() == "".join(c + "\n" for c in sorted(set("word.png0123456789")))
    manifest = json.loads((out / "dataset.json").read_text())
    assert manifest["format"] == 1
    assert manifest["train"] + manifest["val"] == 20
    assert manifest["split"] == {"by": "hash", "seed": 1024, "fraction": 0.1}
    assert str(tmp_path) not in (out / "dataset.json").read_text()
    assert "format: label-file" in capsys.readouterr().err


@pytest.mark.parametrize("prefix", ["", "crops/", "./", "train_data/rec/", "old\\place\\"])
def test_image_paths_are_found(tmp_path: Path, prefix: str) -> None:
    images, labels = labelled(tmp_path, prefix=prefix)
    assert convert(images, labels, tmp_path / "out") == 0
    assert "images/000.png" in samples(tmp_path / "out", "train") | samples(tmp_path / "out", "val")


@pytest.mark.parametrize(
    "prefix", ["/old/machine/crops/", "C:\\data\\crops\\", "D:/", "\\\\host\\share\\", "../clean/crops/", "a/../../"]
)
def test_paths_from_elsewhere_are_found_below_the_crops(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], prefix: str
) -> None:
    images, labels = labelled(tmp_path, prefix=prefix)
    assert convert(images, labels, tmp_path / "out") == 0
    assert len(samples(tmp_path / "out", "train") | samples(tmp_path / "out", "val")) == 20
    assert "note: 20 image paths lead elsewhere: found below crops/ without the" in capsys.readouterr().err


def test_paths_from_elsewhere_keep_the_folders_that_exist(tmp_path: Path) -> None:
    crops(tmp_path / "crops", ["1.png", "a/1.png", "b/a/1.png"])
    labels = tmp_path / "labels.txt"
    labels.write_text("/old/crops/a/1.png\tx\n../b/a/1.png\ty\n/1.png\tz\n")
    assert convert(tmp_path / "crops", labels, tmp_path / "out") == 0
    found = samples(tmp_path / "out", "train") | samples(tmp_path / "out", "val")
    assert found == {"images/a/1.png": "x", "images/b/a/1.png": "y", "images/1.png": "z"}


def test_no_file_outside_the_crops_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images, labels = labelled(tmp_path)
    crops(tmp_path, ["secret.png", "elsewhere/other.png"])
    paths = [str(tmp_path / "secret.png"), "../secret.png", "../elsewhere/other.png", "crops/../../secret.png"]
    labels.write_text(labels.read_text() + "".join(f"{path}\ttext\n" for path in paths))
    assert convert(images, labels, tmp_path / "out") == 1
    said = capsys.readouterr().err
    assert "path: 4 problems" in said
    assert said.count("no such file is in crops/; write it relative to --input-images") == 4


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{},word", ", the file looks comma-separated: write image path, one tab, label in each line"),
        ("'word, or two',{}", ", the file looks comma-separated: "),
        ("{};word, or two", ", the file looks semicolon-separated: "),
        ("{} two words", ", the file looks space-separated: "),
        ("{}\\tword", ", the file looks written with a backslash and a t instead of a tab: "),
        ("two words", " has no tab in any line: write image path, one tab, label in each line"),
        ("word\t{}", "labels.txt has its columns swapped, the second one names the images: write image path, one tab"),
        ("word\t/old/crops/{}", "labels.txt has its columns swapped, the second one names the images: "),
    ],
)
def test_other_columns_are_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, words: str
) -> None:
    images, labels = labelled(tmp_path)
    header = "text\tfilename\n" if "\t" in line else "filename\n"
    labels.write_text(header + "".join(line.format(f"{number:03}.png") + "\n" for number in range(20)))
    assert convert(images, labels, tmp_path / "out", "--format", "label-file") == 1
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


ODD = {"000.png": "น\u0e4d\u0e49\u0e32", "001.png": "ค\u0e4d\u0e32", "002.png": "no\u00a0break", "003.png": "fine ำ แ"}


@pytest.mark.parametrize(
    ("flags", "written", "fate"),
    [
        ([], ["น้ำ", "คำ", "no break", "fine ำ แ"], "put into the normal form"),
        (["--normalise"], ["น้ำ", "คำ", "no break", "fine ำ แ"], "put into the normal form"),
        (["--as-written"], list(ODD.values()), "left as written"),
    ],
)
def test_labels_are_written_in_their_normal_form(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], written: list[str], fate: str
) -> None:
    crops(tmp_path / "crops", list(ODD))
    labels = tmp_path / "labels.txt"
    labels.write_text("".join(f"{image}\t{label}\n" for image, label in ODD.items()), encoding="utf-8")
    assert convert(tmp_path / "crops", labels, tmp_path / "out", *flags) == 0
    found = samples(tmp_path / "out", "train") | samples(tmp_path / "out", "val")
    assert found == {f"images/{image}": label for image, label in zip(ODD, written, strict=True)}
    characters = (tmp_path / "out/dict.txt").read_text(encoding="utf-8").splitlines()
    assert characters == sorted(set("".join(written)) - {" "})
    said = capsys.readouterr().err
    assert "note: 2 labels hold SARA AM in two code points (U+0E4D U+0E32)" in said
    assert f"{fate}, first at labels.txt:1, labels.txt:2\n" in said
    assert "note: 1 label holds other spaces than U+0020" in said
    assert said.count(fate) == 2


def test_a_label_of_which_nothing_is_seen_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images, labels = labelled(tmp_path)
    text = labels.read_text().replace("word 001.png", "\u200b\u00a0")
    labels.write_text(text, encoding="utf-8")
    assert convert(images, labels, tmp_path / "out") == 1
    assert "labels.txt:2: the label holds nothing that an image shows; write its text" in capsys.readouterr().err


def test_bom_and_crlf_are_accepted_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images, labels = labelled(tmp_path)
    labels.write_bytes(b"\xef\xbb\xbf" + labels.read_bytes().replace(b"\n", b"\r\n"))
    assert convert(images, labels, tmp_path / "out") == 0
    said = capsys.readouterr().err
    assert "byte order mark" in said
    assert "CRLF" in said
    assert "\r" not in (tmp_path / "out/train.txt").read_bytes().decode()


def test_folders_of_gt_txt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pages = tmp_path / "pages"
    crops(pages, ["a/1.png", "a/2.bin.png", "b/1.JPG", "b/3.png", "b/3.bin.png"])
    for name, text in {"a/1": "one", "a/2": "two", "b/1": "\ufeffone", "b/3": "three\r"}.items():
        (pages / f"{name}.gt.txt").write_text(text + "\n", encoding="utf-8", newline="")
    assert convert(pages, None, tmp_path / "out") == 0
    found = samples(tmp_path / "out", "train") | samples(tmp_path / "out", "val")
    assert found == {
        "images/a/1.png": "one",
        "images/a/2.bin.png": "two",
        "images/b/1.JPG": "one",
        "images/b/3.png": "three",
    }
    said = capsys.readouterr().err
    assert "format: gt-txt" in said
    assert "1 .gt.txt file: starts with a byte order mark" in said


@pytest.mark.parametrize("val", ["val", "valid", "validation", "test"])
def test_train_and_val_folders_are_the_split(tmp_path: Path, capsys: pytest.CaptureFixture[str], val: str) -> None:
    names = ["train/1", "train/2", "train/3", f"{val}/1"]
    crops(tmp_path / "in", [f"{name}.png" for name in names])
    for name in names:
        (tmp_path / "in" / f"{name}.gt.txt").write_text("text")
    assert convert(tmp_path / "in", None, tmp_path / "out") == 0
    assert list(samples(tmp_path / "out", "val")) == [f"images/{val}/1.png"]
    assert f"split: the folders train/ and {val}/ are the split" in capsys.readouterr().err


def test_samples_beside_the_split_folders_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["train/1", "val/1", "test/1"]
    crops(tmp_path / "in", [f"{name}.png" for name in names])
    for name in names:
        (tmp_path / "in" / f"{name}.gt.txt").write_text("text")
    assert convert(tmp_path / "in", None, tmp_path / "out") == 1
    assert "1 sample lies outside them (first: test/1.png)" in capsys.readouterr().err


def test_an_existing_dataset_keeps_its_split(tmp_path: Path) -> None:
    old = dataset(tmp_path / "old", {"1.png": "a", "2.png": "b"}, {"3.png": "c"})
    assert convert(old, None, tmp_path / "new") == 0
    assert samples(tmp_path / "new", "train") == {"images/1.png": "a", "images/2.png": "b"}
    assert samples(tmp_path / "new", "val") == {"images/3.png": "c"}


def test_names_are_safe_and_stay_apart(tmp_path: Path) -> None:
    names = ["a/1.png", "b/1.png", "with space.png", "with_space.png", "คำ.png", ".hidden.png"]
    crops(tmp_path / "in", names)
    (tmp_path / "labels.txt").write_text("".join(f"{name}\tx\n" for name in names), encoding="utf-8")
    assert convert(tmp_path / "in", tmp_path / "labels.txt", tmp_path / "out") == 0
    images = list(samples(tmp_path / "out", "train") | samples(tmp_path / "out", "val"))
    assert len(set(images)) == len(names)
    assert {"images/a/1.png", "images/b/1.png", "images/with_space.png"} <= set(images)
    assert all(image.isascii() and " " not in image and "/." not in image for image in images)


BAD_LINES = {
    "no-tab": ("001.png text", "has no tab"),
    "blank": ("\n020.png\tnot the end", "the line is blank"),
    "blank label": ("001.png\t ", "is blank"),
    "two tabs": ("001.png\ta\tb", "holds a tab"),
    "missing": ("nowhere.png\ttext", "is neither in crops/ nor beside the label file"),
    "swapped columns": ("word " * 80 + "\t001.png", "the columns are swapped, the second one is the image '001.png'"),
    "folder": ("sub\ttext", "is neither in crops/ nor beside the label file"),
    "absolute": ("/etc/hostname\ttext", "is an absolute path"),
    "drive": ("C:\\crops\\no.png\ttext", "is an absolute path"),
    "parent": ("../labels.txt\ttext", "leaves the dataset folder"),
    "address": ("http://example.org/1.png\ttext", "is an address"),
    "empty image": ("empty.png\ttext", "is empty"),
    "cut PNG": ("cut.png\ttext", "is cut short"),
    "cut JPEG": ("cut.jpg\ttext", "is cut short"),
    "damaged": ("damaged.png\ttext", "does not decode"),
    "no image": ("text.png\ttext", "is not an image"),
    "huge": ("huge.png\ttext", "claims 30000 x 30000 pixels"),
    "link out": ("link.png\ttext", "is a link that leaves the folder"),
    "twice": ("000.png\ttext", "is listed at labels.txt:1 already, there as 'word 000.png' and here as 'text'"),
}


def bad_images(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "empty.png").write_bytes(b"")
    (folder / "cut.png").write_bytes(png()[:-30])
    (folder / "cut.jpg").write_bytes(jpeg()[:-200])
    damaged = bytearray(png())
    damaged[len(damaged) // 2] ^= 0xFF
    (folder / "damaged.png").write_bytes(damaged)
    (folder / "text.png").write_text("hello")
    (folder / "huge.png").write_bytes(huge_png())
    outside = folder.parent.parent / "outside.png"
    outside.write_bytes(png())
    (folder / "link.png").symlink_to(outside)


@pytest.fixture
def with_bad_images(tmp_path: Path) -> tuple[Path, Path]:
    images, labels = labelled(tmp_path / "in")
    crops(images, ["020.png"])
    bad_images(images)
    return images, labels


@pytest.mark.parametrize("case", BAD_LINES)
def test_a_bad_line_is_one_problem(
    tmp_path: Path, with_bad_images: tuple[Path, Path], capfd: pytest.CaptureFixture[str], case: str
) -> None:
    images, labels = with_bad_images
    line, words = BAD_LINES[case]
    with labels.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    count = 21 + line.count("\n")
    assert convert(images, labels, tmp_path / "out") == 1
    said = capfd.readouterr().err
    (problem,) = [text for text in said.splitlines() if "labels.txt:21: " in text]
    assert words in problem
    assert f"error: 1 of {count} samples is bad, so nothing was written" in said
    assert "libpng" not in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "outside.png"]


def test_all_problems_come_at_once_and_can_be_left_out(
    tmp_path: Path, with_bad_images: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    images, labels = with_bad_images
    lines = [line.partition("\n")[0] for line, _ in BAD_LINES.values()]
    lines.append("020.png\tthe end")  # because blank lines are accepted there
    with labels.open("a", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in lines)
    bad = range(21, 21 + len(BAD_LINES))
    assert convert(images, labels, tmp_path / "out") == 1
    said = capsys.readouterr().err
    shown = [number for number in bad if f"labels.txt:{number}: " in said]
    assert f"image: {len(bad) - len(shown) + 5} problems" in said
    assert f"  … and {len(bad) - len(shown)} more: --skip-bad lists all in rejected.csv" in said
    for kind in ("no tab: 2", "blank label: 1", "tab in label: 1", "swapped columns: 1", "path: 4", "listed twice: 1"):
        assert f"{kind} problem" in said
    assert not (tmp_path / "out").exists()

    assert convert(images, labels, tmp_path / "out", "--skip-bad") == 0
    with (tmp_path / "out/rejected.csv").open(encoding="utf-8", newline="") as file:
        rejected = list(csv.DictReader(file))
    assert {int(row["region"]) for row in rejected} == set(bad)
    assert all(row["source"] == "labels.txt" and row["reason"] for row in rejected)
    kept = samples(tmp_path / "out", "train") | samples(tmp_path / "out", "val")
    assert len(kept) + len(rejected) == 21 + len(BAD_LINES)


def test_bad_gt_txt_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = {
        "good": b"fine",
        "fine": b"good",
        "blank": b" \n",
        "two": b"one\ntwo\n",
        "tab": b"a\tb",
        "latin": b"caf\xe9",
        "utf16": "text".encode("utf-16")[:-1],
        "alone": b"no image",
    }
    crops(tmp_path / "in", [f"{name}.png" for name in texts if name != "alone"])
    for name, text in texts.items():
        (tmp_path / "in" / f"{name}.gt.txt").write_bytes(text)
    assert convert(tmp_path / "in", None, tmp_path / "out") == 1
    said = capsys.readouterr().err
    for words in (
        "blank.gt.txt:1: the label is blank; write its text",
        "two.gt.txt:1: the file has 2 lines; write the text of one line",
        "tab.gt.txt:1: the label holds a tab; ",
        "latin.gt.txt:1: the file is not UTF-8 (line 1); say what it is, as in --encoding cp874",
        "utf16.gt.txt:1: the file is UTF-16 and damaged from there on (line 1); save it again, as UTF-8",
        "alone.gt.txt:1: there is no image alone.png",
    ):
        assert words in said
    assert convert(tmp_path / "in", None, tmp_path / "out", "--skip-bad") == 0
    assert len((tmp_path / "out/rejected.csv").read_text().splitlines()) == 1 + 6


def test_whole_inputs_that_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images, labels = labelled(tmp_path)
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    empty = tmp_path / "empty.txt"
    empty.write_text("")
    one = tmp_path / "one.txt"
    one.write_text("000.png\ttext\n")
    for given_images, given_labels, flags, words in (
        (tmp_path / "no", labels, (), "no does not exist"),
        (labels, labels, (), "is not a folder"),
        (images, tmp_path / "no.txt", (), "no.txt does not exist"),
        (images, nothing, (), "holds neither name.gt.txt files nor train.txt and val.txt"),
        (images, empty, (), "lists no sample"),
        (images, one, (), "1 sound sample is too few"),
        (images, labels, ("--format", "gt-txt"), "gt-txt wants the folder"),
        (images, labels, ("--val-fraction", "1"), "not a number between 0 and 1"),
    ):
        assert convert(given_images, given_labels, tmp_path / "out", *flags) == 1
        said = capsys.readouterr().err.splitlines()[-1]
        assert said.startswith("error: ")
        assert words in said
    assert not (tmp_path / "out").exists()


def test_every_format_has_its_name_in_the_help() -> None:
    assert set(FORMATS) == {"auto", "label-file", *ENDINGS, *TABLES, *PAGE_FORMATS}


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_output_that_cannot_be_renamed_over_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    images, labels = labelled(tmp_path)
    (tmp_path / "here").mkdir()
    (tmp_path / "link").symlink_to("here")
    monkeypatch.chdir(tmp_path / "here")
    for output in (Path(), tmp_path / "link", tmp_path / "here"):
        assert convert(images, labels, output) == 1
        said = capsys.readouterr().err
        assert "is a link, a mount point or the folder that you are in: name a new folder in it" in said
        assert "checking" not in said


def test_an_image_is_missed_by_the_name_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, labels = labelled(tmp_path)
    labels.write_text("gone.png\tone\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path / "crops")
    assert convert(Path(), labels, tmp_path / "my data") == 1
    assert "the image 'gone.png' is neither in crops/ nor beside" in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no such pipes there")
def test_a_pipe_of_labels_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images, _ = labelled(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert convert(images, tmp_path / "pipe", tmp_path / "out") == 1
    assert "pipe is neither a file nor a folder: name a label file" in capsys.readouterr().err


def test_output_must_be_new(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images, labels = labelled(tmp_path)
    assert convert(images, labels, labels) == 1
    assert "labels.txt is a file: name a new folder" in capsys.readouterr().err
    assert convert(images, labels, images) == 1
    assert "crops is not empty" in capsys.readouterr().err


def test_an_interruption_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    images, labels = labelled(tmp_path)
    before = sorted(tmp_path.iterdir())

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("data_preparation.dataset_writer.DatasetWriter.finish", interrupted)
    assert convert(images, labels, tmp_path / "out") == 130
    assert capsys.readouterr().err.endswith("interrupted\n")
    assert sorted(tmp_path.iterdir()) == before
