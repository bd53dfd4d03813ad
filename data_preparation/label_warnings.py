"""What is odd in the text of a label: it trains, and teaches what no image shows or what two spellings look like."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from contract.quoting import quoted
from contract.text import normalise, what_changes

Oddity = tuple[str, str, str]  # kind, what continues "the label '…' ", remedy

_STRAY_SPACE = re.compile("^ | $|  ")
_JOINERS = "\u200c\u200d"  # left by the normal form between the letters that they shape
_BLANK_LETTERS = re.compile("[\u034f\u115f\u1160\u2800\u3164\uffa0\ufe00-\ufe0f]")  # letters and marks without ink
_FULLWIDTH = re.compile("[\uff10-\uff19\uff21-\uff3a\uff41-\uff5a]")
_DIGITS = {
    "ASCII": re.compile("[0-9]"),
    "Thai": re.compile("[\u0e50-\u0e59]"),
    "Lao": re.compile("[\u0ed0-\u0ed9]"),
    "Arabic": re.compile("[\u0660-\u0669\u06f0-\u06f9]"),
    "Devanagari": re.compile("[\u0966-\u096f]"),
}

_WORD = re.compile(r"[^\W\d_]+")
_LATIN = re.compile("[A-Za-z\u00c0-\u024f]")
# Of Greek only what has a Latin twin: units such as `μm` and `kΩ` mix the scripts rightly.
_TWINS = re.compile("[\u0400-\u052fΑΒΕΖΗΙΚΜΝΟΡΤΥΧικνορυ]")


def label_oddities(label: str) -> Iterator[Oddity]:
    """Everything odd in a label, one item for each kind."""
    if " " in label and _STRAY_SPACE.search(label):
        yield "stray space", "has a space at an end, or two in a row", "delete it: an image shows no such space"
    if label.isascii():
        if not label.isprintable():
            yield from _unseen(label)
        return
    normal = normalise(label)
    if normal != label:
        what = "; ".join(rule.what for rule in what_changes(label))
        yield "not normal", f"holds {what}", f"write {quoted(normal)}, or let --fix do it"
    yield from _unseen(normal)
    yield from _twins(normal)
    yield from _marks(normal)


def without_invisible(text: str) -> str:
    """The text without what no image shows; a normal form first leaves nothing else of that sort."""
    return "".join(character for character in text if not _is_invisible(character))


def _is_invisible(character: str) -> bool:
    if character.isprintable():
        return bool(_BLANK_LETTERS.match(character))
    return unicodedata.category(character) not in ("Zs", "Co", "Cn") and character not in _JOINERS


def _unseen(text: str) -> Iterator[Oddity]:
    unseen = [character for character in text if _is_invisible(character)]
    if unseen:
        yield "invisible", f"holds {_named(unseen)}, which no image shows", "delete it from the label"
    codes = [character for character in text if unicodedata.category(character) in ("Co", "Cn")]
    if codes:
        remedy = "write the character that the image shows"
        yield "private use", f"holds {_named(codes)}, which means something else in each font", remedy
    if "\ufffd" in text:
        remedy = "restore the text from its source"
        yield "lost character", "holds U+FFFD, which stands for a character that was lost in decoding", remedy


def _twins(text: str) -> Iterator[Oddity]:
    for word in _WORD.findall(text) if _TWINS.search(text) and _LATIN.search(text) else ():
        if (twin := _TWINS.search(word)) and (latin := _LATIN.search(word)):
            what = f"mixes {_named([twin[0]])} and {_named([latin[0]])} in one word, which look alike elsewhere"
            yield "look-alike", what, "write the word in one script"
            break
    if wide := _FULLWIDTH.findall(text):
        what = f"holds {_named(wide)}, which looks like {unicodedata.normalize('NFKC', wide[0])!r}"
        yield "look-alike", what, "write the ordinary one, unless the image shows the wide one"
    digits = [name for name, pattern in _DIGITS.items() if pattern.search(text)]
    if len(digits) > 1:
        yield "mixed digits", f"holds {' and '.join(digits)} digits", "write the digits that the image shows"


def _marks(text: str) -> Iterator[Oddity]:
    for word in text.split():
        if unicodedata.category(word[0]).startswith("M"):
            what = f"has {_named([word[0]])} without a letter to stand on"
            yield "lone mark", what, "write the letter too, or delete the mark"
            break


def _named(characters: list[str]) -> str:
    """The first by its code point, with its name where it has one, and how many more there are."""
    first = characters[0]
    name = unicodedata.name(first, "")
    others = len(set(characters)) - 1
    return f"U+{ord(first):04X}{f' {name}' if name else ''}" + (f" and {others} more" if others else "")
