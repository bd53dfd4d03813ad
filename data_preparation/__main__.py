"""The verbs of the data tools: `python -m data_preparation VERB …`."""

from __future__ import annotations

from data_preparation import cli
from data_preparation.scripts import (
    convert_data,
    create_demo_data,
    dictionary,
    download_from_s3,
    pack_dataset,
    report_data,
    split_dataset,
    unpack_dataset,
    upload_to_s3,
    validate_data,
)

VERBS = {
    "demo": create_demo_data,
    "convert": convert_data,
    "validate": validate_data,
    "split": split_dataset,
    "dictionary": dictionary,
    "report": report_data,
    "pack": pack_dataset,
    "unpack": unpack_dataset,
    "upload": upload_to_s3,
    "download": download_from_s3,
}


def main(argv: list[str] | None = None) -> int:
    """Run one verb; the exit code is its script's."""
    parser = cli.Parser(
        prog="python -m data_preparation",
        description="Draw, convert, check, pack, upload and download datasets for text recognition.",
        epilog="example:\n  python -m data_preparation convert --input-images crops --input-labels labels.txt"
        " --output-dir dataset",
    )
    verbs = parser.add_subparsers(dest="verb", metavar="{" + ",".join(VERBS) + "}", required=True)
    for verb, script in VERBS.items():
        summary = script.SUMMARY
        script.add_arguments(verbs.add_parser(verb, help=summary, description=summary, epilog=script.EXAMPLE))
    return cli.run(parser, argv, lambda args: VERBS[args.verb].run(args))


if __name__ == "__main__":
    cli.end(main())
