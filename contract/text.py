"""One spelling for one look: the normal form of labels, of dictionaries and of what is compared after training.

Two labels that look the same must be the same code points, or a network is taught two answers to one question. So:
NFC, the marks of Thai and Lao in one order, their AM in one code point, and nothing that no image shows. Never NFKC:
it takes SARA AM apart again, and makes one character of several that look different (`²` and `2`, `ﬁ` and `fi`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

# Scripts in which ZWNJ and ZWJ choose the shape of a letter: the Arabic and Syriac ones, those of India and its
# neighbours, Mongolian. In words without such a letter nobody sees them.
_JOINING = re.compile(
    "[\u0620-\u08ff\u0900-\u0dff\u0f00-\u109f\u1700-\u18af\u1a20-\u1c4f\ua800-\ua8ff\ua980-\ua9ff\uaa00-\uaadf"
    "\uabc0-\uabff\ufb50-\ufdff\ufe70-\ufefe\U00010a00-\U00011fff\U0001e900-\U0001e95f]"
)
_JOINERS = re.compile("[\u200c\u200d]")
_JOINED_WORD = re.compile("[^ ]*[\u200c\u200d][^ ]*")
# Zero-width space, directional marks, word joiner and invisible operators, byte order mark. Not the embeddings and
# overrides of direction (U+202A to U+202E, U+2066 to U+2069): what they enclose is seen in another order.
_ZERO_WIDTH = re.compile("[\u061c\u200b\u200e\u200f\u2060-\u2064\ufeff]")
_SPACES = re.compile("[\u00a0\u2000-\u200a\u202f\u205f]")  # not U+3000: as wide as a letter, and in CJK dictionaries

# How a cluster is written in Thai and Lao: the consonant, marks of the consonant itself, vowels above and below, the
# round nikhahit, one tone mark, and what silences. Canonical combining classes order only some of these (U+0E3A before
# U+0E38 and U+0E39 before tone marks), and this order agrees with them, so NFC leaves it alone.
_ORDER = (
    "\u0e3a\u0eba\u0ebc"
    "\u0e31\u0e34\u0e35\u0e36\u0e37\u0eb1\u0eb4\u0eb5\u0eb6\u0eb7\u0ebb"
    "\u0e38\u0e39\u0e47\u0e4d\u0e48\u0e49\u0e4a\u0e4b"
    "\u0eb8\u0eb9\u0ecd\u0ec8\u0ec9\u0eca\u0ecb"
    "\u0e4c\u0ecc\u0e4e\u0ece"
)
_MARKS = re.compile(f"[{_ORDER}]{{2,}}")
# A tone mark behind the vowel that follows the consonant (`นำ้` for `น้ำ`): no syllable is written so.
_TONES = "\u0e48-\u0e4b\u0ec8-\u0ecb"
_FOLLOWING = "\u0e30\u0e32\u0e33\u0eb0\u0eb2\u0eb3"
_LATE_TONE = re.compile(f"(?<=[\u0e01-\u0e2e\u0e81-\u0eae{_ORDER}])[{_FOLLOWING}][{_FOLLOWING}{_TONES}]*[{_TONES}]")
_THAI_AM = re.compile("\u0e4d([\u0e48-\u0e4c\u0e4e]*)\u0e32")
_LAO_AM = re.compile("\u0ecd([\u0ec8-\u0ecc\u0ece]*)\u0eb2")


@dataclass(frozen=True)
class Rule:
    """One way in which labels that look alike differ. `what` continues "12 labels hold …"."""

    name: str
    what: str
    apply: Callable[[str], str]


def normalise(text: str) -> str:
    """The text as labels should have it; the same again for its own result. It may become blank or empty."""
    if text.isascii():
        return text
    for rule in RULES:
        text = rule.apply(text)
    return text


def what_changes(text: str) -> tuple[Rule, ...]:
    """The rules that `normalise` would apply to the text, in their order; none: the text is normal."""
    changing = []
    if not text.isascii():
        for rule in RULES:
            changed = rule.apply(text)
            if changed != text:
                changing.append(rule)
            text = changed
    return tuple(changing)


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _keep_joiners(text: str) -> str:
    return _JOINED_WORD.sub(lambda word: word[0] if _JOINING.search(word[0]) else _JOINERS.sub("", word[0]), text)


def _order_marks(text: str) -> str:
    return _MARKS.sub(lambda marks: "".join(sorted(set(marks[0]), key=_ORDER.index)), text)


def _tones_first(text: str) -> str:
    while late := _LATE_TONE.search(text):
        first = "".join(sorted(late[0], key=_FOLLOWING.__contains__))
        text = _order_marks(text[: late.start()] + first + text[late.end() :])
    return text


def _compose_am(text: str) -> str:
    return _LAO_AM.sub("\\1\u0eb3", _THAI_AM.sub("\\1\u0e33", text))


# In this order: what stands between two characters goes first, and AM is found where marks are in order.
RULES = (
    Rule(
        "space",
        "other spaces than U+0020 (such as the no-break space U+00A0)",
        lambda text: _SPACES.sub(" ", text),
    ),
    Rule(
        "zero-width",
        "zero-width characters (such as U+200B), which no image shows",
        lambda text: _keep_joiners(_ZERO_WIDTH.sub("", text)),
    ),
    Rule("nfc", "characters that are not composed as NFC has them", _nfc),
    Rule(
        "double e",
        "SARA E twice (U+0E40 U+0E40) where แ (U+0E41) is meant",
        lambda text: text.replace("\u0e40\u0e40", "\u0e41").replace("\u0ec0\u0ec0", "\u0ec1"),
    ),
    Rule("mark order", "marks in another order than vowel, tone, other, or one of them twice", _order_marks),
    Rule("am", "SARA AM in two code points (U+0E4D U+0E32) where ำ (U+0E33) is meant", _compose_am),
    Rule("late tone", "a tone mark behind ะ, า or ำ, which stands before it in the syllable", _tones_first),
)
