"""Download a dataset from S3, each file verified.

python data_preparation/scripts/download_from_s3.py --bucket my-bucket --output-dir dataset
"""

from __future__ import annotations

if __name__ == "__main__":  # before the other imports, which Ctrl-C may meet
    from contract.starting import ctrl_c_ends_at_once

    ctrl_c_ends_at_once()

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from contract.streams import pour
from data_preparation import cli
from data_preparation.cli import say
from data_preparation.wording import counted

SUMMARY = "download a dataset from S3, each file verified"
EXAMPLE = """\
Takes what `upload` brought there: the address that it printed or, when there is but one dataset below, the prefix.
The folder appears when all is there and verified. A download that was interrupted goes on with the same command.

examples:
  python -m data_preparation download s3://my-bucket/ocr/datasets/crops/1f0c…/ --output-dir dataset
  python data_preparation/scripts/download_from_s3.py --bucket my-bucket --output-dir dataset"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    cli.add_place_arguments(parser)
    parser.add_argument(
        "--output-dir", type=Path, required=True, metavar="DIR", help="where the dataset goes: a new folder"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be downloaded, and write nothing")
    cli.add_aws_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object with everything on stdout")


def run(args: argparse.Namespace) -> int:
    """Read the manifest, fetch, verify, print where it is."""
    place = cli.place_of(args)
    from data_preparation.aws import explained, open_session
    from data_preparation.progress import transfer
    from data_preparation.s3_download import download_dataset
    from data_preparation.s3_folder import bucket_and_key

    bucket_and_key(place)  # refused before AWS is asked
    with explained("reading the AWS settings of this machine"):
        session, region = open_session(args.profile, args.region)
    with transfer("downloading") as show:
        done = download_dataset(place, args.output_dir, session, region, dry_run=args.dry_run, show=show)
    there = f" ({done.skipped:,} had come already)" if done.skipped else ""
    what = f"{counted(done.files, 'file')}, {done.bytes / 1e6:,.1f} MB"
    if args.dry_run:
        say(f"dry run: {done.uri} has {what}{there}")
    else:
        say(f"ok: {what} of {done.uri}, each verified, in {done.seconds:.1f} s{there}")
    pour(json.dumps(asdict(done)) if args.json else done.folder)
    return 0


def main(argv: list[str] | None = None) -> int:
    parser = cli.Parser(description=SUMMARY, epilog=EXAMPLE)
    add_arguments(parser)
    return cli.run(parser, argv, run)


if __name__ == "__main__":
    cli.end(main())
