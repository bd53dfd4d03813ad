"""Upload a dataset to S3, packed into shards, once per content.

python data_preparation/scripts/upload_to_s3.py --bucket my-bucket dataset
"""

from __future__ import annotations

if __name__ == "__main__":  # before the other imports, which Ctrl-C may meet
    from contract.starting import ctrl_c_ends_at_once

    ctrl_c_ends_at_once()

import argparse
import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contract.streams import pour
from data_preparation import cli
from data_preparation.cli import say
from data_preparation.wording import counted

if TYPE_CHECKING:
    from data_preparation.s3 import DatasetUpload

SUMMARY = "upload a dataset to S3, packed into shards, once per content"
EXAMPLE = """\
The dataset goes to s3://BUCKET/PREFIX/datasets/FOLDER/<hash of its content>/, and this address is printed on stdout.
Its images travel in shards of 128 MB, which are made in memory while they are sent; --loose sends each by itself.
An upload that was interrupted goes on when the same command is given again; a complete one is not sent again.

examples:
  python -m data_preparation upload dataset s3://my-bucket/ocr --region ap-southeast-1
  python data_preparation/scripts/upload_to_s3.py --bucket my-bucket --prefix ocr --dry-run dataset"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", type=Path, metavar="DATASET", help="the dataset folder")
    cli.add_place_arguments(parser)
    parser.add_argument("--loose", action="store_true", help="every image as an object of its own (default: in shards)")
    parser.add_argument("--dry-run", action="store_true", help="say what would be sent, and write nothing")
    cli.add_aws_arguments(parser)
    parser.add_argument(
        "--kms-key", default="", metavar="KEY", help="encrypt with this KMS key (default: as the bucket does)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object with everything on stdout")


def run(args: argparse.Namespace) -> int:
    """Check and hash, send, print where it is."""
    place = cli.place_of(args)
    from contract.shards import SHARD_BYTES
    from data_preparation.aws import explained, open_session
    from data_preparation.beside import look_beside
    from data_preparation.dataset_files import read_dataset
    from data_preparation.progress import progress, transfer
    from data_preparation.s3_folder import bucket_and_key

    bucket_and_key(place)  # refused before the images are read
    aws: list[Any] = []

    def open_aws() -> None:
        from data_preparation.s3 import upload_client

        with explained("reading the AWS settings of this machine"):
            session, region = open_session(args.profile, args.region)
            aws[:] = session, region, upload_client(session, region)

    with progress("checking") as advance:
        over = partial(look_beside, open_aws, SHARD_BYTES)  # both take as long
        dataset = read_dataset(args.dataset, advance, SHARD_BYTES, over)
    from data_preparation.s3 import upload_dataset

    session, region, client = aws
    with transfer("looking" if args.dry_run else "uploading") as show:
        upload = upload_dataset(
            dataset,
            place,
            session,
            region,
            kms_key=args.kms_key,
            loose=args.loose,
            dry_run=args.dry_run,
            client=client,
            show=show,
        )
    say(describe(upload, args.dry_run))
    if upload.shards == 0 and not args.loose:
        say("note: it lies there loose, as an earlier upload sent or began it, and stays so")
    elif upload.shards and args.loose:
        say("note: it lies there in shards, as an earlier upload sent or began it, and stays so")
    pour(json.dumps(asdict(upload)) if args.json else upload.uri)
    return 0


def describe(upload: DatasetUpload, dry_run: bool) -> str:
    """What was sent, or would be, in one line."""
    if not upload.sent:
        return f"ok: all {counted(upload.files, 'file')} were there already, nothing was sent"
    form = f" in {counted(upload.shards, 'shard')}" if upload.shards else ""
    there = f" ({upload.skipped:,} were there already)" if upload.skipped else ""
    sent = f"{counted(upload.sent, 'object')}, {upload.sent_bytes / 1e6:,.1f} MB"
    if dry_run:
        return f"dry run: {counted(upload.files, 'file')}{form}{there}; would send {sent}, a PUT request each"
    return f"ok: {counted(upload.files, 'file')}{form}{there}; sent {sent}, in {upload.seconds:.1f} s"


def main(argv: list[str] | None = None) -> int:
    parser = cli.Parser(description=SUMMARY, epilog=EXAMPLE)
    add_arguments(parser)
    return cli.run(parser, argv, run)


if __name__ == "__main__":
    cli.end(main())
