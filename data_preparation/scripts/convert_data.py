"""Turn annotated crops, or annotated pages, into a dataset.

python data_preparation/scripts/convert_data.py --input-images crops --input-labels labels.txt --output-dir data
"""

from __future__ import annotations

if __name__ == "__main__":  # before the other imports, which Ctrl-C may meet
    from contract.starting import ctrl_c_ends_at_once

    ctrl_c_ends_at_once()

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contract.dataset import IMAGES
from contract.errors import UserError
from contract.quoting import quoted
from data_preparation import cli
from data_preparation.cli import say
from data_preparation.sources import FORMATS, LEVELS
from data_preparation.split_flags import add_split_arguments, split_rule
from data_preparation.wording import counted, in_shell, verb

if TYPE_CHECKING:
    from data_preparation.regions import PageSource
    from data_preparation.sources.entries import Source
    from data_preparation.split import Split

SUMMARY = "turn annotated crops or pages into a dataset"
EXAMPLE = """\
crops:
  a folder of crops and a label file (image path, tab, text; BOM and CRLF are fine)
  a folder of crops and a table: CSV, or JSON with an image and its text in each line
  folders of name.png (name.bin.png, name.jpg, …) and name.gt.txt or name.txt, searched with their subfolders
  a folder with train.txt and val.txt
pages, from which the annotated regions are cut out:
  PPOCRLabel's Label.txt, ICDAR 2015 text files, LabelMe's JSON files, PAGE XML, ABBYY XML,
  answers of Amazon Textract, manifests of SageMaker Ground Truth (also of crops)

examples:
  python data_preparation/scripts/convert_data.py --input-images crops --input-labels labels.txt \\
    --output-dir dataset
  python data_preparation/scripts/convert_data.py --input-images pages --input-labels pages/Label.txt \\
    --output-dir dataset --padding 10%"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--input-images", type=Path, required=True, metavar="DIR", help="the folder of the crops or pages"
    )
    parser.add_argument(
        "--input-labels",
        type=Path,
        metavar="FILE_OR_DIR",
        help="the label file, or the folder of the annotations (default: the folder of the images)",
    )
    parser.add_argument("--output-dir", type=Path, required=True, metavar="DIR", help="the dataset: a new folder")
    add_split_arguments(parser)
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="auto",
        help="how the labels are stored (default: auto, which says what it found)",
    )
    spelling = parser.add_mutually_exclusive_group()
    spelling.add_argument(
        "--normalise",
        action="store_true",
        default=True,
        help="spell what looks the same the same: NFC, order of Thai marks, no zero-width characters, no spaces at the"
        " ends (default)",
    )
    spelling.add_argument(
        "--as-written", dest="normalise", action="store_false", help="leave every label as it is, and say which are odd"
    )
    parser.add_argument(
        "--skip-bad",
        action="store_true",
        help="leave bad crops out and list them in rejected.csv (regions of pages always are)",
    )
    parser.add_argument(
        "--columns",
        metavar="IMAGE,TEXT",
        help="csv and json: the columns or keys of image and text, by name or by number from 1 (default: guessed)",
    )
    cli.add_encoding_argument(parser, "of label files and tables that have no byte order mark and are")
    pages = parser.add_argument_group("annotated pages")
    pages.add_argument(
        "--level", choices=LEVELS, help="what is cut out, where the annotation knows both (default: line)"
    )
    pages.add_argument(
        "--padding",
        type=_padding,
        default=(0.0, False),
        metavar="P",
        help="what to cut out around a region: pixels, or a share of its height such as 10%% (default: 0)",
    )
    pages.add_argument(
        "--keep-tall", action="store_true", help="do not turn tall crops (1.5 times as high as wide), as PaddleOCR does"
    )
    pages.add_argument(
        "--image-format", choices=("jpg", "png"), default="jpg", help="of the crops (default: jpg, of quality 95)"
    )
    pages.add_argument(
        "--workers", type=cli.positive_int, metavar="N", help="processes that cut (default: by pages and CPUs)"
    )


def run(args: argparse.Namespace) -> int:
    """Read the annotations, then convert what they are of: crops, or pages to cut."""
    from data_preparation.new_folder import check_new
    from data_preparation.regions import PageSource
    from data_preparation.sources.reading import only_file, read_source
    from data_preparation.spelling import spelled

    check_new(args.output_dir)
    labels = only_file(args.input_labels) if args.input_labels else args.input_images
    source = read_source(
        args.input_images, labels, args.format, level=args.level, columns=args.columns, encoding=args.encoding
    )
    source = spelled(source, args.normalise)
    say(f"format: {source.format} ({source.reason})")
    for note in source.notes:
        say(f"note: {note}")
    manifest = _convert_pages(args, source) if isinstance(source, PageSource) else _convert_crops(args, source, labels)
    left_out = f", {manifest['rejected']:,} left out (rejected.csv)" if manifest["rejected"] else ""
    say(
        f"wrote {args.output_dir}: {manifest['train']:,} train and {manifest['val']:,} val samples,"
        f" {counted(manifest['characters'], 'character')}{left_out}"
    )
    dataset = in_shell(args.output_dir)
    say(f"next: python -m data_preparation validate {dataset} --config rec/rec_mv3_none_bilstm_ctc.yml")
    return 0


def _convert_crops(args: argparse.Namespace, source: Source, labels: Path) -> dict[str, Any]:
    """Check everything, then copy. Nothing is written when a sample is bad, unless --skip-bad."""
    from data_preparation.conversion import check_entries, plan_conversion, write_conversion
    from data_preparation.grouping import groups_of
    from data_preparation.problems_text import show_problems
    from data_preparation.progress import progress
    from data_preparation.rejected import REJECTED

    table = labels if source.format == "csv" else None
    rule = split_rule(args, table)
    names = [entry.name for entry in source.entries]
    groups_of(names, rule.group_by, rule.groups, rule.encoding)  # refused before images are read
    with progress("checking") as advance:
        entries, problems = check_entries(source, advance)
    if problems:
        show_problems(problems, f"{REJECTED} lists all" if args.skip_bad else f"--skip-bad lists all in {REJECTED}")
    if problems and not args.skip_bad:
        raise UserError(
            f"{len(problems)} of {counted(source.lines, 'sample')} {verb(len(problems), 'is', 'are')} bad,"
            " so nothing was written:"
            " correct them or leave them out with --skip-bad"
        )
    plan = plan_conversion(source, entries, problems, rule)
    _say_split(plan.split)
    with progress("copying") as advance:
        return write_conversion(plan, args.output_dir, with_rejected=args.skip_bad, advance=advance)


def _convert_pages(args: argparse.Namespace, source: PageSource) -> dict[str, Any]:
    """Cut every region out that can be, and list the others."""
    from data_preparation.cropping import Cut
    from data_preparation.page_conversion import convert_pages
    from data_preparation.problems_text import show_problems
    from data_preparation.progress import progress
    from data_preparation.rejected import REJECTED

    padding, relative = args.padding
    with progress("cutting pages") as advance:
        done = convert_pages(
            source,
            args.input_images,
            args.output_dir,
            Cut(padding, relative, not args.keep_tall, args.image_format),
            workers=args.workers,
            rule=split_rule(args),
            advance=advance,
        )
    show_problems(done.rejected, f"{REJECTED} lists all", "region")
    crops = done.manifest["train"] + done.manifest["val"]
    say(f"{counted(source.count, 'region')}: {crops:,} cut out, {len(done.rejected):,} left out")
    if done.turned:
        shown = min(done.turned, key=lambda crop: len(crop.label))  # a letter or digit is tall without being turned
        say(
            f"{len(done.turned):,} of {counted(crops, 'crop')} {verb(len(done.turned), 'is', 'are')} tall and turned by"
            f" 90 degrees, such as {IMAGES}/{shown.name} ({quoted(shown.label)}): --keep-tall keeps them upright"
        )
    _say_split(done.split)
    return done.manifest


def _say_split(split: Split) -> None:
    say(f"split: {split.reason}")
    for note in split.notes:
        say(f"note: {note}")


def main(argv: list[str] | None = None) -> int:
    parser = cli.Parser(description=SUMMARY, epilog=EXAMPLE)
    add_arguments(parser)
    return cli.run(parser, argv, run)


def _padding(text: str) -> tuple[float, bool]:
    """Pixels, or a share of the height: (padding, whether it is a share)."""
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        number = -1.0
    if not 0 <= number <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number of pixels up to 100 nor a share such as 10%")
    return (number / 100, True) if text.endswith("%") else (number, False)


if __name__ == "__main__":
    cli.end(main())
