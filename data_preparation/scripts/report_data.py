"""Make a page about a dataset for people to look at: what is in it, what is wrong with it, which samples stand out.

python data_preparation/scripts/report_data.py dataset --config rec/rec_mv3_none_bilstm_ctc.yml
"""

from __future__ import annotations

import argparse
from pathlib import Path

from contract.errors import UserError
from data_preparation import cli
from data_preparation.cli import say

SUMMARY = "make a page about a dataset, with pictures, to look at"
EXAMPLE = """\
The page is one file that needs no network and no other file; its path is printed on stdout.
Exit code 0 when the dataset trains as it is, 1 when not: the page is written all the same, and says why.

example:
  python -m data_preparation report dataset --config rec/rec_mv3_none_bilstm_ctc.yml --output report.html"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", type=Path, metavar="DATASET", help="the dataset folder")
    parser.add_argument(
        "--config",
        metavar="RECIPE",
        help="the recipe to check against: a path, or a name under configs/ (default: look at the dataset alone)",
    )
    parser.add_argument(
        "-o", dest="overrides", action="append", default=[], metavar="K=V", help="override a key of the recipe"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("report.html"), metavar="FILE", help="the page (default: report.html)"
    )
    parser.add_argument(
        "--tree",
        type=Path,
        metavar="DIR",
        help="a PaddleOCR tree, whose dictionaries say which weights suit (default: the one here, if there is one)",
    )
    parser.add_argument("--open", action="store_true", help="show it in the browser")


def run(args: argparse.Namespace) -> int:
    """Check, make the page, put it in its place."""
    if args.overrides and not args.config:
        raise UserError("-o changes a recipe: name the recipe with --config")
    from data_preparation.page.place import check_place, write_page

    check_place(args.output)

    from data_preparation.progress import progress
    from data_preparation.report.page import data_report
    from data_preparation.report.survey import take_survey
    from data_preparation.validation import open_recipe

    recipe = open_recipe(args.config, args.dataset, args.overrides) if args.config else None
    with progress("checking") as advance:
        survey = take_survey(args.dataset, recipe, args.tree, advance)
    write_page(args.output, data_report(survey))
    say(f"wrote {args.output} ({args.output.stat().st_size / 1e6:.1f} MB): open it in a browser")
    print(args.output)
    if args.open:
        import webbrowser

        webbrowser.open(args.output.resolve().as_uri())
    if survey.verdict.ok:
        return 0
    say(f"error: {args.dataset} is not fit to train as it is: the page says why")
    return cli.EXIT_REFUSED


def main(argv: list[str] | None = None) -> int:
    parser = cli.Parser(description=SUMMARY, epilog=EXAMPLE)
    add_arguments(parser)
    return cli.run(parser, argv, run)


if __name__ == "__main__":
    raise SystemExit(main())
