"""The verbs of the data tools: `python -m data_preparation VERB …`."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from data_preparation import cli

# Each with its module in data_preparation/scripts. Only the one that is asked for is imported.
VERBS = {
    "demo": "create_demo_data",
    "convert": "convert_data",
    "validate": "validate_data",
    "split": "split_dataset",
    "dictionary": "dictionary",
    "report": "report_data",
    "pack": "pack_dataset",
    "unpack": "unpack_dataset",
    "upload": "upload_to_s3",
    "download": "download_from_s3",
}


def script_of(verb: str) -> Any:
    """The module of a verb: SUMMARY, EXAMPLE, add_arguments and run."""
    return import_module(f"data_preparation.scripts.{VERBS[verb]}")


def main(argv: list[str] | None = None) -> int:
    """Run one verb; the exit code is its script's."""
    words = sys.argv[1:] if argv is None else argv
    parser = cli.Parser(
        prog="python -m data_preparation",
        description="Draw, convert, check, pack, upload and download datasets for text recognition.",
        epilog="example:\n  python -m data_preparation convert --input-images crops --input-labels labels.txt"
        " --output-dir dataset",
    )
    verbs = parser.add_subparsers(dest="verb", metavar="{" + ",".join(VERBS) + "}", required=True)
    for verb in words[:1] if words[:1] and words[0] in VERBS else VERBS:
        script = script_of(verb)
        script.add_arguments(
            verbs.add_parser(verb, help=script.SUMMARY, description=script.SUMMARY, epilog=script.EXAMPLE)
        )
    return cli.run(parser, words, lambda args: int(script_of(args.verb).run(args)))


if __name__ == "__main__":
    cli.end(main())
