"""ABBYY XML of FineReader 6 to 10 becomes crops."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from tests.data_preparation.annotations import abbyy_page, abbyy_xml
from tests.data_preparation.pages import box, draw_page
from tests.data_preparation.test_convert_data import samples
from tests.data_preparation.test_convert_pages import convert, rejected
from tests.data_preparation.test_page_xml import crop, cut

TEXTS = [("ห้อง 7 ", box(20, 30)), ("a < b", box(120, 60)), ("Freu¬", box(20, 150))]


@pytest.mark.parametrize("version", ["6", "8", "9", "10"])
@pytest.mark.parametrize("name", ["1.xml", "1.abbyy.xml", "1_abbyy.xml"])
def test_every_version_gives_its_lines_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], version: str, name: str
) -> None:
    pixels = draw_page(tmp_path / "in/1.png")
    (tmp_path / "in" / name).write_text(abbyy_xml(abbyy_page(TEXTS), version=version), encoding="utf-8")
    out = cut(tmp_path / "in")
    said = capsys.readouterr().err
    assert f"format: abbyy-xml (1 ABBYY file, first {name}; each line is a region)" in said
    assert "note: 1 text ends in ¬ (U+00AC), ABBYY's sign for a hyphen that splits a word" in said
    assert f"left as written, first at {name}:1#0003" in said
    found = samples(out, "train") | samples(out, "val")
    assert found == {
        "images/1.png/0001.png": "ห้อง 7",
        "images/1.png/0002.png": "a < b",
        "images/1.png/0003.png": "Freu¬",
    }
    assert (crop(out, "1.png/0002.png") == pixels[60:84, 120:200]).all()
    assert rejected(out) == []


def test_words_are_boxed_by_their_characters(tmp_path: Path) -> None:
    pixels = draw_page(tmp_path / "in/1.png")
    (tmp_path / "in/1.xml").write_text(abbyy_xml(abbyy_page([("ab  cdef", box(20, 30))])), encoding="utf-8")
    out = cut(tmp_path / "in", "--level", "word")
    found = samples(out, "train") | samples(out, "val")
    assert found == {"images/1.png/0001-01.png": "ab", "images/1.png/0001-02.png": "cdef"}
    assert (crop(out, "1.png/0001-02.png") == pixels[30:54, 60:100]).all()


def test_variants_of_recognition_are_no_text(tmp_path: Path) -> None:
    draw_page(tmp_path / "in/1.png")
    edges = 'l="20" t="30" r="100" b="54"'
    of_a_word = f"<wordRecVariant><variantText><charParams {edges}>Q</charParams></variantText></wordRecVariant>"
    of_a_character = "<charRecVariant>X</charRecVariant>\n<charRecVariant>Y</charRecVariant>"
    characters = (
        f"<wordRecVariants>{of_a_word}</wordRecVariants>"
        f"<charParams {edges}>\n<charRecVariants>{of_a_character}</charRecVariants>A\n</charParams>"
        f"<charParams {edges}>\t</charParams><charParams {edges}>B</charParams></formatting>"
        f"<formatting>\n<charParams {edges}>C</charParams>"
    )
    lines = [f"<line {edges}><formatting>{text}</formatting></line>" for text in (characters, "without characters")]
    page = abbyy_page([]).replace("</text>", "".join(lines) + "</text>")
    (tmp_path / "in/1.xml").write_text(abbyy_xml(page), encoding="utf-8")
    out = cut(tmp_path / "in")
    assert sorted((samples(out, "train") | samples(out, "val")).values()) == ["A BC", "without characters"]

    (tmp_path / "in/1.xml").write_text(abbyy_xml(page, abbyy_page(TEXTS)), encoding="utf-8")
    draw_page(tmp_path / "in/1-2.png")
    out = tmp_path / "words"
    assert convert(tmp_path / "in", tmp_path / "in", out, "--level", "word", "--workers", "1") == 0
    assert [row[1] for row in rejected(out)] == ["1#0002-01"]
    assert "it has no box (l, t, r, b)" in rejected(out)[0][2]


@pytest.mark.parametrize(
    ("orientation", "turn", "shift"),
    [
        ("RotatedClockwise", cv2.ROTATE_90_COUNTERCLOCKWISE, (1, 0)),
        ("RotatedCounterclockwise", cv2.ROTATE_90_CLOCKWISE, (0, 1)),
        ("RotatedUpsidedown", cv2.ROTATE_180, (1, 1)),
    ],
)
def test_blocks_of_turned_text_are_cut_out_upright(
    tmp_path: Path, orientation: str, turn: int, shift: tuple[int, int]
) -> None:
    pixels = draw_page(tmp_path / "in/1.png")
    xml = abbyy_xml(abbyy_page([("a", box(20, 30, 24, 80)), ("b", box(220, 30))], orientation=orientation))
    (tmp_path / "in/1.xml").write_text(xml, encoding="utf-8")
    x, y = 20 + shift[0], 30 + shift[1]  # the first pixel beyond a right or lower corner
    assert (
        crop(cut(tmp_path / "in", "--keep-tall"), "1.png/0001.png") == cv2.rotate(pixels[y : y + 80, x : x + 24], turn)
    ).all()


@pytest.mark.parametrize("name", ["doc-{}.png", "doc_000{}.JPG", "doc.{}.tif"])
def test_pages_of_a_document_have_their_numbers(tmp_path: Path, name: str) -> None:
    for number in (1, 2, 3):
        draw_page(tmp_path / "in" / name.format(number), seed=number)
    pages = [abbyy_page([(f"page {number}", box(20, 30))]) for number in (1, 2, 3, 4)]
    (tmp_path / "in/doc.xml").write_text(abbyy_xml(*pages), encoding="utf-8")
    out = cut(tmp_path / "in")
    found = samples(out, "train") | samples(out, "val")
    assert found == {f"images/{name.format(number)}/0001.png": f"page {number}" for number in (1, 2, 3)}
    assert rejected(out) == [("doc.xml", "4#0001", "there is no page doc-4.jpg (.png, …) in in/; add it")]


def test_barcodes_and_turned_pages_are_not_read(tmp_path: Path) -> None:
    draw_page(tmp_path / "in/1.png")
    draw_page(tmp_path / "in/2.png")
    draw_page(tmp_path / "in/3.png")
    pages = {
        "1": abbyy_page(TEXTS[:1], block="Barcode").replace("</page>", "") + abbyy_page(TEXTS[1:]).partition(">")[2],
        "2": abbyy_page(TEXTS[:1], 'rotation="RotatedUpsideDown"'),
        "3": abbyy_page(TEXTS[:1], 'rotation="RotatedUpsideDown" originalCoords="true"'),
    }
    for name, page in pages.items():
        (tmp_path / f"in/{name}.xml").write_text(abbyy_xml(page), encoding="utf-8")
    out = cut(tmp_path / "in")
    assert sorted((samples(out, "train") | samples(out, "val")).values()) == ["Freu¬", "a < b", "ห้อง 7"]
    ((source, region, reason),) = rejected(out)
    assert (source, region) == ("2.xml", "1#0001")
    assert "of the page after it was turned ('RotatedUpsideDown')" in reason


def test_a_document_without_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw_page(tmp_path / "in/1.png")
    (tmp_path / "in/1.xml").write_text(abbyy_xml(abbyy_page([])), encoding="utf-8")
    assert convert(tmp_path / "in", tmp_path / "in", tmp_path / "out") == 1
    assert (
        capsys.readouterr()
        .err.splitlines()[-1]
        .endswith("in holds no recognised text: export it after the recognition")
    )
