"""Crops listed in CSV, in JSON, with their texts beside them, or several on one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.data_preparation.folders import crops
from tests.data_preparation.test_convert_data import convert, samples
from tests.data_preparation.test_convert_pages import rejected

WANTED = {"images/0.png": "zero", "images/1.png": "one, two", "images/a/2.png": 'ร้าน "7"'}


def converted(folder: Path, name: str, text: str, *flags: str) -> dict[str, str]:
    """Convert the three crops with a list of that text; the samples that come of it."""
    crops(folder / "crops", ["0.png", "1.png", "a/2.png"])
    (folder / name).write_text(text, encoding="utf-8", newline="")
    assert convert(folder / "crops", folder / name, folder / "out", *flags) == 0
    return samples(folder / "out", "train") | samples(folder / "out", "val")


CSV = {
    "comma": ('filename,words\n0.png,zero\n1.png,"one, two"\na/2.png,"ร้าน ""7"""\n', "commas, the first line names"),
    "no header": ('0.png,zero\n1.png,"one, two"\na/2.png,"ร้าน ""7"""\n', "commas, no header"),
    "semicolon": ('Image Path;Text\r\n0.png;zero\r\n1.png;one, two\r\na/2.png;ร้าน "7"\r\n', "semicolons, the first"),
    "tab": ('file\tlabel\n0.png\tzero\n1.png\tone, two\na/2.png\t"ร้าน ""7"""\n', "tabs, the first line names"),
    "bar": ('text|image\nzero|crops/0.png\none, two|crops/1.png\nร้าน "7"|a/2.png\n', "vertical bars, the first"),
    "blanks": ('image, text\n"0.png", "zero"\n"1.png", "one, two"\n"a/2.png", "ร้าน ""7"""\n', "commas, the first"),
    "names of others": ('foto,texto\n0.png,zero\n1.png,"one, two"\na/2.png,"ร้าน ""7"""\n', "commas, the first line"),
    "swapped": ('zero,0.png\n"one, two",1.png\n"ร้าน ""7""",a/2.png\n', "commas, no header"),
    "more columns": ('id,text,image\n1,zero,0.png\n2,"one, two",1.png\n3,"ร้าน ""7""",s3://b/a/2.png\n', "commas, the"),
}


@pytest.mark.parametrize("case", CSV)
def test_tables_of_every_usual_shape(tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str) -> None:
    text, words = CSV[case]
    assert converted(tmp_path, "labels.csv", text) == WANTED
    assert f"format: csv (labels.csv is a table separated by {words}" in capsys.readouterr().err


def test_a_text_file_with_commas_is_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert converted(tmp_path, "labels.txt", CSV["no header"][0]) == WANTED
    assert "format: csv (labels.txt is a table" in capsys.readouterr().err


def test_a_folder_that_holds_the_one_file_stands_for_it(tmp_path: Path) -> None:
    text = "image,text,writer\n0.png,zero,a\n1.png,one,b\n"
    crops(tmp_path / "images", ["0.png", "1.png"])
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/.gitignore").write_text("*\n")
    (tmp_path / "labels/words.csv").write_text(text)
    out = tmp_path / "out"
    assert convert(tmp_path / "images", tmp_path / "labels", out, "--group-by", "writer") == 0
    assert samples(out, "train") | samples(out, "val") == {"images/0.png": "zero", "images/1.png": "one"}


@pytest.mark.parametrize("columns", ["crop,word", "3,2", "crop, 2"])
def test_columns_that_are_named(tmp_path: Path, columns: str) -> None:
    text = 'page,word,crop\nx.png,zero,0.png\nx.png,"one, two",1.png\nx.png,"ร้าน ""7""",a/2.png\n'
    assert converted(tmp_path, "labels.csv", text, "--columns", columns) == WANTED


def test_a_header_that_only_columns_tells(tmp_path: Path) -> None:
    crops(tmp_path / "crops", ["scan", "other"])
    (tmp_path / "labels.csv").write_text("crop,text,id\nscan,one,1\nother,two,2\n")
    flags = ("--format", "csv", "--columns", "crop,text")
    assert convert(tmp_path / "crops", tmp_path / "labels.csv", tmp_path / "out", *flags) == 1
    (tmp_path / "labels.csv").write_text("crop,text,image\nscan,one,1\nother,two,2\n")
    assert convert(tmp_path / "crops", tmp_path / "labels.csv", tmp_path / "out", *flags) == 0
    assert samples(tmp_path / "out", "train") | samples(tmp_path / "out", "val") == {
        "images/scan": "one",
        "images/other": "two",
    }


@pytest.mark.parametrize(
    ("text", "flags", "words"),
    [
        ("a,b,c\n0.png,x,y\n1.png,x,y\n", (), "labels.csv has 3 columns ('a', 'b', 'c'), and nothing tells which"),
        ("0.png,x\n1.png,y\n", ("--columns", "0,1"), "--columns: there is no column '0': there are 2 columns and no"),
        ("image,text\n0.png,x\n", ("--columns", "image,words"), "no column 'words': the columns are 'image', 'text';"),
        ("image,text\n0.png,x\n", ("--columns", "image"), "--columns image names no two columns"),
        ("image,text\n0.png,x\n", ("--format", "label-file", "--columns", "1,2"), "--columns is for csv, json only"),
        ("hello\n", (), "labels.csv has no columns with an image and its text"),
        ("", (), "labels.csv has no columns with an image and its text"),
        ("image,text\n", (), "0 sound samples are too few"),
        ("0.png,x\0\n", (), "labels.csv has no columns with an image and its text"),
        ("0.png,x\0\n1.png,y\n", (), "the line holds a NUL character"),
    ],
)
def test_tables_that_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, flags: tuple[str, ...], words: str
) -> None:
    crops(tmp_path / "crops", ["0.png", "1.png"])
    (tmp_path / "labels.csv").write_text(text)
    assert convert(tmp_path / "crops", tmp_path / "labels.csv", tmp_path / "out", *flags) == 1
    assert words in capsys.readouterr().err


def test_every_bad_row_has_its_reason(tmp_path: Path) -> None:
    rows = {
        "5.png,one,two": "the line has 3 columns, the others have 2; put a text that holds the separator in quotes",
        "5.png": "the line has 1 column, the others have 2",
        '5.png,"open': "a quote is opened and not closed on the line",
        '5.png,"a" b': "the quotes do not pair up",
        "": "the line is blank",
        "5.png, ": "the label is blank",
        '5.png,"a\tb"': "the label holds a tab",
        "5.png,x": "the image '5.png' is neither in crops/ nor beside the label file",
        "../5.png,x": "'../5.png' leaves the dataset folder and no such file is in crops/",
        "/etc/hostname,x": "is an absolute path and no such file is in crops/",
        "https://example.org/5.png,x": "is an address, not a file of the dataset and no such file is in crops/",
        "s3://bucket/lines/5.png,x": f"download it first: aws s3 sync s3://bucket/lines/ {tmp_path}/crops",
        f"5.png,{'x' * 1_000_000}": "a column has more than 131,072 characters",
        f"{'x' * 100_000}.png,x": "… (100,004 characters) is neither in crops/",
        "0.png,again": "the image '0.png' is listed at labels.csv:1 already",
    }
    text = "0.png,zero\n1.png,one\na/2.png,two\n" + "\n".join(rows) + "\n3.png,x\n"
    assert len(converted(tmp_path, "labels.csv", text, "--skip-bad")) == 3
    reasons = {int(region): reason for _, region, reason in rejected(tmp_path / "out")}
    assert set(reasons) == set(range(4, 5 + len(rows)))
    for line, words in enumerate(rows.values(), start=4):
        assert words in reasons[line]


SAMPLES = [("0.png", "zero"), ("1.png", "one, two"), ("a/2.png", 'ร้าน "7"')]
JSON = {
    "lines": "".join(json.dumps({"file_name": image, "text": text, "id": 1}) + "\n" for image, text in SAMPLES),
    "one list": json.dumps([{"image": image, "transcription": text} for image, text in SAMPLES], indent=1),
    "image → text": json.dumps(dict(SAMPLES), ensure_ascii=False, indent=1),
    "one object": json.dumps(dict(SAMPLES)),
}


@pytest.mark.parametrize("case", JSON)
def test_json_of_every_usual_shape(tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str) -> None:
    assert converted(tmp_path, "labels.json", JSON[case]) == WANTED
    assert "format: json (labels.json has 3 " in capsys.readouterr().err


def test_keys_that_are_named_and_images_of_one_text(tmp_path: Path) -> None:
    lines = [
        {"name": "x", "crop": ["0.png", "1.png"], "word": "same"},
        {"crop": "a/2.png", "word": "other", "name": ""},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    found = converted(tmp_path, "labels.jsonl", text, "--columns", "crop,word")
    assert found == {"images/0.png": "same", "images/1.png": "same", "images/a/2.png": "other"}


def test_bad_json_lines_have_their_reasons(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = {
        '{"image": "5.png", "text"': "the line is not JSON",
        "[" * 100_000: "the line is not JSON",
        '"5.png"': "it is no object with an image and its text",
        '{"image": "5.png", "text": 7}': "the image and its text are not both strings",
        '{"image": "5.png", "width": 7}': "nothing tells which of 'image', 'width' are the image and its text",
        '{"image": "0.png", "text": "\\ud800"}': "the label holds half of a character",
        '{"image": "0.png", "text": "a\\u0000"}': "the label holds a NUL character",
        '{"image": "0.png", "text": "a\\nb"}': "the label holds a line break",
        '{"\\ud800": "5.png"}': "nothing tells which of '\\ud800' are the image",
        '{"image": "a\\u0000.png", "text": "x"}': "holds a NUL character and no such file",
        '{"image": "\\u202e0.png", "text": "x"}': "the image '\\u202e0.png' is neither",
    }
    assert len(converted(tmp_path, "labels.jsonl", JSON["lines"] + "\n".join(lines), "--skip-bad")) == 3
    reasons = [reason for _, _, reason in sorted(rejected(tmp_path / "out"), key=lambda row: int(row[1]))]
    assert len(reasons) == len(lines)
    for reason, words in zip(reasons, lines.values(), strict=True):
        assert words in reason

    (tmp_path / "labels.jsonl").write_text("{]\n")
    assert convert(tmp_path / "crops", tmp_path / "labels.jsonl", tmp_path / "none") == 1
    assert "labels.jsonl is not JSON: write a JSON object" in capsys.readouterr().err


def test_a_list_of_images_on_a_line_of_a_label_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = '["0.png", "crops/1.png"]\tsame\na/2.png\tother\n["not a list\tx\n[]\tx\n'
    found = converted(tmp_path, "labels.txt", text, "--skip-bad")
    assert found == {"images/0.png": "same", "images/1.png": "same", "images/a/2.png": "other"}
    said = capsys.readouterr().err
    assert "note: 1 line lists several images: each image becomes a sample of its own, first at labels.txt:1" in said
    assert [row[:2] for row in rejected(tmp_path / "out")] == [("labels.txt", "3"), ("labels.txt", "4")]


def test_texts_beside_their_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    crops(tmp_path / "in", ["0.png", "1.JPG", "a/2.png"])
    for name, text in {"0": "zero\n", "1": "one\r\n", "a/2": "two", "README": "hello\n\nworld\n"}.items():
        (tmp_path / f"in/{name}.txt").write_text(text, newline="")
    assert convert(tmp_path / "in", None, tmp_path / "out") == 1
    said = capsys.readouterr().err
    assert "format: txt" in said
    assert "README.txt:1: the file has 3 lines" in said
    assert convert(tmp_path / "in", None, tmp_path / "out", "--skip-bad") == 0
    found = samples(tmp_path / "out", "train") | samples(tmp_path / "out", "val")
    assert found == {"images/0.png": "zero", "images/1.JPG": "one", "images/a/2.png": "two"}
