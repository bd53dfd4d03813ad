"""What people read about dictionaries, on stderr."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from contract.dataset import Dictionary
from data_preparation.cli import say
from data_preparation.dictionary_comparison import Comparison
from data_preparation.suggestion import SMALL, Suggestion, shape_of
from data_preparation.wording import counted

EXAMPLES = 8  # characters that a sentence names
BEST = 3  # weights that a suggestion shows
SHARE = 0.005  # of the characters: scripts below it are not worth a word


def explain_dictionary(dictionary: Dictionary, labels: int, counts: Counter[str]) -> None:
    """counts: how often each character occurs in the labels."""
    rarest = sorted((each for each in counts if each != " "), key=lambda each: (counts[each], each))
    total = counted(len(dictionary.characters), "character")
    say(f"{total} of {counted(labels, 'label')}; the rarest{shown(rarest, counts)}")


def explain_comparison(weights: str, file: str, comparison: Comparison, counts: Counter[str]) -> None:
    """counts: how often each character occurs in the labels."""
    say(f"{weights} ({file}) knows {comparison.known:.1%} of the characters in the labels")
    say(f"kept: {counted(len(comparison.kept), 'character')}, whose rows of the head carry over")
    added = sorted(comparison.added, key=lambda each: -counts[each])
    say(f"added: {counted(len(added), 'character')} to be learnt{shown(added, counts)}")
    say(f"lost: {counted(len(comparison.lost), 'character')} that are no longer read{shown(comparison.lost)}")
    if comparison.lost:
        say("  to keep those: python -m data_preparation dictionary build DATASET --with WEIGHTS --output dict.txt")
    before, now, kept = comparison.rows_before, comparison.rows, comparison.rows_kept
    say(f"head: {before:,} → {now:,} rows; {kept:,} carry over, the blank's among them, whatever the order of lines")


def explain_suggestion(suggestion: Suggestion) -> None:
    report, best = suggestion.report, suggestion.best
    scripts = ", ".join(f"{name} {share:.0%}" for name, share in suggestion.scripts if share >= SHARE)
    say(f"characters: {scripts}")
    longest = counted(report.longest_label, "code point")
    say(f"labels: the longest has {longest}, the hardest takes {counted(report.most_steps, 'CTC step')}")
    height, width = shape_of(best.recipe)
    squeezed = "; wider crops are squeezed" if report.typical_aspect > width / height else ""
    say(
        f"crops: nine in ten are at most {report.typical_aspect:.1f} times as wide as high,"
        f" the recipe's input is {width / height:.1f} times{squeezed}"
    )
    for option in suggestion.options[:BEST]:
        new = sorted(option.comparison.added)
        say(f"  {option.weights} knows {option.comparison.known:.1%}; to be learnt: {len(new)}{shown(new)}")
    if best.helpful:
        say(f"weights: {best.weights}_pretrained.pdparams in a folder, given with --pretrained (docs/pretrained.md)")
    else:
        say("weights: none know most of these characters; training from the start takes far more samples")
    say(f"recipe: {best.recipe}" + (", which has the network of these weights" if best.renamed else ""))
    if not best.fits:
        say("note: no setting makes all labels fit: validate with this --config says which do not")
    elif best.verdict.overrides:
        say("note: the labels need more than the recipe has: see the overrides")
    if report.problems:
        say(f"note: the dataset has {counted(len(report.problems), 'problem')}: validate lists all")
    say(f"without a GPU: --config {SMALL}, a small network that learns from nothing")


def shown(characters: Sequence[str], counts: Counter[str] | None = None) -> str:
    """The first characters, as what follows a noun."""
    named = [f"{each!r}" + (f" {counts[each]}×" if counts else "") for each in characters[:EXAMPLES]]
    more = ", …" if len(characters) > EXAMPLES else ""
    return f": {', '.join(named)}{more}" if named else ""


def code_points(character: str) -> str:
    """`U+0E01`; a line of several code points has them all."""
    return " ".join(f"U+{ord(each):04X}" for each in character) or "blank line"
