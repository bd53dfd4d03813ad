"""XML from outside costs little and opens nothing, whatever is in it."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from data_preparation.sources import safe_xml
from data_preparation.sources.safe_xml import RefusedXml, pages_of, root_of
from tests.data_preparation.annotations import abbyy_page, abbyy_xml, page_xml
from tests.data_preparation.pages import box, draw_page
from tests.data_preparation.test_convert_data import samples
from tests.data_preparation.test_convert_pages import convert, rejected

LAUGHS = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
BAD = {
    "billion laughs": (f'<!DOCTYPE a [<!ENTITY e0 "ha">{LAUGHS}]>', "", "declares a document type"),
    "external entity": ('<!DOCTYPE a [<!ENTITY e9 SYSTEM "file:///etc/passwd">]>', "", "declares a document type"),
    "external DTD": ('<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd">', "", "declares a document type"),
    "unknown entity": ("", "&e9;", "is not sound XML (line 2: undefined entity)"),
    "cut short": ("", "<TextLine", "is not sound XML (line 2: unclosed token)"),
    "not XML": ("hello", "", "is not sound XML (line 1: syntax error)"),
    "deep": ("", "<a>" * 200, "is nested more than 100 elements deep"),
    "NUL": ("", "\0", "is not sound XML (line 2: not well-formed (invalid token))"),
    "unknown encoding": ('<?xml version="1.0" encoding="klingon"?>', "", "is in an encoding that is not read"),
    "bytes as text": ('<?xml version="1.0" encoding="base64"?>', "", "is in an encoding that is not read"),
    "wide encoding": ('<?xml version="1.0" encoding="shift_jis"?>', "", "is in an encoding that is not read"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_xml_is_refused_in_words(tmp_path: Path, case: str) -> None:
    start, inside, words = BAD[case]
    path = tmp_path / "bad.xml"
    path.write_text(
        f"{start}\n<PcGts><Page>{inside}&e9;" if case == "billion laughs" else f"{start}\n<PcGts><Page>{inside}"
    )
    with pytest.raises(RefusedXml) as refused:
        list(pages_of(path, "Page"))
    assert words in str(refused.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1", "tis-620"])
def test_encodings_that_say_their_name(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "page.xml"
    text = "ก" if encoding == "tis-620" else "é"
    name = encoding.removesuffix("-sig")
    path.write_text(
        f'<?xml version="1.0" encoding="{name}"?><a:Page xmlns:a="urn:x" a:b="c">{text}</a:Page>', encoding=encoding
    )
    assert root_of(path) == ("urn:x", "Page")
    (page,) = pages_of(path, "Page")
    assert (page.tag, page.text, page.attrib) == ("Page", text, {"b": "c"})


def test_a_byte_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "page.xml"
    path.write_bytes(b"<Page>caf\xe9</Page>")
    with pytest.raises(RefusedXml, match="not well-formed"):
        list(pages_of(path, "Page"))


def test_pages_are_given_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "book.xml"
    path.write_text("<document>" + "<page><line>x</line></page>" * 20_000 + "</document>")
    tracemalloc.start()
    count = sum(1 for _ in pages_of(path, "page"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 20_000
    assert peak < 10 * path.stat().st_size


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ("MAX_BYTES", "bytes, over the limit of 1,000"),
        ("MAX_PAGE_BYTES", "has a page of more than 1,000 bytes"),
        ("MAX_PAGE_ELEMENTS", "has a page with more than 1,000 elements"),
    ],
)
def test_what_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, words: str) -> None:
    monkeypatch.setattr(safe_xml, limit, 1_000)
    monkeypatch.setattr(safe_xml, "_CHUNK", 100)
    path = tmp_path / "page.xml"
    path.write_text("<Page>" + "<a/>" * 1_000 + "</Page>")
    with pytest.raises(RefusedXml, match=words):
        list(pages_of(path, "Page"))


@pytest.mark.parametrize("start", ["<Page a='", "<Page><!--", "<Page><?a ", "<"])
def test_a_tag_or_comment_without_end_is_given_up(tmp_path: Path, start: str) -> None:
    path = tmp_path / "page.xml"
    path.write_text(start + "x" * 3_000_000)
    with pytest.raises(RefusedXml, match="has a tag or comment of more than 1,000,000 bytes"):
        list(pages_of(path, "Page"))


def test_a_long_outline_and_a_long_text_are_none(tmp_path: Path) -> None:
    path = tmp_path / "page.xml"
    path.write_text(f"<Page a='{'x' * 900_000}'>{'y' * 3_000_000}<!--{'x' * 900_000}--></Page>")
    (page,) = pages_of(path, "Page")
    assert len(page.text or "") == 3_000_000


@pytest.mark.parametrize("format", ["page-xml", "abbyy-xml"])
def test_a_bad_file_is_one_row_and_the_others_are_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], format: str
) -> None:
    draw_page(tmp_path / "in/1.png")
    texts = [("one", box(20, 30)), ("two", box(20, 90))]
    xml = page_xml("1.png", texts) if format == "page-xml" else abbyy_xml(abbyy_page(texts))
    (tmp_path / "in/1.xml").write_text(xml, encoding="utf-8")
    (tmp_path / "in/2.xml").write_text(xml[:-20], encoding="utf-8")
    (tmp_path / "in/3.xml").write_text(xml[:-60] + "\0" + xml[-60:], encoding="utf-8")
    (tmp_path / "in/mets.xml").write_text("<mets/>")
    (tmp_path / "in/text.xml").write_text("hello")
    out = tmp_path / "out"
    assert convert(tmp_path / "in", tmp_path / "in", out, "--workers", "1") == 0
    said = capsys.readouterr().err
    assert f"format: {format} (3 " in said
    assert "note: 2 XML files of another kind: left alone, first mets.xml" in said
    assert sorted((samples(out, "train") | samples(out, "val")).values()) == ["one", "two"]
    assert [row[:2] for row in rejected(out)] == [("2.xml", ""), ("3.xml", "")]
    assert all("the file is not sound XML" in reason for _, _, reason in rejected(out))


def test_a_document_type_of_page_xml_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    xml = page_xml("1.png", [("one", box(20, 30))]).replace("?>", f"?><!DOCTYPE PcGts [<!ENTITY e0 'ha'>{LAUGHS}]>")
    (tmp_path / "1.xml").write_text(xml.replace("one", "&e9;"), encoding="utf-8")
    assert convert(tmp_path, tmp_path / "1.xml", tmp_path / "out") == 1
    assert "1.xml: the file declares a document type, which is not read" in capsys.readouterr().err
