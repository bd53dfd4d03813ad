"""The normal form of what converters read."""

from __future__ import annotations

from pathlib import Path

from data_preparation.regions import PageSource, Region
from data_preparation.spelling import spelled


def test_regions_of_pages_are_put_into_the_normal_form() -> None:
    corners = ((0.0, 0.0), (9.0, 0.0), (9.0, 9.0), (0.0, 9.0))
    texts = ("น\u0e33\u0e49", "plain")
    regions = tuple(Region(f"a.txt:{n}", Path("p.png"), corners, text, str(n)) for n, text in enumerate(texts, start=1))
    source = PageSource("ppocrlabel", "why", regions, (), ("noted",))

    normal = spelled(source, normal=True)
    assert isinstance(normal, PageSource)
    assert [region.text for region in normal.regions] == ["น้ำ", "plain"]
    assert normal.notes[0] == "noted"
    assert normal.notes[1].endswith("put into the normal form, first at a.txt:1")

    kept = spelled(source, normal=False)
    assert isinstance(kept, PageSource)
    assert kept.regions == regions
    assert kept.notes[1].endswith("left as written, first at a.txt:1")
