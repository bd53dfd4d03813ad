"""Pack a dataset's images into a few large files.

python data_preparation/scripts/pack_dataset.py dataset --output-dir packed
"""

from __future__ import annotations

if __name__ == "__main__":  # before the other imports, which Ctrl-C may meet
    from contract.starting import ctrl_c_ends_at_once

    ctrl_c_ends_at_once()

import argparse
from functools import partial
from pathlib import Path

from contract.errors import UserError
from contract.shards import SHARD_BYTES
from data_preparation import cli
from data_preparation.cli import say
from data_preparation.wording import counted

SUMMARY = "pack a dataset's images into a few large files"
EXAMPLE = """\
The packed dataset trains like the loose one, to the bit, and everything takes it: validate, upload, submit.
Each image is checked on the way; with a bad one nothing is written. unpack brings the image files back.

example:
  python -m data_preparation pack dataset --output-dir packed"""

SHARD_MB = SHARD_BYTES // 1_000_000
QUALITY = 95


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", type=Path, metavar="DATASET", help="the dataset folder")
    parser.add_argument(
        "--output-dir", type=Path, required=True, metavar="DIR", help="the packed dataset: a new folder"
    )
    parser.add_argument(
        "--shard-mb",
        type=cli.positive_int,
        default=SHARD_MB,
        metavar="N",
        help=f"megabytes of a shard at most (default: {SHARD_MB})",
    )
    parser.add_argument(
        "--reencode",
        choices=("jpeg",),
        help="make every image that is none a JPEG: smaller, quicker to decode, not what it was (default: keep all)",
    )
    parser.add_argument("--quality", type=_quality, metavar="N", help=f"of --reencode, 1 to 100 (default: {QUALITY})")
    cli.add_lookers_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Check and pack in one pass, into a folder that appears when it is complete."""
    from contract.images import open_images
    from data_preparation.images import look
    from data_preparation.looking import over
    from data_preparation.new_folder import new_folder
    from data_preparation.packing import pack_dataset
    from data_preparation.progress import progress
    from data_preparation.reencoding import AsJpeg, note_reencoding

    if args.quality and not args.reencode:
        raise UserError("--quality is that of --reencode jpeg: give both, or neither to keep the images as they are")
    quality = args.quality or QUALITY
    images = partial(AsJpeg, quality=quality) if args.reencode else open_images
    with new_folder(args.output_dir) as folder, progress("packing") as advance:
        packed = pack_dataset(
            args.dataset,
            folder,
            advance,
            decode=look,
            shard_bytes=args.shard_mb * 1_000_000,
            over=over(args.workers),
            images=images,
        )
        if args.reencode:
            note_reencoding(folder, quality, packed.report.content_sha256)
    for note in packed.report.notes:
        say(f"note: {note}")
    say(
        f"wrote {args.output_dir}: {len(packed.report.aspects):,} samples in {counted(len(packed.shards), 'shard')},"
        f" {packed.bytes / 1e6:,.1f} MB"
    )
    return 0


def _quality(text: str) -> int:
    number = cli.positive_int(text)
    if number > 100:
        raise argparse.ArgumentTypeError(f"{text} is over 100")
    return number


def main(argv: list[str] | None = None) -> int:
    parser = cli.Parser(description=SUMMARY, epilog=EXAMPLE)
    add_arguments(parser)
    return cli.run(parser, argv, run)


if __name__ == "__main__":
    cli.end(main())
