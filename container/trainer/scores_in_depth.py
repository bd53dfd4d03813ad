"""Where a model reads wrong: by length, by script, by character, and what is taken for what.

Every sample and every character of every label is counted, on the raw text (`normalised` alone compares normal forms).
Wrong characters come from one minimal edit alignment of label and reading: a character is replaced, left out, or one
too many is read. So the sums add up: edits = replaced + left out + too many, and characters - right = replaced + left
out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from rapidfuzz.distance import Levenshtein

from container.trainer.scoring import score
from contract.scripts import script_of
from contract.text import normalise

LENGTHS = (1, 3, 5, 9, 13, 17, 25, 33, 49, 65)  # first label length of each bucket, in code points
CONFUSIONS = 100  # pairs that are listed, the most frequent first; the rest is counted
NOTHING = ""  # in the place of a character: left out, or one too many


def scores_in_depth(
    labels: Sequence[str], texts: Sequence[str], training: Iterable[str], dictionary: Iterable[str]
) -> dict[str, Any]:
    """The `scores` of run.json. `training`: the labels that the model learnt from.

    Raises ValueError when there are not as many texts as labels.
    """
    confusions: Counter[tuple[str, str]] = Counter()
    lengths: dict[int, Counter[str]] = {}
    edits = 0
    for label, text in zip(labels, texts, strict=True):
        wrong = list(_wrong(label, text))
        confusions.update(wrong)
        edits += len(wrong)
        bucket = lengths.setdefault(max(start for start in (0, *LENGTHS) if start <= len(label)), Counter())
        bucket.update(samples=1, right=not wrong, characters=len(label), edits=len(wrong))
    characters = _by_character(Counter("".join(labels)), confusions)
    return {
        "samples": len(labels),
        "characters": sum(map(len, labels)),
        "edits": edits,
        "normalised": _normalised(labels, texts),
        "by_length": _by_length(lengths),
        "by_script": _by_script(characters),
        "by_character": characters,
        "confusions": _most_frequent(confusions),
        "never_trained": _never_trained(set().union(*map(set, training)), characters, dictionary),
    }


def in_words(scores: dict[str, Any]) -> str:
    """What people should hear at once: the worst confusions, or "" when all is read right."""
    pairs = scores["confusions"]["pairs"][:5]
    shown = ", ".join(f"{_name(pair['label'])} as {_name(pair['read'])} {pair['times']}×" for pair in pairs)
    return f"most often misread: {shown}" if pairs else ""


def _wrong(label: str, text: str) -> Iterable[tuple[str, str]]:
    """(what the label says, what was read) for each edit; one of them is NOTHING when there is no counterpart."""
    if label == text:
        return
    for edit in Levenshtein.editops(label, text):
        yield (
            label[edit.src_pos] if edit.tag != "insert" else NOTHING,
            text[edit.dest_pos] if edit.tag != "delete" else NOTHING,
        )


def _normalised(labels: Sequence[str], texts: Sequence[str]) -> dict[str, float]:
    """acc and cer where spellings that look the same count as the same."""
    scores = score([normalise(label) for label in labels], [normalise(text) for text in texts])
    return {"acc": scores.acc, "cer": scores.cer}


def _by_length(buckets: dict[int, Counter[str]]) -> list[dict[str, Any]]:
    """Buckets from short to long, those without a label left out. `to` is None for the last one: no limit."""
    ends = {start: following - 1 for start, following in pairwise((0, *LENGTHS))}
    rows = []
    for start in sorted(buckets):
        counts = {name: int(buckets[start][name]) for name in ("samples", "right", "characters", "edits")}
        scores = {"acc": counts["right"] / counts["samples"], "cer": counts["edits"] / max(1, counts["characters"])}
        rows.append({"from": start, "to": ends.get(start), **counts, **scores})
    return rows


def _by_character(counts: Counter[str], confusions: Counter[tuple[str, str]]) -> dict[str, dict[str, Any]]:
    """For each character of the labels, the most frequent first: count, right, its most frequent misreading."""
    wrong: dict[str, list[tuple[str, int]]] = {}
    for (label, read), times in _ranked(confusions):
        if label != NOTHING:
            wrong.setdefault(label, []).append((read, times))
    characters: dict[str, dict[str, Any]] = {}
    for character, count in _ranked(counts):
        misread = wrong.get(character, [])
        characters[character] = {"count": count, "right": count - sum(times for _, times in misread)}
        if misread:
            characters[character] |= {"most_read_as": misread[0][0], "times": misread[0][1]}
    return characters


def _by_script(characters: dict[str, dict[str, Any]]) -> dict[str, dict[str, int]]:
    scripts: dict[str, Counter[str]] = {}
    for character, row in characters.items():
        scripts.setdefault(script_of(character), Counter()).update(count=row["count"], right=row["right"])
    return {script: {"count": row["count"], "right": row["right"]} for script, row in scripts.items()}


def _most_frequent(confusions: Counter[tuple[str, str]]) -> dict[str, Any]:
    """The listed pairs, and how many edits and pairs are not in the list."""
    ranked = _ranked(confusions)
    pairs = [{"label": label, "read": read, "times": times} for (label, read), times in ranked[:CONFUSIONS]]
    rest = ranked[CONFUSIONS:]
    return {
        "pairs": pairs,
        "replaced": sum(times for (label, read), times in ranked if label != NOTHING != read),
        "left_out": sum(times for (_, read), times in ranked if read == NOTHING),
        "too_many": sum(times for (label, _), times in ranked if label == NOTHING),
        "not_listed": {"pairs": len(rest), "edits": sum(times for _, times in rest)},
    }


def _never_trained(
    trained: set[str], characters: dict[str, dict[str, Any]], dictionary: Iterable[str]
) -> dict[str, Any]:
    """Characters without any training sample: of validation labels with their count, of the dictionary as one text."""
    return {
        "validation": {character: row["count"] for character, row in characters.items() if character not in trained},
        "dictionary": "".join(character for character in dictionary if character not in trained),
    }


def _ranked(counts: Counter[Any]) -> list[tuple[Any, int]]:
    """Most frequent first; equals in code point order, so that the same readings give the same file."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _name(character: str) -> str:
    return repr(character) if character else "nothing"
