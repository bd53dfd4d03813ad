"""PAGE XML of every version becomes crops."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.data_preparation.annotations import PAGE_VERSIONS, Points, coords, page_of, page_xml, text_line
from tests.data_preparation.pages import box, draw_page
from tests.data_preparation.test_convert_data import samples
from tests.data_preparation.test_convert_pages import convert, rejected

TEXTS = [("ร้าน 7", box(20, 30)), ("a < b & c", box(120.0, 60.0)), ("total", box(20, 150))]


def cut(folder: Path, *flags: str) -> Path:
    """Convert what lies in a folder, page images beside their annotations."""
    out = folder.parent / "out"
    assert convert(folder, folder, out, "--image-format", "png", "--workers", "1", *flags) == 0
    return out


def crop(out: Path, name: str) -> np.ndarray:
    return cv2.imread(str(out / f"images/{name}"))


@pytest.mark.parametrize("version", PAGE_VERSIONS)
def test_every_version_gives_its_lines_back(tmp_path: Path, capsys: pytest.CaptureFixture[str], version: str) -> None:
    pixels = draw_page(tmp_path / "in/1.png")
    (tmp_path / "in/1.xml").write_text(page_xml("1.png", TEXTS, version), encoding="utf-8")
    out = cut(tmp_path / "in")
    assert "format: page-xml (1 PAGE file, first 1.xml; each TextLine is a region)" in capsys.readouterr().err
    found = samples(out, "train") | samples(out, "val")
    assert found == {f"images/1.png/l{number}.png": text for number, (text, _) in enumerate(TEXTS, 1)}
    assert (crop(out, "1.png/l2.png") == pixels[60:84, 120:200]).all()
    assert rejected(out) == []


@pytest.mark.parametrize("first", range(4))
@pytest.mark.parametrize("step", [1, -1])
def test_an_outline_may_start_at_any_corner_and_run_either_way(tmp_path: Path, first: int, step: int) -> None:
    pixels = draw_page(tmp_path / "in/1.png")
    points = [box(20, 30)[(first + step * place) % 4] for place in range(4)]
    (tmp_path / "in/1.xml").write_text(page_xml("1.png", [("one", points), ("two", box(20, 90))]), encoding="utf-8")
    assert (crop(cut(tmp_path / "in"), "1.png/l1.png") == pixels[30:54, 20:100]).all()


def test_an_outline_of_many_points_is_cut_out_by_its_rectangle(tmp_path: Path) -> None:
    pixels = draw_page(tmp_path / "in/1.png")
    points: Points = [[20, 54], [20, 30], [60, 33], [100, 30], [100, 54], [50, 52]]
    (tmp_path / "in/1.xml").write_text(page_xml("1.png", [("one", points), ("two", box(20, 90))]), encoding="utf-8")
    assert (crop(cut(tmp_path / "in"), "1.png/l1.png") == pixels[30:54, 20:100]).all()


@pytest.mark.parametrize(
    ("angles", "turn"),
    [
        ('orientation="90"', cv2.ROTATE_90_CLOCKWISE),
        ('orientation="-88.5" readingOrientation="-1"', cv2.ROTATE_90_COUNTERCLOCKWISE),
        ('readingOrientation="180"', cv2.ROTATE_180),
        ('orientation="0.4"', None),
        ('orientation="nan"', None),
    ],
)
@pytest.mark.parametrize("corners", [4, 5])
def test_turned_text_is_cut_out_upright(tmp_path: Path, angles: str, turn: int | None, corners: int) -> None:
    pixels = draw_page(tmp_path / "in/1.png")
    upright = turn in (None, cv2.ROTATE_180)
    points = box(20, 30) if upright else box(20, 30, 24, 80)
    # The transform starts at a corner, and the pixel of a right or lower corner is the first one outside.
    x, y = {cv2.ROTATE_180: (21, 31), cv2.ROTATE_90_CLOCKWISE: (20, 31), cv2.ROTATE_90_COUNTERCLOCKWISE: (21, 30)}.get(
        -1 if turn is None else turn, (20, 30)
    )
    points += [points[0]] * (corners - 4)  # an outline that repeats its first point
    lines = text_line("l1", "one", points) + text_line("l2", "two", box(200, 90))
    region = f'<TextRegion id="r1" {angles}>{coords(points)}{lines}</TextRegion>'
    (tmp_path / "in/1.xml").write_text(page_of("1.png", region), encoding="utf-8")
    expected = pixels[y : y + 24, x : x + 80] if upright else pixels[y : y + 80, x : x + 24]
    found = crop(cut(tmp_path / "in", "--keep-tall"), "1.png/l1.png")
    assert (found == (expected if turn is None else cv2.rotate(expected, turn))).all()


def test_ids_that_name_no_file_are_replaced(tmp_path: Path) -> None:
    draw_page(tmp_path / "in/1.png")
    idents = ["l1", "l1", "", "../../l1", "/l1", "x" * 1_000_000, "ก"]
    lines = "".join(text_line(ident, "text", box(20, 20 + 28 * place)) for place, ident in enumerate(idents))
    (tmp_path / "in/1.xml").write_text(page_of("1.png", f"<TextRegion>{lines}</TextRegion>"), encoding="utf-8")
    out = cut(tmp_path / "in")
    names = [path.name for path in (out / "images/1.png").iterdir()]
    assert len(names) == len(idents)
    assert {"l1.png", *(f"line-000{place}.png" for place in range(2, 7))} < set(names)


def test_words_are_cut_out_when_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw_page(tmp_path / "in/1.png")
    words = [text_line(f"w{x}", f"word {x}", box(x, 30, 40), name="Word") for x in (20, 70, 120)]
    line = f'<TextLine id="l1">{coords(box(20, 30, 140))}{"".join(words)}</TextLine>'
    region = f'<TextRegion id="r1">{coords(box(20, 30))}{line}</TextRegion>'
    nested = f'<TableRegion id="t1">{coords(box(20, 30))}{region}</TableRegion>'
    (tmp_path / "in/1.xml").write_text(page_of("1.png", nested), encoding="utf-8")
    out = cut(tmp_path / "in", "--level", "word")
    assert sorted((samples(out, "train") | samples(out, "val")).values()) == ["word 120", "word 20", "word 70"]

    (tmp_path / "in/1.xml").write_text(page_xml("1.png", TEXTS), encoding="utf-8")
    assert convert(tmp_path / "in", tmp_path / "in", tmp_path / "none", "--level", "word") == 1
    assert "in holds no Word: try --level line" in capsys.readouterr().err


@pytest.mark.parametrize(
    "variants",
    [
        ('index="2"', 'index="0"'),
        ('conf="0.9"', 'index="1"'),
        ('index="x"', 'index="7"'),
        ('conf="0.4"', 'conf="0.8"'),
    ],
)
def test_the_main_text_is_the_one_of_the_lowest_index_then_of_the_highest_confidence(
    tmp_path: Path, variants: tuple[str, str]
) -> None:
    draw_page(tmp_path / "in/1.png")
    others, main = (
        f"<TextEquiv {each}>" + "<PlainText>p</PlainText><Unicode>{}</Unicode></TextEquiv>" for each in variants
    )
    texts = others.format("other") + main.format("main") + main.format("later")
    lines = f'<TextLine id="l1">{coords(box(20, 30))}{texts}</TextLine>{text_line("l2", "two", box(20, 90))}'
    (tmp_path / "in/1.xml").write_text(page_of("1.png", f"<TextRegion>{lines}</TextRegion>"), encoding="utf-8")
    out = cut(tmp_path / "in")
    assert (samples(out, "train") | samples(out, "val"))["images/1.png/l1.png"] == "main"


def test_folders_as_transkribus_exports_them(tmp_path: Path) -> None:
    for name in ("one", "two"):
        draw_page(tmp_path / f"in/{name}/0001.png", seed=len(name))
        (tmp_path / f"in/{name}/page").mkdir()
        xml = page_xml("0001.png", [(name, box(20, 30)), (name, box(20, 90))])
        (tmp_path / f"in/{name}/page/0001.xml").write_text(xml, encoding="utf-8")
        (tmp_path / f"in/{name}/mets.xml").write_text("<mets/>")
    out = cut(tmp_path / "in")
    found = samples(out, "train") | samples(out, "val")
    assert found == {f"images/{name}/0001.png/l{n}.png": name for name in ("one", "two") for n in (1, 2)}


def test_a_line_that_cannot_be_cut_is_a_row_with_its_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw_page(tmp_path / "in/1.png")
    reasons = {
        text_line("three", "x", box(20, 30)[:3]): "3 of at least 4 points",
        text_line("crossing", "x", [[20, 30], [100, 54], [100, 30], [20, 54]]): "sides cross",
        text_line("flat", "x", [[20, 30], [100, 30], [60, 30], [20, 30]]): "no area",
        text_line("outside", "x", box(900, 30)): "outside the page",
        text_line("blank", "  ", box(20, 30)): "blank",
        text_line("two-lines", "a\nb", box(20, 30)): "several lines",
        f'<TextLine id="untold">{coords(box(20, 30))}</TextLine>': "it has no text (TextEquiv)",
        '<TextLine id="nowhere"><TextEquiv><Unicode>x</Unicode></TextEquiv></TextLine>': "it has no Coords",
        '<TextLine id="words"><Coords points="left top"/></TextLine>': "its Coords are not points",
        '<TextLine id="endless"><Coords points="1e999,1 2,3 4,5 6,7"/></TextLine>': "its Coords are not points",
    }
    good = text_line("l1", "one", box(20, 90)) + text_line("l2", "two", box(20, 150))
    (tmp_path / "in/1.xml").write_text(page_of("1.png", good + "".join(reasons)), encoding="utf-8")
    out = cut(tmp_path / "in")
    assert f"{len(reasons) + 2} regions: 2 cut out, {len(reasons)} left out" in capsys.readouterr().err
    rows = rejected(out)
    assert len(rows) == len(reasons)
    for words in reasons.values():
        assert any(words in reason for _, _, reason in rows), words


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ("2.png", "the page '2.png' is not in in/"),
        ("../secret.png", "the page '../secret.png' is not in in/"),
        ("/etc/hostname", "the page '/etc/hostname' is not in in/"),
        ("https://example.org/1.png", "is an address, not a file"),
        ("", "names no file"),
        ("\u202e1.png", "is not in in/"),
        ("x" * 1_000_000, "is not in in/"),
        ("link.png", "is a link that leaves the folder"),
    ],
)
def test_pages_that_are_not_there(tmp_path: Path, image: str, words: str) -> None:
    draw_page(tmp_path / "secret.png")
    draw_page(tmp_path / "in/1.png")
    (tmp_path / "in/link.png").symlink_to(tmp_path / "secret.png")
    (tmp_path / "in/1.xml").write_text(page_xml("1.png", TEXTS), encoding="utf-8")
    (tmp_path / "in/2.xml").write_text(page_xml(image, TEXTS[:1]), encoding="utf-8")
    ((source, region, reason),) = rejected(cut(tmp_path / "in"))
    assert (source, region) == ("2.xml", "l1")
    assert words in reason


def test_a_page_of_another_size_is_refused(tmp_path: Path) -> None:
    draw_page(tmp_path / "in/1.png")
    draw_page(tmp_path / "in/2.png")
    (tmp_path / "in/1.xml").write_text(page_xml("1.png", TEXTS), encoding="utf-8")
    (tmp_path / "in/2.xml").write_text(page_xml("2.png", TEXTS[:1], size=(640, 480)), encoding="utf-8")
    ((_, _, reason),) = rejected(cut(tmp_path / "in"))
    assert "640 x 480 pixels, the file '2.png' has 320 x 240" in reason
