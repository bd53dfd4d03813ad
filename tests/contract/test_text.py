"""The normal form of labels: what becomes one, what stays apart, and that no script is broken."""

from __future__ import annotations

import random
import unicodedata

import pytest

from contract.text import normalise, what_changes

NORMAL = {
    "Thai": "น้ำใจ ที่นี่ เก็บ ปั๊ม สิทธิ์ พันธุ์ ผู้ใหญ่ กว๊าน ฤๅษี ๒๕๖๙ ฯลฯ",
    "Pali in Thai": "พุทฺธํ สรณํ คจฺฉามิ พ๎ราห๎มณ กึ อิํ",
    "Pattani Malay": "ฮฺูยฺา",
    "Lao": "ນ້ຳ ເປັນ ແມ່ ຂໍ້ ກໍ່ ຫຼາຍ",
    "Khmer": "ភាសាខ្មែរ ក្រុង ស្ត្រី",
    "Khmer with ZWNJ": "ប៊\u200cី",
    "Myanmar": "မြန်မာဘာသာ ကြွက် ယောက်ျား",
    "Devanagari": "हिन्दी क्\u200dष र्\u200dय अङ्\u200cक",
    "Malayalam with a joiner": "ന്\u200d കൽ",
    "Sinhala": "ශ්\u200dරී ලංකා",
    "Arabic": "العَرَبِيَّة مُدَرِّس",
    "Persian": "می\u200cخواهم نامه\u200cها",
    "a lone initial": "ه\u200d",
    "Hebrew": "שָׁלוֹם",
    "Vietnamese": "Tiếng Việt ở Huế",
    "Korean": "한국어",
    "Japanese": "がぎぐ\u3000パピプ ①",
    "look-alikes that NFKC would merge": "x² ﬁ ½ ™ Ａ",
}


@pytest.mark.parametrize("text", NORMAL.values(), ids=NORMAL)
def test_what_is_written_right_stays(text: str):
    assert normalise(text) == text
    assert what_changes(text) == ()


@pytest.mark.parametrize(
    ("text", "normal", "rules"),
    [
        ("น\u0e4d\u0e49\u0e32", "น้ำ", ["am"]),  # NIKHAHIT, tone, AA
        ("น\u0e49\u0e4d\u0e32", "น้ำ", ["mark order", "am"]),
        ("ค\u0e4d\u0e32", "คำ", ["am"]),
        ("น\u0e33\u0e49", "น้ำ", ["late tone"]),  # the tone mark typed last
        ("น\u0e4d\u0e4d\u0e32", "นำ", ["mark order", "am"]),
        ("น\u0e48\u0e33\u0e48", "น่ำ", ["late tone"]),
        ("ก\u0e32\u0e48", "ก่า", ["late tone"]),
        ("ท\u0e48\u0e35", "ที่", ["mark order"]),
        ("ผ\u0e49\u0e39", "ผู้", ["nfc"]),  # its combining classes order these two
        ("ธ\u0e4c\u0e34", "ธิ์", ["mark order"]),
        ("ที\u0e48\u0e48", "ที่", ["mark order"]),
        ("ท\u0e48\u0e35\u0e48", "ที่", ["mark order"]),
        ("\u0e40\u0e40ม\u0e48", "แม่", ["double e"]),
        ("\u0e40\u200b\u0e40ม\u0e48", "แม่", ["zero-width", "double e"]),
        ("ຂ\u0ec9\u0ecd", "ຂໍ້", ["mark order"]),
        ("ນ\u0ecd\u0ec9\u0eb2", "ນ້ຳ", ["am"]),
        ("\u0ec0\u0ec0ມ", "ແມ", ["double e"]),
        ("ตา\u200bกลม\ufeff", "ตากลม", ["zero-width"]),
        ("ab\u200dc\u200c", "abc", ["zero-width"]),
        ("ไทย\u200cab", "ไทยab", ["zero-width"]),
        ("e\u200d\u0301", "é", ["zero-width", "nfc"]),
        ("1\u00a0000\u2009km", "1 000 km", ["space"]),
        ("Tie\u0302\u0301ng", "Tiếng", ["nfc"]),
        ("\u1112\u1161\u11ab", "한", ["nfc"]),
        ("\u212b", "Å", ["nfc"]),
        ("\u200b", "", ["zero-width"]),
    ],
)
def test_what_looks_the_same_becomes_the_same(text: str, normal: str, rules: list[str]):
    assert normalise(text) == normal
    assert [rule.name for rule in what_changes(text)] == rules


ALPHABETS = {
    "Thai and Lao": [*range(0x0E01, 0x0E3B), *range(0x0E40, 0x0E5C), *range(0x0E81, 0x0EDF), 0x20, 0x200B, 0x200D],
    "Thai marks": [0x0E01, 0x0E30, *range(0x0E31, 0x0E3B), 0x0E40, *range(0x0E47, 0x0E4F), 0x200C],
    "joiners": [0x61, 0x0301, 0x0E01, 0x0627, 0x0915, 0x093C, 0x094D, 0x200B, 0x200C, 0x200D, 0xFEFF],
    "marks of all kinds": [
        0x61,
        0x1100,
        0x1161,
        0x11A8,
        0x0958,
        0x0915,
        0x093C,
        0x0651,
        0x064E,
        0x0323,
        0x0302,
        0x0F71,
    ],
    "everything": [code for code in range(0x20, 0x30000) if not 0xD800 <= code < 0xE000],
}


@pytest.mark.parametrize("alphabet", ALPHABETS.values(), ids=ALPHABETS)
def test_it_is_done_once_and_keeps_nfc_and_the_visible_characters(alphabet: list[int]):
    """On texts that nobody would write: whatever comes, the result is normal, and only what no image shows is lost."""
    draw = random.Random(9)
    for _ in range(4000):
        text = "".join(map(chr, draw.choices(alphabet, k=draw.randint(1, 9))))
        normal = normalise(text)
        assert normalise(normal) == normal
        assert unicodedata.normalize("NFC", normal) == normal
        assert (normal != text) == bool(what_changes(text))
        assert letters(normal) == letters(text)


def letters(text: str) -> list[str]:
    """The letters and digits of a text, in any order; SARA E twice and AM taken apart as normalise writes them."""
    text = unicodedata.normalize("NFD", text).translate(dict.fromkeys((0x200B, 0x200C, 0x200D, 0xFEFF)))
    text = text.replace("\u0e40\u0e40", "\u0e41").replace("\u0ec0\u0ec0", "\u0ec1")
    text = text.replace("\u0e33", "\u0e32").replace("\u0eb3", "\u0eb2")
    return sorted(character for character in text if unicodedata.category(character)[0] in "LN")
