"""Label files in the encodings that Excel, PowerShell and Thai Windows write, through the command itself."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from data_preparation.__main__ import main
from tests.data_preparation.folders import crops, run_python
from tests.data_preparation.pages import box, draw_page, icdar_line, label_line, labelme_file, shape
from tests.data_preparation.test_convert_data import samples

WORDS = ("ร้าน 7", "ชุมชน", "abc", "แดง", "น้ำ", "฿ 120")
LABELS = "".join(f"{number}.png\t{word}\n" for number, word in enumerate(WORDS))
TABLE = "image,text\n" + LABELS.replace("\t", ",")


def convert(folder: Path, labels: Path, *flags: str) -> int:
    crops(folder / "crops", [f"{number}.png" for number in range(len(WORDS))])
    given = ["--input-images", str(folder / "crops"), "--input-labels", str(labels)]
    return main(["convert", *given, "--output-dir", str(folder / "out"), *flags])


def written(folder: Path) -> list[str]:
    found = samples(folder / "out", "train") | samples(folder / "out", "val")
    return [found[image] for image in sorted(found)]


@pytest.mark.parametrize(
    ("data", "flags", "said"),
    [
        (LABELS.encode("utf-8-sig"), (), "note: labels.txt starts with a byte order mark: accepted, ignored\n"),
        (LABELS.encode("utf-16"), (), "note: labels.txt is read as UTF-16, as its byte order mark says\n"),
        (b"\xfe\xff" + LABELS.encode("utf-16-be"), (), "read as UTF-16, as its byte order mark says\n"),
        (LABELS.encode("utf-32"), (), "note: labels.txt is read as UTF-32, as its byte order mark says\n"),
        (LABELS.encode("utf-16-le"), (), "note: labels.txt is read as UTF-16-LE\n"),
        (LABELS.encode("utf-16-be"), (), "note: labels.txt is read as UTF-16-BE\n"),
        (LABELS.encode("cp874"), ("--encoding", "cp874"), "note: labels.txt is read as cp874\n"),
        (LABELS.encode("cp874"), ("--encoding", "Windows-874"), "note: labels.txt is read as cp874\n"),
        (LABELS.encode("cp874"), ("--encoding", "tis-620"), "note: labels.txt is read as tis-620\n"),
        (LABELS.encode(), ("--encoding", "utf8"), "format: label-file (labels.txt is a label file)\n"),
        (
            LABELS.replace("\n", "\r\n").encode("utf-16"),
            (),
            "byte order mark says\nnote: labels.txt has Windows line ends (CRLF): accepted, ignored\n",
        ),
        (LABELS.replace("\n", "\r").encode(), (), "note: labels.txt has old Mac line ends (CR): accepted, ignored\n"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else None,
)
def test_a_label_file_of_any_encoding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], data: bytes, flags: tuple[str, ...], said: str
) -> None:
    (tmp_path / "labels.txt").write_bytes(data)
    assert convert(tmp_path, tmp_path / "labels.txt", *flags) == 0
    assert written(tmp_path) == list(WORDS)
    assert said in capsys.readouterr().err


def test_a_file_of_thai_windows_is_asked_about_and_then_read(tmp_path: Path) -> None:
    crops(tmp_path / "my crops", [f"{number}.png" for number in range(len(WORDS))])
    (tmp_path / "labels.csv").write_bytes(TABLE.encode("cp874"))
    command = ["-m", "data_preparation", "convert", "--input-images", "my crops", "--input-labels", "labels.csv"]
    refused = run_python(*command, "--output-dir", "out", cwd=tmp_path)
    assert (refused.returncode, refused.stderr) == (
        1,
        "error: labels.csv:2: the file is not UTF-8: add --encoding cp874 if this line reads 'ร้าน 7'\n",
    )
    done = run_python(*command, "--output-dir", "out", "--encoding", "cp874", cwd=tmp_path)
    assert done.returncode == 0, done
    assert "note: labels.csv is read as cp874\n" in done.stderr
    assert written(tmp_path) == list(WORDS)


PAIRS = {f"{number}.png": word for number, word in enumerate(WORDS)}
LINES = [json.dumps({"image": image, "text": word}, ensure_ascii=False) + "\n" for image, word in PAIRS.items()]
ENCODINGS = pytest.mark.parametrize(
    ("encoding", "flags"), [("cp874", ("--encoding", "cp874")), ("utf-16", ()), ("utf-8-sig", ())]
)


@ENCODINGS
@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("labels.csv", TABLE),
        ("labels.txt", TABLE.replace(",", ";")),
        ("labels.tsv", TABLE.replace(",", "\t")),
        ("labels.jsonl", "".join(LINES)),
        ("labels.json", json.dumps(PAIRS, ensure_ascii=False, indent=1)),
    ],
)
def test_tables_and_json(tmp_path: Path, encoding: str, flags: tuple[str, ...], file: str, text: str) -> None:
    (tmp_path / file).write_bytes(text.encode(encoding))
    assert convert(tmp_path, tmp_path / file, *flags) == 0
    assert written(tmp_path) == list(WORDS)


@ENCODINGS
@pytest.mark.parametrize("ending", [".gt.txt", ".txt"])
def test_a_text_beside_each_crop(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], encoding: str, flags: tuple[str, ...], ending: str
) -> None:
    crops(tmp_path / "crops", list(PAIRS))
    for image, word in PAIRS.items():
        (tmp_path / "crops" / image).with_suffix(ending).write_bytes(word.encode(encoding))
    assert convert(tmp_path, tmp_path / "crops", *flags) == 0
    assert written(tmp_path) == list(WORDS)
    assert "note: 6 " in capsys.readouterr().err or encoding == "cp874"  # abc is the same in both


def test_a_folder_of_texts_in_two_encodings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """แดง of cp874 is a character of UTF-8 too, and มา of UTF-8 are six letters of cp874: each is read as it is."""
    texts = ("แดง".encode("cp874"), "มา".encode(), "สด".encode("cp874"), b"abc", "ร้าน".encode(), "ร้าน".encode("cp874"))
    crops(tmp_path / "crops", list(PAIRS))
    for number, text in enumerate(texts):
        (tmp_path / f"crops/{number}.gt.txt").write_bytes(text)
    assert convert(tmp_path, tmp_path / "crops", "--encoding", "cp874") == 0
    assert written(tmp_path) == ["แดง", "มา", "สด", "abc", "ร้าน", "ร้าน"]
    said = capsys.readouterr().err
    assert "note: 3 .gt.txt files: is read as cp874\n" in said
    assert "note: 2 .gt.txt files: is read as UTF-8, which it is, not as cp874\n" in said


def test_texts_most_of_which_cannot_be_read_are_refused_as_a_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The others would be misread: แดง of cp874 is a letter of UTF-8."""
    crops(tmp_path / "crops", list(PAIRS))
    for image, word in PAIRS.items():
        (tmp_path / "crops" / image).with_suffix(".gt.txt").write_bytes(word.encode("cp874"))
    assert convert(tmp_path, tmp_path / "crops", "--skip-bad") == 1
    assert capsys.readouterr().err == (
        "error: 4 of 6 files cannot be read: 0.gt.txt:1: the file is not UTF-8 (line 1);"
        " add --encoding cp874 if this line reads 'ร้าน 7'\n"
    )
    draw_page(tmp_path / "in/1.png")
    (tmp_path / "in/gt_1.txt").write_bytes(icdar_line("กข", box(20, 30)).encode("cp874"))
    given = ["--input-images", str(tmp_path / "in"), "--output-dir", str(tmp_path / "out")]
    assert main(["convert", *given]) == 1
    assert capsys.readouterr().err == (
        "error: the file cannot be read: gt_1.txt: the file is not UTF-8 (line 1);"
        " add --encoding cp874 if this line reads 'กข'\n"
    )


@ENCODINGS
@pytest.mark.parametrize("form", ["ppocrlabel", "icdar", "labelme"])
def test_pages(tmp_path: Path, encoding: str, flags: tuple[str, ...], form: str) -> None:
    draw_page(tmp_path / "in/หน้า 1.png")
    regions = [(word, box(20, 10 + 30 * number)) for number, word in enumerate(WORDS)]
    if form == "ppocrlabel":
        (tmp_path / "in/Label.txt").write_bytes(label_line("in/หน้า 1.png", regions).encode(encoding))
    elif form == "icdar":
        text = "".join(icdar_line(word, points) for word, points in regions)
        (tmp_path / "in/gt_หน้า 1.txt").write_bytes(text.encode(encoding))
    else:
        file = tmp_path / "in/1.json"
        labelme_file(file, "หน้า 1.png", [shape(word, points) for word, points in regions])
        file.write_bytes(file.read_bytes().decode().encode(encoding))
    given = ["--input-images", str(tmp_path / "in"), "--output-dir", str(tmp_path / "out")]
    assert main(["convert", *given, "--format", form, *flags]) == 0
    assert written(tmp_path) == list(WORDS)


def test_a_dataset_and_a_table_of_groups(tmp_path: Path) -> None:
    crops(tmp_path / "data/images", list(PAIRS))
    for split, lines in (("train", LABELS.splitlines(True)[:3]), ("val", LABELS.splitlines(True)[3:])):
        text = "".join(f"images/{line}" for line in lines)
        (tmp_path / f"data/{split}.txt").write_bytes(text.encode("cp874"))
    given = ["--input-images", str(tmp_path / "data"), "--output-dir", str(tmp_path / "out"), "--encoding", "cp874"]
    assert main(["convert", *given]) == 0
    assert written(tmp_path) == list(WORDS)
    table = tmp_path / "writers.csv"
    table.write_bytes("image,writer\n0.png,สมชาย\n1.png,สมชาย\n2.png,สมหญิง\n".encode("cp874"))
    split = ["split", str(tmp_path / "out"), "--group-by", "writer", "--val-fraction", "0.4"]
    assert main([*split, "--groups", str(table)]) == 1
    assert main([*split, "--groups", str(table), "--encoding", "cp874"]) == 0
    assert main([*split, "--encoding", "cp874"]) == 1


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_joined_files_have_marks_within(tmp_path: Path, capsys: pytest.CaptureFixture[str], line_end: str) -> None:
    lines = [line + line_end for line in LABELS.splitlines()]
    text = "".join(["\ufeff", *lines[:3], "\ufeff", *lines[3:]])
    (tmp_path / "labels.txt").write_bytes(text.encode())
    assert convert(tmp_path, tmp_path / "labels.txt") == 0
    assert written(tmp_path) == list(WORDS)
    assert "note: labels.txt has byte order marks within, as joined files have: acc" in capsys.readouterr().err


THAI = LABELS.encode()


@pytest.mark.parametrize(
    ("data", "flags", "said"),
    [
        (THAI, ("--encoding", "rot13"), "'rot13' is no encoding of text files that Python knows, such as cp874; "),
        (THAI, ("--encoding", "thai-874"), "'thai-874' is no encoding of text files that Python knows, such as cp874"),
        (THAI, ("--encoding", ""), "'' is no encoding of text files that Python knows, such as cp874"),
        (THAI, ("--encoding", "idna"), "'idna' is no encoding of text files that Python knows"),
        (THAI, ("--encoding", "undefined"), "'undefined' is no encoding of text files that Python knows"),
        (
            "0.png\tcafé\n1.png\tกข\n".encode("cp1252", "ignore") + b"\xff",
            (),
            "labels.txt:1: the file is not UTF-8: say what it is, as in --encoding cp874",
        ),
        (
            b"0.png\ta\n1.png\t\xff\n",
            ("--encoding", "cp874"),
            "labels.txt:2: the file is not cp874 either: name another --encoding\n",
        ),
        (
            b"0.png\ta\n1.png\t\xff\n",
            ("--encoding", "utf-8"),
            "labels.txt:2: the file is not UTF-8 either: name another",
        ),
        (
            LABELS.encode("utf-16")[:-1],
            (),
            "labels.txt:6: the file is UTF-16 and damaged from there on: save it again, as",
        ),
        (LABELS.encode("utf-16")[:-1], ("--encoding", "cp874"), "labels.txt:6: the file is UTF-16 and damaged from th"),
        ("ชชช\n\ufeffช".encode("utf-16") + b"x", (), "labels.txt:2: the file is UTF-16 and damaged from there on"),
        (
            LABELS.encode("utf-16-le")[:-1],
            ("--encoding", "utf-16-le"),
            "labels.txt:6: the file is not UTF-16-LE either: ",
        ),
        (
            "0.png\ta\n1.png\t“กข”\n".encode("cp874"),
            ("--encoding", "tis-620"),
            "labels.txt:2: the file is not tis-620 either: name another --encoding, such as cp874",
        ),
        (THAI[:20] + b"\xff\xfe" + THAI[20:], (), "labels.txt:1: the file is not UTF-8: say what it is, as in --enc"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else None,
)
def test_what_cannot_be_read_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], data: bytes, flags: tuple[str, ...], said: str
) -> None:
    (tmp_path / "labels.txt").write_bytes(data)
    assert convert(tmp_path, tmp_path / "labels.txt", *flags) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("encoding", ["cp874", "latin-1", "cp437", "utf-16-le"])
def test_a_file_of_utf8_is_read_as_that_whatever_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], encoding: str
) -> None:
    (tmp_path / "labels.txt").write_bytes(THAI)
    assert convert(tmp_path, tmp_path / "labels.txt", "--encoding", encoding) == 0
    assert written(tmp_path) == list(WORDS)
    assert "note: labels.txt is read as UTF-8, which it is, not as " in capsys.readouterr().err


def test_xml_says_its_encoding_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "1.xml").write_text("<PcGts/>")
    assert convert(tmp_path, tmp_path / "1.xml", "--format", "page-xml", "--encoding", "cp874") == 1
    said = capsys.readouterr().err
    assert "--encoding is for label-file, gt-txt, txt, csv, json, " in said
    assert said.endswith(" only: leave it out for page-xml\n")


def test_a_cleaned_copy_is_read_by_the_same_rules(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    crops(tmp_path / "data/images", list(PAIRS))
    lines = [f"images/{line}" for line in LABELS.splitlines(True)]
    (tmp_path / "data/train.txt").write_bytes("".join(["\ufeff", *lines[:2], "\ufeff", *lines[2:4]]).encode())
    (tmp_path / "data/val.txt").write_bytes("".join(lines[4:]).encode("utf-32"))
    assert main(["validate", str(tmp_path / "data")]) == 1
    assert f"validate {tmp_path / 'data'} --fix NEW_FOLDER writes a copy without 2 of these" in capsys.readouterr().err
    assert main(["validate", str(tmp_path / "data"), "--fix", str(tmp_path / "out")]) == 0
    assert written(tmp_path) == list(WORDS)
    with (tmp_path / "out/fixes.csv").open(encoding="utf-8", newline="") as file:
        assert [[*row.values()][3:] for row in csv.DictReader(file) if row["kind"] == "file"] == [
            ["changed", "UTF-8 with a byte order mark", "UTF-8"],
            ["changed", "byte order marks within", ""],
            ["changed", "UTF-32", "UTF-8"],
        ]
