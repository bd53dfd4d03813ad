"""The verbs of the data tools: `python -m data_preparation {demo,convert,validate,upload}`."""

from __future__ import annotations

from data_preparation import cli
from data_preparation.scripts import convert_data, create_demo_data, upload_dataset, validate_data

VERBS = {"demo": create_demo_data, "convert": convert_data, "validate": validate_data, "upload": upload_dataset}


def main(argv: list[str] | None = None) -> int:
    """Run one verb; the exit code is its script's."""
    parser = cli.Parser(
        prog="python -m data_preparation",
        description="Draw, convert, check and upload datasets for text recognition.",
        epilog="example:\n  python -m data_preparation convert --input-images crops --input-labels labels.txt"
        " --output-dir dataset",
    )
    verbs = parser.add_subparsers(dest="verb", metavar="{demo,convert,validate,upload}", required=True)
    for verb, script in VERBS.items():
        summary = script.SUMMARY
        script.add_arguments(verbs.add_parser(verb, help=summary, description=summary, epilog=script.EXAMPLE))
    return cli.run(parser, argv, lambda args: VERBS[args.verb].run(args))


if __name__ == "__main__":
    raise SystemExit(main())
