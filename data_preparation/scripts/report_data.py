"""Make a page about a dataset for people to look at: what is in it, what is wrong with it, which samples stand out.

python data_preparation/scripts/report_data.py dataset --config rec/rec_mv3_none_bilstm_ctc.yml
"""

from __future__ import annotations

if __name__ == "__main__":  # before the other imports, which Ctrl-C may meet
    from contract.starting import ctrl_c_ends_at_once

    ctrl_c_ends_at_once()

import argparse
from pathlib import Path

from contract.streams import pour
from data_preparation import cli
from data_preparation.cli import say
from data_preparation.recipe_flags import add_recipe_arguments, asked_recipe, check_recipe_arguments

SUMMARY = "make a page about a dataset, with pictures, to look at"
EXAMPLE = """\
The page is one file that needs no network and no other file; its path is printed on stdout.
Exit code 0 when the dataset trains as it is, 1 when not: the page is written all the same, and says why.

example:
  python -m data_preparation report dataset --config rec/rec_mv3_none_bilstm_ctc.yml --output report.html"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", type=Path, metavar="DATASET", help="the dataset folder")
    add_recipe_arguments(parser)
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
    check_recipe_arguments(args)
    from data_preparation.page.place import check_place, write_page

    check_place(args.output)

    from data_preparation.progress import progress
    from data_preparation.report.page import data_report
    from data_preparation.report.survey import take_survey

    recipe = asked_recipe(args)
    with progress("checking") as advance:
        survey = take_survey(args.dataset, recipe, args.tree, advance)
    write_page(args.output, data_report(survey))
    say(f"wrote {args.output} ({args.output.stat().st_size / 1e6:.1f} MB): open it in a browser")
    pour(str(args.output))
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
    cli.end(main())
