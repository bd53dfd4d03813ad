"""The dataset format: label lines, dictionary, paths, content hash."""

from __future__ import annotations

from pathlib import Path

import pytest

from contract.dataset import (
    build_dictionary,
    content_hash,
    format_line,
    path_problem,
    read_dictionary,
    read_labels,
)
from contract.errors import UserError


def test_label_lines_keep_spaces_and_everything_after_the_tab(tmp_path: Path):
    path = tmp_path / "train.txt"
    path.write_text("images/a.png\t two words \nimages/b.png\tน้ำ\n", encoding="utf-8")
    labels = read_labels(path)
    assert [(sample.image, sample.label, sample.line) for sample in labels.samples] == [
        ("images/a.png", " two words ", 1),
        ("images/b.png", "น้ำ", 2),
    ]
    assert not labels.problems


def test_bom_and_crlf_are_accepted_and_said(tmp_path: Path):
    path = tmp_path / "train.txt"
    path.write_bytes(b"\xef\xbb\xbfa.png\tone\r\nb.png\ttwo\r\n")
    labels = read_labels(path)
    assert [(sample.image, sample.label) for sample in labels.samples] == [("a.png", "one"), ("b.png", "two")]
    assert len(labels.notes) == 2


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("a.png label", "has no tab"),
        ("", "is blank"),
        ("a.png\t", "is blank"),
        ("a.png\t  ", "is blank"),
        ("a.png\tone\ttwo", "holds a tab"),
        ("\tone", "image path is blank"),
        ("/etc/passwd\tone", "absolute"),
        ("C:\\x.png\tone", "absolute"),
        ("..\\x.png\tone", "leaves"),
        ("images/../../x.png\tone", "leaves"),
        ("http://169.254.169.254/x\tone", "an address"),
        ("a\0.png\tone", "NUL"),
    ],
)
def test_each_wrong_line_is_a_problem_with_its_place(tmp_path: Path, line: str, sentence: str):
    path = tmp_path / "train.txt"
    path.write_text(f"ok.png\tfine\n{line}\nalso.png\tfine\n")
    labels = read_labels(path)
    assert len(labels.samples) == 2
    assert [problem.where for problem in labels.problems] == ["train.txt:2"]
    assert sentence in labels.problems[0].message


def test_utf16_and_latin1_are_refused_with_the_line(tmp_path: Path):
    path = tmp_path / "train.txt"
    path.write_text("a.png\tone\n", encoding="utf-16")
    with pytest.raises(UserError, match=r"train.txt:1: the file is UTF-16"):
        read_labels(path)
    path.write_bytes(b"a.png\tone\nb.png\tcaf\xe9\n")
    with pytest.raises(UserError, match=r"train.txt:2: the file is not UTF-8"):
        read_labels(path)


def test_dead_tokens_are_left_out_of_the_dictionary_and_noted(tmp_path: Path):
    path = tmp_path / "dict.txt"
    path.write_text("a\n\n \nฤา\na\n\u3000\nb\n", encoding="utf-8")
    dictionary = read_dictionary(path)
    assert dictionary.characters == ("a", "\u3000", "b")
    assert len(dictionary.notes) == 4


def test_a_built_dictionary_reads_back(tmp_path: Path):
    dictionary = build_dictionary(["น้ำ 12", "ab"])
    assert " " not in dictionary.characters
    (tmp_path / "dict.txt").write_text(dictionary.text(), encoding="utf-8")
    assert read_dictionary(tmp_path / "dict.txt").characters == dictionary.characters


def test_the_content_hash_does_not_depend_on_the_order():
    entries = [("train", "a", "x", "1"), ("val", "b", "y", "2")]
    assert content_hash(entries) == content_hash(reversed(entries))
    assert content_hash(entries) != content_hash([("train", "a", "z", "1"), ("val", "b", "y", "2")])


def test_format_line_refuses_what_the_format_cannot_hold():
    assert format_line("a.png", "x") == "a.png\tx\n"
    for label in ("a\tb", "a\nb", " "):
        with pytest.raises(ValueError, match="one line"):
            format_line("a.png", label)


def test_ordinary_paths_are_fine():
    assert all(path_problem(path) is None for path in ("a.png", "images/a..b.png", "ภาพ/1.png", "images\\a.png"))
