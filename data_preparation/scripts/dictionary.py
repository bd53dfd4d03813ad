"""Build a dictionary, compare it with that of trained weights, and find weights and recipe that suit.

python data_preparation/scripts/dictionary.py compare dataset --with rec/PP-OCRv5/th_PP-OCRv5_mobile_rec.yml
"""

from __future__ import annotations

if __name__ == "__main__":  # before the other imports, which Ctrl-C may meet
    from contract.starting import ctrl_c_ends_at_once

    ctrl_c_ends_at_once()

import argparse
import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from contract.streams import pour
from data_preparation import cli
from data_preparation.cli import say

SUMMARY = "build a dictionary, compare it with that of trained weights, find weights and recipe that suit"
EXAMPLE = """\
What another program may use goes to stdout: the dictionary, one character a line with its fate, the flags.

examples:
  python -m data_preparation dictionary build dataset more/labels.txt --output dict.txt
  python -m data_preparation dictionary compare dataset --with rec/PP-OCRv5/th_PP-OCRv5_mobile_rec.yml
  python -m data_preparation validate dataset $(python -m data_preparation dictionary suggest dataset)"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="{build,compare,suggest}", required=True)
    build = actions.add_parser("build", help="the characters of labels, one a line", epilog=EXAMPLE)
    build.add_argument(
        "sources", type=Path, nargs="+", metavar="DATASET_OR_FILE", help="dataset folders and label files"
    )
    build.add_argument(
        "--with", dest="old", metavar="WEIGHTS", help="begin with the characters of these weights: see compare --with"
    )
    build.add_argument("--output", type=Path, metavar="FILE", help="write it there instead of to stdout")
    compare = actions.add_parser("compare", help="what trained weights know of a dataset's characters", epilog=EXAMPLE)
    compare.add_argument("dataset", type=Path, metavar="DATASET", help="the dataset folder")
    compare.add_argument(
        "--with",
        dest="old",
        metavar="WEIGHTS",
        help="a recipe, the name of official weights, a folder with weights, or a dict.txt (default: what suits best)",
    )
    suggest = actions.add_parser("suggest", help="the recipe and the official weights that suit", epilog=EXAMPLE)
    suggest.add_argument("dataset", type=Path, metavar="DATASET", help="the dataset folder")
    for action in (build, compare, suggest):
        action.add_argument(
            "--tree",
            type=Path,
            metavar="DIR",
            help="a PaddleOCR tree, for official dictionaries (default: the one here)",
        )
    for action in (compare, suggest):
        action.add_argument("--json", action="store_true", help="print one JSON object with everything on stdout")


def run(args: argparse.Namespace) -> int:
    return {"build": _build, "compare": _compare, "suggest": _suggest}[args.action](args)


def main(argv: list[str] | None = None) -> int:
    parser = cli.Parser(description=SUMMARY, epilog=EXAMPLE)
    add_arguments(parser)
    return cli.run(parser, argv, run)


def _build(args: argparse.Namespace) -> int:
    from contract.dataset import build_dictionary
    from data_preparation.dictionary_building import begun_with, labels_of, write_dictionary
    from data_preparation.dictionary_text import explain_dictionary
    from data_preparation.old_dictionaries import old_dictionary
    from data_preparation.spelling import dictionary_notes, spelling_notes

    labels = [label for source in args.sources for label in labels_of(source, say)]
    counts = Counter("".join(label for _, label in labels))
    dictionary = build_dictionary(counts)
    if args.old:
        weights, old = old_dictionary(args.old, args.tree)
        say(f"the characters of {weights} come first, in their order ({old.file})")
        dictionary = begun_with(old.characters, dictionary)
    for note in [*spelling_notes(labels), *dictionary_notes(dictionary)]:
        say(f"note: {note}")
    explain_dictionary(dictionary, len(labels), counts)
    if args.output:
        write_dictionary(args.output, dictionary)
        say(f"wrote {args.output}")
    else:
        pour(dictionary.text().removesuffix("\n"))
    return 0


def _compare(args: argparse.Namespace) -> int:
    from data_preparation.dictionary_comparison import characters_of, compare
    from data_preparation.dictionary_text import code_points, explain_comparison
    from data_preparation.official_weights import rank_weights
    from data_preparation.old_dictionaries import find_tree, old_dictionary

    characters = characters_of(args.dataset)
    if args.old:
        weights, old = old_dictionary(args.old, args.tree)
    else:
        best = rank_weights(characters, find_tree(args.tree))[0]
        weights, old = best.weights, best.old
    comparison = compare(characters, old)
    explain_comparison(weights, old.file, comparison, characters.counts)
    if args.json:
        pour(json.dumps({"weights": weights, "dictionary": old.file, **asdict(comparison)}))
        return 0
    lines = [
        f"{fate}\t{code_points(each)}\t{each}\t{characters.counts[each]}"
        for fate, found in (("kept", comparison.kept), ("added", comparison.added), ("lost", comparison.lost))
        for each in found
    ]
    if lines:
        pour("\n".join(lines))
    return 0


def _suggest(args: argparse.Namespace) -> int:
    from data_preparation.dictionary_text import explain_suggestion
    from data_preparation.old_dictionaries import find_tree
    from data_preparation.progress import progress
    from data_preparation.suggestion import suggest

    tree = find_tree(args.tree)
    with progress("reading") as advance:
        suggestion = suggest(args.dataset, tree, advance)
    explain_suggestion(suggestion)
    if args.json:
        pour(json.dumps(suggestion.as_json()))
        return 0
    pour("\n".join([f"--config {suggestion.best.recipe}", *(f"-o {each}" for each in suggestion.best.overrides)]))
    return 0


if __name__ == "__main__":
    cli.end(main())
