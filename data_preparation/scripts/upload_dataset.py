"""Upload a dataset to S3, once per content.

python data_preparation/scripts/upload_dataset.py dataset s3://bucket/ocr
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from data_preparation import cli
from data_preparation.cli import say
from data_preparation.wording import counted

SUMMARY = "upload a dataset to S3, once per content"
EXAMPLE = """\
The dataset goes to S3_PREFIX/datasets/FOLDER/<hash of its content>/, and this address is printed on stdout.
An upload that was interrupted goes on when the same command is given again; a complete one is not sent again.

example:
  python -m data_preparation upload dataset s3://my-bucket/ocr --region ap-southeast-1"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", type=Path, metavar="DATASET", help="the dataset folder")
    parser.add_argument("prefix", metavar="S3_PREFIX", help="s3://BUCKET, or a folder in it")
    parser.add_argument("--region", default="", help="AWS region (default: that of AWS_REGION or of the profile)")
    parser.add_argument("--profile", default="", help="AWS profile (default: AWS's own rules)")
    parser.add_argument(
        "--kms-key", default="", metavar="KEY", help="encrypt with this KMS key (default: as the bucket does)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object with everything on stdout")


def run(args: argparse.Namespace) -> int:
    """Check and hash, send, print where it is."""
    from data_preparation.aws import explained, open_session
    from data_preparation.dataset_files import read_dataset
    from data_preparation.progress import progress
    from data_preparation.s3 import upload_dataset

    with explained("reading the AWS settings of this machine"):
        session, region = open_session(args.profile, args.region)
    with progress("checking") as advance:
        dataset = read_dataset(args.dataset, advance)
    with progress("uploading") as advance:
        upload = upload_dataset(dataset, args.prefix, session, region, kms_key=args.kms_key, advance=advance)
    if upload.skipped == upload.files:
        say(f"ok: all {counted(upload.files, 'file')} were there already, nothing was sent")
    else:
        there = f" ({upload.skipped:,} were there already)" if upload.skipped else ""
        say(f"ok: {counted(upload.files, 'file')}, {upload.bytes / 1e6:,.1f} MB, in {upload.seconds:.1f} s{there}")
    print(json.dumps(asdict(upload)) if args.json else upload.uri)
    return 0


def main(argv: list[str] | None = None) -> int:
    parser = cli.Parser(description=SUMMARY, epilog=EXAMPLE)
    add_arguments(parser)
    return cli.run(parser, argv, run)


if __name__ == "__main__":
    raise SystemExit(main())
