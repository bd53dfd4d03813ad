"""The check of pages can fail: each thing that is wrong in a page is named."""

from __future__ import annotations

from pathlib import Path

from tests.chromium import Chromium

PAGE = """<!DOCTYPE html><html><head><title>Page</title></head><body style="background: #fff"><main>
<h1>Page</h1> <h4>too deep</h4>
<p style="color: #999">too pale</p>
<svg width="99" height="20"><rect width="99" height="20" fill="#fff"/><text y="15" style="fill: #999">pale</text></svg>
<span style="color: #999">✕</span>
<img src="data:,"> <svg role="img"></svg> <a href="#x"></a> <input>
<p><button style="width: 9px; height: 9px; padding: 0">a</button><button style="width: 9px; padding: 0">b</button></p>
</main></body></html>"""


def test_every_fault_is_named(browser: Chromium, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(PAGE, encoding="utf-8")
    browser.show(tmp_path / "page.html")
    assert sorted(fault.partition(": ")[0] for fault in browser.faults()) == [
        *["color-contrast"] * 3,  # the paragraph, which axe measures, and the two that it leaves open
        "heading-order",
        "html-has-lang",
        "image-alt",
        "label",
        "link-name",
        "svg-img-alt",
        *["target-size"] * 2,
    ]
