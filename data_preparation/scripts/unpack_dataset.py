"""Write the images of a packed dataset as files of their own again.

python data_preparation/scripts/unpack_dataset.py packed --output-dir dataset
"""

from __future__ import annotations

if __name__ == "__main__":  # before the other imports, which Ctrl-C may meet
    from contract.starting import ctrl_c_ends_at_once

    ctrl_c_ends_at_once()

import argparse
from pathlib import Path

from data_preparation import cli
from data_preparation.cli import say
from data_preparation.wording import counted

SUMMARY = "write the images of a packed dataset as files of their own again"
EXAMPLE = """\
Every file is byte for byte what was packed, and verified on the way.

example:
  python -m data_preparation unpack packed --output-dir dataset"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", type=Path, metavar="DATASET", help="the packed dataset")
    parser.add_argument("--output-dir", type=Path, required=True, metavar="DIR", help="the loose one: a new folder")


def run(args: argparse.Namespace) -> int:
    """Unpack into a folder that appears when it is complete."""
    from data_preparation.new_folder import new_folder
    from data_preparation.packing import unpack_dataset
    from data_preparation.progress import progress

    with new_folder(args.output_dir) as folder, progress("unpacking") as advance:
        images = unpack_dataset(args.dataset, folder, advance)
    say(f"wrote {args.output_dir}: {counted(images, 'image')}")
    return 0


def main(argv: list[str] | None = None) -> int:
    parser = cli.Parser(description=SUMMARY, epilog=EXAMPLE)
    add_arguments(parser)
    return cli.run(parser, argv, run)


if __name__ == "__main__":
    cli.end(main())
