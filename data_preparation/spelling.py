"""Labels in their normal form (contract/text.py): brought there when converted, and said where they are not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from contract.dataset import DICTIONARY, Dictionary, Problem
from contract.text import RULES, normalise, what_changes
from data_preparation.regions import PageSource
from data_preparation.sources.entries import Source
from data_preparation.wording import counted, verb

AnySource = Source | PageSource

EXAMPLES = 3  # places that a note names
_JOINERS = "\u200c\u200d"  # normal between the letters that they shape


def spelled(source: AnySource, normal: bool) -> AnySource:
    """The source with a note for each rule of the normal form that its labels break, and one for spaces at their ends.

    `normal` brings them there and takes such spaces away, which no image shows and tables are full of.

    A crop of whose label nothing is left becomes a problem; regions are checked when they are cut out.
    """
    if isinstance(source, PageSource):
        labels = [(region.where, region.text) for region in source.regions]
    else:
        labels = [(entry.where, entry.label) for entry in source.entries]
    notes = (
        *source.notes,
        *spelling_notes(labels, "put into the normal form" if normal else "left as written"),
        *_notes_of_ends(labels, "taken away" if normal else "left as written"),
    )
    if not normal:
        return replace(source, notes=notes)
    if isinstance(source, PageSource):
        texts = [_normal(region.text) for region in source.regions]
        regions = tuple(
            region if text == region.text else replace(region, text=text)
            for region, text in zip(source.regions, texts, strict=True)
        )
        return replace(source, regions=regions, notes=notes)
    entries = [replace(entry, label=_normal(entry.label)) for entry in source.entries]
    blank = [
        Problem("blank label", entry.where, "the label holds nothing that an image shows", "write its text")
        for entry in entries
        if not entry.label.strip()
    ]
    sound = tuple(entry for entry in entries if entry.label.strip())
    return replace(source, entries=sound, problems=(*source.problems, *blank), notes=notes)


def spelling_notes(written: Iterable[tuple[str, str]], fate: str = "left as written") -> list[str]:
    """A note for each way in which labels, given as (`file:line`, label), are not in the normal form.

    It says how many labels, what becomes of them, and where the first ones are.
    """
    places: dict[str, list[str]] = {}
    for where, label in written:
        for rule in what_changes(label):
            places.setdefault(rule.name, []).append(where)
    notes = []
    for rule in RULES:
        if found := places.get(rule.name):
            count, first = len(found), ", ".join(found[:EXAMPLES])
            notes.append(
                f"{counted(count, 'label')} {verb(count, 'holds', 'hold')} {rule.what}: {fate}, first at {first}"
            )
    return notes


def _normal(label: str) -> str:
    return normalise(label).strip(" ")


def _notes_of_ends(written: Iterable[tuple[str, str]], fate: str) -> list[str]:
    found = [where for where, label in written if label != label.strip(" ") and label.strip()]
    if not found:
        return []
    labels = f"{counted(len(found), 'label')} {verb(len(found), 'has', 'have')} spaces at an end"
    return [f"{labels}: {fate}, first at {', '.join(found[:EXAMPLES])}"]


def dictionary_notes(dictionary: Dictionary) -> list[str]:
    """A note when a dictionary has characters that no label in the normal form can hold."""
    odd = [each for each in dictionary.characters if each not in _JOINERS and normalise(each) != each]
    if not odd:
        return []
    first = ", ".join(f"{each!r} (U+{ord(each):04X})" for each in odd[:EXAMPLES])
    count = counted(len(odd), "character")
    return [
        f"{DICTIONARY} has {count} that no label in the normal form holds: {first}{', …' if odd[EXAMPLES:] else ''}"
    ]
