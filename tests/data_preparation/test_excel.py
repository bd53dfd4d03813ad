"""Label files as Excel leaves them: what is read, what is said about it, what is refused."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from tests.data_preparation.folders import crops
from tests.data_preparation.test_convert_data import convert, samples

NAMES = ("รูป 0.png", "รูป 1.PNG", "café 2.jpg")
WORDS = ("ร้าน 7", "a, b", 'น้ำ "ใส"')
ROWS = ("รูป 0.png\tร้าน 7", 'รูป 1.PNG\t"a, b"', 'café 2.jpg\t"น้ำ ""ใส"""')


def converted(folder: Path, name: str, lines: list[str], *flags: str, encoding: str = "utf-8-sig") -> list[str]:
    """Convert the three crops with a file of these lines; the labels that come of it."""
    crops(folder / "my crops", list(NAMES))
    (folder / name).write_bytes("".join(f"{line}\r\n" for line in lines).encode(encoding))
    assert convert(folder / "my crops", folder / name, folder / "out", *flags) == 0
    return sorted((samples(folder / "out", "train") | samples(folder / "out", "val")).values())


@pytest.mark.parametrize("header", ["image\ttext", "ชื่อไฟล์\tข้อความ", "Image Name\tLabel"])
def test_unicode_text_with_named_columns_is_a_table(tmp_path: Path, header: str) -> None:
    assert converted(tmp_path, "labels.txt", [header, *ROWS], encoding="utf-16") == sorted(WORDS)


def test_thai_names_of_columns(tmp_path: Path) -> None:
    rows = [f"{number};{row}".replace("\t", ";") for number, row in enumerate(ROWS, 1)]
    assert converted(tmp_path, "labels.csv", ["ลำดับ;รูปภาพ;ข้อความ", *rows]) == sorted(WORDS)


def test_without_a_header_quotes_may_be_text_and_are_asked_about(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert converted(tmp_path, "labels.txt", [*ROWS], encoding="utf-16") == ['"a, b"', '"น้ำ ""ใส"""', "ร้าน 7"]
    told = (
        "note: 2 labels stand in quotes, as Excel writes them: kept, first at labels.txt:2; --format csv reads the text"
    )
    assert told in capsys.readouterr().err
    read = tmp_path / "read"
    assert convert(tmp_path / "my crops", tmp_path / "labels.txt", read, "--format", "csv") == 0
    assert sorted((samples(read, "train") | samples(read, "val")).values()) == sorted(WORDS)


def test_quotes_of_a_text_are_no_quotes_of_excel(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = ['รูป 0.png\t"Hello"', 'รูป 1.PNG\t"a" and "b"', 'café 2.jpg\t12"']
    assert converted(tmp_path, "labels.txt", rows) == ['"Hello"', '"a" and "b"', '12"']
    assert "in quotes" not in capsys.readouterr().err


def test_a_line_for_excel_and_empty_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [row.replace("\t", ";") for row in ROWS]
    assert converted(tmp_path, "labels.csv", ["sep=;", "image;text", *rows, ";", " ; ", ""]) == sorted(WORDS)
    assert "note: labels.csv ends in 2 empty rows: accepted, ignored\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    "names",
    [
        ("รูป 0.png ", "\u00a0รูป 1.PNG", "café 2.jpg  "),
        ("รูป 0", "รูป 1", "my crops\\café 2"),
        ("รูป 0.PNG", "D:\\old\\รูป 1.png", "café 2.JPG"),
        ("รูป 0", "รูป 1.png", unicodedata.normalize("NFD", "café 2.jpg")),
    ],
)
def test_images_that_are_named_a_little_otherwise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], names: tuple[str, ...]
) -> None:
    rows = [f"{name}\t{word}" for name, word in zip(names, WORDS, strict=True)]
    assert converted(tmp_path, "labels.txt", rows) == sorted(WORDS)
    told = (
        f"note: 3 images are named a little otherwise: found all the same, first at labels.txt:1 {names[0]!r}, which is"
    )
    assert told in capsys.readouterr().err


def test_blanks_around_a_name_lead_nowhere_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    crops(tmp_path, ["secret.png", "crops/1.png"])
    paths = (f" {tmp_path}/secret.png", " ../secret.png", f"{tmp_path}/secret", "../secret ")
    (tmp_path / "labels.txt").write_text("".join(f"{path}\ttext\n" for path in paths))
    (tmp_path / "in").mkdir()
    (tmp_path / "labels.txt").rename(tmp_path / "in/labels.txt")
    assert convert(tmp_path / "crops", tmp_path / "in/labels.txt", tmp_path / "out") == 1
    assert "error: 4 of 4 samples are bad" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "labels", "fate"),
    [((), ["a b", "ข ค", "ร้าน"], "taken away"), (("--as-written",), ["  ร้าน", "a b ", "ข ค"], "left as written")],
)
def test_spaces_at_the_ends_of_texts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], labels: list[str], fate: str
) -> None:
    rows = [f"{name}\t{word}" for name, word in zip(NAMES, ("  ร้าน", "a b ", "ข ค"), strict=True)]
    assert converted(tmp_path, "labels.txt", rows, *flags) == labels
    told = f"note: 2 labels have spaces at an end: {fate}, first at labels.txt:1, labels.txt:2\n"
    assert told in capsys.readouterr().err


def test_hidden_files_beside_the_one_file(tmp_path: Path) -> None:
    assert len(converted(tmp_path, "labels.txt", [*ROWS])) == 3
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels.txt").rename(tmp_path / "labels/labels.txt")
    for name in (".DS_Store", "~$labels.xlsx", "desktop.ini"):
        (tmp_path / "labels" / name).write_bytes(b"\0\xff")
    assert convert(tmp_path / "my crops", tmp_path / "labels", tmp_path / "again") == 0


@pytest.mark.parametrize("name", ["labels.xlsx", "labels.xls", "labels.csv"])
def test_a_workbook_is_refused_as_one(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    crops(tmp_path / "crops", ["1.png"])
    start = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" if name.endswith(".xls") else b"PK\x03\x04\x14\x00\x06\x00"
    (tmp_path / name).write_bytes(start + bytes(range(256)) * 4)
    assert convert(tmp_path / "crops", tmp_path / name, tmp_path / "out", "--encoding", "cp874") == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {tmp_path / name} is a workbook of Excel")
    assert error.endswith("no text: save it in Excel as 'CSV UTF-8'\n")
