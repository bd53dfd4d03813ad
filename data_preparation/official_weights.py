"""The official weights that a shipped recipe's network takes, and which of them know the characters of a dataset."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from contract.weights_dictionary import OldDictionary, official_dictionary, official_names
from data_preparation.dictionary_comparison import Characters, Comparison, compare

V4 = "en_PP-OCRv4_mobile_rec"
V5 = "PP-OCRv5_mobile_rec"  # ending of the names of all its languages, which have one network
RECIPES = {
    V4: "rec/PP-OCRv4/en_PP-OCRv4_rec.yml",
    **{f"{language}_{V5}": f"rec/PP-OCRv5/{language}_{V5}.yml" for language in ("en", "latin", "th")},
}


@dataclass(frozen=True)
class Ranked:
    """Official weights, the dictionary that they were trained with, and what becomes of it."""

    weights: str
    old: OldDictionary
    comparison: Comparison


def rank_weights(characters: Characters, tree: Path) -> list[Ranked]:
    """The best first: those that know the most of the labels' characters, to one in a thousand.

    Of equals first those with a recipe of their own here, then the newer network, then those that know the fewest
    other characters: these would be forgotten.
    """
    found = []
    for weights in official_names(tree):
        old = official_dictionary(weights, tree)
        if old and (weights == V4 or weights.endswith(V5)):
            found.append(Ranked(weights, old, compare(characters, old)))
    return sorted(found, key=_rank)


def _rank(ranked: Ranked) -> tuple[float, bool, bool, int]:
    known, lost = ranked.comparison.known, len(ranked.comparison.lost)
    return -round(known, 3), ranked.weights not in RECIPES, ranked.weights == V4, lost
