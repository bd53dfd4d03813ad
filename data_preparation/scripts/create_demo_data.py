"""Draw a dataset of word crops to try the pipeline with.

python data_preparation/scripts/create_demo_data.py --output-dir demo --kinds digits,english
"""

from __future__ import annotations

if __name__ == "__main__":  # before the other imports, which Ctrl-C may meet
    from contract.starting import ctrl_c_ends_at_once

    ctrl_c_ends_at_once()

import argparse
from pathlib import Path

from contract.errors import UserError
from data_preparation import cli
from data_preparation.cli import say
from data_preparation.demo.words import KINDS, Kind

SUMMARY = "draw a dataset of word crops to try the pipeline with"
EXAMPLE = """\
The same flags draw the same bytes (with the same Pillow and fonts). Digits and English are drawn with the
font that Pillow carries, the other kinds with fonts of this system.

example:
  python data_preparation/scripts/create_demo_data.py --output-dir demo --count 2000 --kinds digits,english,thai"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output-dir", type=Path, required=True, metavar="DIR", help="the dataset: a new folder")
    parser.add_argument(
        "--count", type=cli.positive_int, default=2000, metavar="N", help="samples in all (default: 2000)"
    )
    parser.add_argument(
        "--val-count",
        type=cli.positive_int,
        metavar="N",
        help="how many of them, the last ones, validate (default: a tenth)",
    )
    parser.add_argument(
        "--kinds",
        type=_kinds,
        default=(KINDS["digits"],),
        metavar="KIND,…",
        help=f"what to draw, in turns: {', '.join(KINDS)} (default: digits)",
    )
    parser.add_argument("--seed", type=cli.seed, default=1024, metavar="N", help="(default: 1024)")


def run(args: argparse.Namespace) -> int:
    """Find the fonts, then draw into a folder that appears when it is complete."""
    train_count = _train_count(args.count, args.val_count)

    from data_preparation.dataset_writer import DatasetWriter
    from data_preparation.demo.fonts import faces_for, shapes_text
    from data_preparation.demo.samples import draw_sample
    from data_preparation.new_folder import check_new, new_folder
    from data_preparation.progress import progress
    from data_preparation.wording import counted

    check_new(args.output_dir)
    faces = {kind.name: faces_for(kind) for kind in args.kinds}
    if "thai" in faces and not shapes_text():
        say("note: this Pillow has no Raqm, so stacked Thai marks may touch; the wheel of PyPI has it")
    with new_folder(args.output_dir) as folder, progress("drawing") as advance:
        writer = DatasetWriter(folder)
        for number in range(args.count):
            label, image = draw_sample(number, args.seed, args.kinds, faces)
            writer.add("train" if number < train_count else "val", f"{number:06}.png", label, image)
            advance(number + 1, args.count)
        kinds = [kind.name for kind in args.kinds]
        manifest = writer.finish({"source": "demo", "kinds": kinds, "seed": args.seed})
    say(
        f"wrote {args.output_dir}: {manifest['train']:,} train and {manifest['val']:,} val samples,"
        f" {counted(manifest['characters'], 'character')}"
    )
    return 0


def main(argv: list[str] | None = None) -> int:
    parser = cli.Parser(description=SUMMARY, epilog=EXAMPLE)
    add_arguments(parser)
    return cli.run(parser, argv, run)


def _kinds(text: str) -> tuple[Kind, ...]:
    names = list(dict.fromkeys(name.strip() for name in text.split(",")))
    unknown = [name for name in names if name not in KINDS]
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown kind {unknown[0]!r}, known: {', '.join(KINDS)}")
    return tuple(KINDS[name] for name in names)


def _train_count(count: int, val_count: int | None) -> int:
    val_count = max(1, count // 10) if val_count is None else val_count
    if val_count >= count:
        raise UserError(f"--val-count {val_count} leaves nothing of --count {count} to train on: lower it")
    return count - val_count


if __name__ == "__main__":
    cli.end(main())
