"""The names of scripts."""

from __future__ import annotations

import pytest

from contract.scripts import script_of


@pytest.mark.parametrize(
    ("character", "script"),
    [
        *(("A", "Latin"), ("é", "Latin"), ("๓", "digits"), ("7", "digits"), ("ๆ", "Thai"), ("่", "Thai")),
        *(("漢", "CJK"), ("(", "punctuation"), ("฿", "punctuation"), (" ", "space"), ("\u200b", "other")),
    ],
)
def test_scripts(character: str, script: str) -> None:
    assert script_of(character) == script
