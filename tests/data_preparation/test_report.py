"""The data report: what it says, and how it behaves in a real browser."""

from __future__ import annotations

import errno
import re
from pathlib import Path

import pytest

from container.tree import locate_tree
from data_preparation.page.place import PageNotWritten, write_page
from data_preparation.scripts.pack_dataset import main as main_of_pack
from data_preparation.scripts.report_data import main
from tests.chromium import Chromium
from tests.data_preparation.folders import dataset, huge_png, png

RECIPE = "rec/rec_mv3_none_bilstm_ctc.yml"
HOSTILE = {
    "script": "<script>document.title='owned'</script>",
    "image": "<img src=http://127.0.0.1:9/x onerror=alert(1)>",
    "quotes": "\"'><b>&amp;",
    "override": "\u202eevil\u202c",
    "invisible": "a\u200bb\u00a0c",
    "control": "\x07\x1b[31m",
    "marks": "e" + "\u0301" * 60,
    "arabic": "العربية",
    "thai": "น้ำ ที่",
    "long": "long " * 3000,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reports")


@pytest.fixture(scope="module")
def sound(folder: Path) -> Path:
    """The page of a dataset that trains."""
    train = {f"{number}.png": f"{number:03}" for number in range(60)}
    made = dataset(folder / "sound", train, {"v.png": "012", "w.png": "345"})
    tree = str(locate_tree(print))
    assert main([str(made), "--config", RECIPE, "--tree", tree, "--output", str(folder / "sound.html")]) == 0
    return folder / "sound.html"


@pytest.fixture(scope="module")
def hostile(folder: Path) -> Path:
    """The page of a dataset with everything wrong, below a folder whose name is an attack, too."""
    train = {f"{name}.png": label for name, label in HOSTILE.items()} | {f"{n}.png": "word" for n in range(5)}
    made = dataset(folder / "<img src=x> \u202e&", train, {"v.png": "ๆ only in val"})
    (made / "images/0.png").write_bytes(png()[:-40])
    (made / "images/1.png").write_bytes(huge_png())
    (made / "images/2.png").write_bytes((made / "images/3.png").read_bytes())
    (made / "images/4.png").write_bytes(png(3000, 8))
    with (made / "train.txt").open("a", encoding="utf-8") as file:
        file.write("images/3.png\tanother word\nno tab\n../secret.png\tx\nimages/<b>.png\tmissing\n")
    (made / "dict.txt").write_text("w\no\nr\nd\n", encoding="utf-8")
    assert main([str(made), "--config", RECIPE, "--output", str(folder / "hostile.html")]) == 1
    return folder / "hostile.html"


def section(page: Path, ident: str) -> str:
    """The text of one section."""
    found = re.search(rf'<section id="{ident}".*?</section>', page.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    return re.sub(r"<[^>]*>", "", found.group())


def test_a_sound_dataset(sound: Path) -> None:
    assert "Fit to train with rec/rec_mv3" in sound.read_text(encoding="utf-8")
    assert "Nothing: every label and every image can be trained." in section(sound, "problems")
    assert "The labels hold 10 characters." in section(sound, "characters")
    assert "--config rec/PP-OCRv5/en_PP-OCRv5_mobile_rec.yml" in section(sound, "recipe")
    assert "they know 100.0% of the characters" in section(sound, "recipe")


def test_what_is_wrong_is_said(hostile: Path) -> None:
    page = hostile.read_text(encoding="utf-8")
    assert "Not fit to train" in page
    assert "--fix cleaned" in page
    body = page.partition("</title>")[2]
    assert not [each for each in "\u202e\u202c\u200b\u00ad\x07\x1b" if each in body]
    assert hostile.stat().st_size < 3_000_000
    problems = section(hostile, "problems")
    for words in (
        "is cut short",
        "claims 30000 x 30000 pixels",
        "leaves the dataset folder",
        "no tab",
        "does not exist",
    ):
        assert words in problems
    odd = section(hostile, "warnings")
    for words in ("is squeezed 120.0 times", "U+202E RIGHT-TO-LEFT OVERRIDE", "contradiction: 1 warning"):
        assert words in odd
    assert "different labels" in section(hostile, "duplicates")
    assert "another word" in section(hostile, "duplicates")
    assert "U+0E46 thai character maiyamok" in section(hostile, "splits")
    assert "375.0 times as wide as high" in section(hostile, "outliers")


def test_in_a_browser_nothing_of_a_dataset_runs_or_is_fetched(browser: Chromium, hostile: Path) -> None:
    browser.show(hostile)
    assert browser.complaints() == []
    assert browser.requests()[0] == hostile.as_uri()
    assert all(url.startswith("data:image/webp;") for url in browser.requests()[1:])
    assert browser.ask("document.title") == "Data report: <img src=x> \u202e&"
    assert browser.ask("document.querySelectorAll('script').length") == 1
    assert browser.ask("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    text = browser.ask("document.querySelector('main').innerText")
    assert HOSTILE["script"][:50] in text
    assert "U+202E" in text
    assert "\u202e" not in text


def test_a_narrow_screen_does_not_scroll_sideways(browser: Chromium, hostile: Path) -> None:
    for width in (360, 1280):
        browser.show(hostile, width=width)
        assert browser.ask("document.documentElement.scrollWidth") == width
        assert browser.beyond() == []


def test_everything_is_reached_by_keyboard(browser: Chromium, sound: Path) -> None:
    browser.show(sound)
    browser.press("Tab")
    assert browser.ask("document.activeElement.textContent") == "Skip to the content"
    assert browser.ask("document.activeElement.getBoundingClientRect().left >= 0")
    browser.press("Enter")
    assert browser.ask("document.activeElement.id") == "content"

    seen = []
    while not (seen and seen[-1] == "Train"):
        browser.press("Tab")
        seen.append(browser.ask("document.activeElement.textContent || document.activeElement.type"))
        assert browser.ask("getComputedStyle(document.activeElement).outlineStyle") != "none", seen
        assert len(seen) < 60
    assert {"search", "rare", "Character"} <= set(seen)
    first = "document.querySelector('#characters tbody tr').cells[0].textContent"
    assert browser.ask(first) == "0"
    heading = "document.activeElement.closest('th').getAttribute('aria-sort')"
    browser.press("Enter")
    assert browser.ask(heading) == "descending"
    browser.press("Space")
    assert browser.ask(heading) == "ascending"
    assert browser.ask(first) == "6"


def test_characters_are_searched(browser: Chromium, hostile: Path) -> None:
    browser.show(hostile)
    browser.ask("document.querySelector('#characters input').focus()")
    browser.write("u+0e46")
    rows = "[...document.querySelectorAll('#characters tbody tr')].filter(row => !row.hidden).map(row => row.innerText)"
    (row,) = browser.ask(rows)
    assert "maiyamok" in row
    assert "not in training" in row
    assert browser.ask("document.querySelector('#characters output').textContent").startswith("1 of ")


@pytest.mark.parametrize(("dark", "width"), [(False, 1280), (True, 360)])
def test_axe_finds_nothing(browser: Chromium, hostile: Path, dark: bool, width: int) -> None:
    browser.show(hostile, dark=dark, width=width)
    faults = browser.faults()
    assert not faults, "\n".join(faults)


def test_colours_change(browser: Chromium, sound: Path) -> None:
    grounds = []
    for dark in (False, True):
        browser.show(sound, dark=dark)
        grounds.append(browser.ask("getComputedStyle(document.documentElement).backgroundColor"))
    browser.ask("document.getElementById('theme').click()")
    assert browser.ask("getComputedStyle(document.documentElement).backgroundColor") == grounds[0] != grounds[1]
    assert browser.ask("document.getElementById('theme').textContent") == "Dark"


def test_a_screen_reader_is_told_what_each_part_is(browser: Chromium, hostile: Path) -> None:
    browser.show(hostile)
    assert browser.nameless() == []
    roles = {node["role"] for node in browser.tree()}
    assert {"main", "navigation", "table", "rowheader", "columnheader", "searchbox", "image"} <= roles


def test_without_a_script_the_page_is_complete(browser: Chromium, hostile: Path) -> None:
    browser.show(hostile, script=False)
    buttons = "[...document.querySelectorAll('button, input')].filter(each => each.checkVisibility()).length"
    assert browser.ask(buttons) == 0
    assert browser.ask("document.querySelectorAll('#characters tbody tr').length") > 30


def test_a_dataset_without_anything_still_has_its_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCR_CACHE", str(tmp_path))  # and a machine without PaddleOCR's dictionaries
    monkeypatch.delenv("PADDLEOCR_HOME", raising=False)
    (tmp_path / "empty").mkdir()
    page = tmp_path / "page.html"
    assert main([str(tmp_path / "empty"), "--output", str(page)]) == 1
    assert "train.txt" in section(page, "problems")
    assert "No image of this dataset could be read" in section(page, "images")
    assert "No recommendation: the official dictionaries are in a PaddleOCR tree" in section(page, "recipe")


def test_a_packed_dataset_has_the_same_page(sound: Path, tmp_path: Path) -> None:
    packed = tmp_path / "sound"
    assert main_of_pack([str(sound.parent / "sound"), "--output-dir", str(packed)]) == 0
    page = tmp_path / "page.html"
    assert main([str(packed), "--config", RECIPE, "--tree", str(locate_tree(print)), "--output", str(page)]) == 0
    assert page.read_text(encoding="utf-8") == sound.read_text(encoding="utf-8")


def test_shards_that_do_not_fit_still_have_their_page(sound: Path, tmp_path: Path) -> None:
    packed = tmp_path / "packed"
    assert main_of_pack([str(sound.parent / "sound"), "--output-dir", str(packed)]) == 0
    (packed / "shards/00000.bin").write_bytes(b"short")
    assert main([str(packed), "--output", str(tmp_path / "page.html")]) == 1
    assert "shards/00000.bin" in section(tmp_path / "page.html", "problems")


def test_it_is_opened_when_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    made = dataset(tmp_path / "data", {"1.png": "abc"})
    assert main([str(made), "--output", str(tmp_path / "a page.html"), "--open"]) == 0
    assert opened == [(tmp_path / "a page.html").as_uri()]


def test_a_disk_that_takes_nothing_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "write_bytes", refused)
    monkeypatch.setattr(Path, "unlink", refused)
    with pytest.raises(PageNotWritten, match=r"page\.html cannot be written \(Read-only file system\)"):
        write_page(tmp_path / "page.html", "<!DOCTYPE html>")


def test_only_pages_are_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = dataset(tmp_path / "data", {"1.png": "abc"})
    labels = (made / "train.txt").read_bytes()
    for output, words in (
        (made / "train.txt", "exists and is no page: name another file"),
        (made, "is a folder: name a file in it"),
        (tmp_path / "none" / "page.html", "cannot be written (No such file or directory)"),
    ):
        assert main([str(made), "--output", str(output)]) == 1
        assert words in capsys.readouterr().err
    assert (made / "train.txt").read_bytes() == labels
    page = tmp_path / "page.html"
    assert main([str(made), "--output", str(page)]) == main([str(made), "--output", str(page)]) == 0
    assert capsys.readouterr().out == f"{page}\n{page}\n"
    assert sorted(tmp_path.iterdir()) == [made, page]
