"""The kit of pages: what is put in is escaped, and what shows nothing is marked."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from data_preparation.page.charts import Bin, Limit, Rate, histogram, rates, share
from data_preparation.page.curves import Line, Mark, curves
from data_preparation.page.document import Section, document
from data_preparation.page.markup import Markup, element, join
from data_preparation.page.pictures import Album
from data_preparation.page.tables import Column, table
from data_preparation.page.visible import glyph, visible
from tests.data_preparation.folders import huge_png, png


def words(markup: str) -> str:
    return re.sub(r"<[^>]*>", "", markup)


def test_only_markup_is_not_escaped() -> None:
    assert (
        element("p", "<b>", Markup("<b>"), 1200, None, title='"<&')
        == '<p title="&quot;&lt;&amp;">&lt;b&gt;<b>1,200</p>'
    )
    assert element("input", hidden=True, disabled=False, aria_label=None) == "<input hidden>"
    assert join("&", element("br")) == "&amp;<br>"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text", "plain text"),
        ("น้ำ ที่ 漢字", "น้ำ ที่ 漢字"),
        (" two  spaces ", "␣two␣␣spaces␣"),
        ("\u202eevil\u202c", "U+202EevilU+202C"),
        ("a\u200bb\u00a0c\u00ad", "aU+200BbU+00A0cU+00AD"),
        ("\x07\x1b[31m\x00", "U+0007U+001B[31mU+0000"),
        ("\ud800\ue000\ufe0f\u3164", "U+D800U+E000U+FE0FU+3164"),
        ("x" * 50, "x" * 20 + "… 30 more"),
    ],
)
def test_nothing_invisible_stays_so(text: str, shown: str) -> None:
    markup = visible(text, 20)
    assert words(markup) == shown
    assert markup.startswith("<bdi")
    markup.encode()


def test_a_mark_stands_on_a_circle() -> None:
    assert words(glyph("\u0e48")) == "◌\u0e48"
    assert words(glyph("ก")) == "ก"
    assert words(glyph("\u200b")) == "U+200B"


def test_a_table_is_complete_without_a_script() -> None:
    made = table(
        "Fruit", [Column("Name"), Column("Count", number=True)], [("<apple>", 1200)], sortable=True, search="Find"
    )
    assert '<th scope="col">Name</th><th scope="col" class="number">Count</th>' in made
    assert '<th scope="row">&lt;apple&gt;</th><td class="number">1,200</td>' in made


def test_a_chart_says_what_it_shows() -> None:
    made = histogram("Sizes", "px", ("a", "b"), [Bin("1", (3, 1)), Bin("2", (0, 0))], [Limit(1.5, "at most 2")])
    assert 'aria-label="Sizes: 2 columns, most at 1 px (4); at most 2"' in made
    assert "<title>1 px: a 3, b 1</title>" in made
    assert histogram("None", "px", ("a",), [])


def test_rates_show_share_and_counts() -> None:
    made = rates("By length", "Length", "Right", [Rate("<1>", 1, 3, "50 %"), Rate("none", 0, 0)], "CER")
    assert '<th scope="row">&lt;1&gt;</th>' in made
    assert '<td class="number">33.3 %</td><td class="number quiet">1 of 3</td><td class="number">50 %</td>' in made
    assert '<th scope="col" class="number">CER</th>' in made


def rising(count: int) -> Line:
    return Line("Rising", [(float(x), x / count) for x in range(count)])


def test_curves_say_what_they_show() -> None:
    made = curves(
        "Scores",
        "step",
        [Line("Good", [(0, 0.0), (50, 0.5), (100, 0.9)]), Line("Bad", [(50, 1.5)])],
        Mark("again", [40]),
        form=lambda value: f"{value:.1f}",
        top=1,
    )
    assert 'aria-label="Scores; Good 0.0 at step 0, 0.9 at step 100, lowest 0.0, highest 0.9; Bad 1.5' in made
    assert "<title>again at step 40</title>" in made
    assert 'd="M0.0,180.0L500.0,120.0L1000.0,72.0"' in made, "1.5 is the top"
    assert '<th scope="row" class="number">50</th><td class="number">0.5</td><td class="number">1.5</td>' in made
    assert re.findall(r'class="tick"[^>]*>([^<]*)<', made) == ["0", "25", "50", "75", "100"]


def test_curves_have_gaps_where_a_value_is_no_number() -> None:
    points = [(1.0, 9.0), (2.0, math.nan), (3.0, 0.1), (4.0, 0.0), (5.0, math.inf), (6.0, 1.0)]
    made = curves("Loss", "step", [Line("Loss", points)], form=str, is_log=True)
    _legend, path = re.findall(r'class="line-1" d="([^"]*)"', made)
    assert path.count("M") == path.count("h0") == 3
    for empty in ([], [(1.0, math.nan)], [(0.0, 0.0)], [(7.0, 7.0)]):
        assert "<svg" in curves("Loss", "step", [Line("Loss", empty)], form=str, is_log=True)
        assert "<svg" in curves("Loss", "step", [Line("Loss", empty)], form=str)


def test_a_long_curve_stays_small_and_keeps_its_peak() -> None:
    line = rising(100_000)
    line = Line(line.name, [(x, 7.0 if x == 4321 else y) for x, y in line.points])
    made = curves("Long", "step", [line], form=str)
    assert len(made) < 40_000
    assert ",0.0L" in made
    assert "The figures, 101 of 100,000" in made


def test_shares_hide_nothing() -> None:
    assert [share(0, 10), share(1, 100_000), share(99_999, 100_000), share(1, 3)] == [
        "0 %",
        "< 0.1 %",
        "> 99.9 %",
        "33.3 %",
    ]
    assert share(0, 0) == "0 %"


def test_pictures_are_copies_within_a_budget() -> None:
    album = Album(6_000)
    first = album.picture(png(), "one")
    assert 'src="data:image/webp;base64,' in first
    assert 'alt="one" width="96" height="32"' in first
    noise = np.random.default_rng(1).integers(0, 255, 3 * 1900 * 600, np.uint8)
    import cv2

    large = cv2.imencode(".png", noise.reshape(600, 1900, 3))[1].tobytes()
    assert "left out" in album.picture(large, "much")
    assert album.left_out == 1
    for data in (None, b"", b"no image", png()[:-20], huge_png()):
        assert "no picture" in album.picture(data, "bad")
    assert "<img" in album.picture(png(1200, 3), "wide", broad=True)


def test_the_policy_names_what_is_in_the_page() -> None:
    """The hashes are of the text between the tags: a browser runs nothing else."""
    import base64
    import hashlib

    page = document("A <b>title</b>", None, [Section("one", "One", element("p", "text"))], "end")
    assert "<title>A &lt;b&gt;title&lt;/b&gt;</title>" in page
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy
    assert policy[1].startswith("default-src &#x27;none&#x27;; img-src data:; ")
    for tag in ("style", "script"):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src &#x27;sha256-{digest}&#x27;" in policy[1]
    assert not re.search(r"(?:src|href)=\"(?!#|data:)", page)
