"""Split a dataset into training and validation anew.

python data_preparation/scripts/split_dataset.py dataset --val-fraction 0.1 --group-by page
"""

from __future__ import annotations

if __name__ == "__main__":  # before the other imports, which Ctrl-C may meet
    from contract.starting import ctrl_c_ends_at_once

    ctrl_c_ends_at_once()

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from contract.errors import UserError
from contract.streams import pour
from data_preparation import cli
from data_preparation.cli import say
from data_preparation.split_flags import add_split_arguments, split_rule
from data_preparation.wording import counted, verb

if TYPE_CHECKING:
    from data_preparation.resplit import Resplit

SUMMARY = "split a dataset into training and validation anew"
EXAMPLE = """\
A hash decides, so the same flags make the same split, and adding samples moves none of the others. Samples of one
page or group, equal images and near-duplicates stay on one side. Only train.txt, val.txt and dataset.json change; the
label files as they were are kept as train.txt.before and val.txt.before.

examples:
  python -m data_preparation split dataset --val-fraction 0.2 --dry-run
  python -m data_preparation split dataset --group-by writer --groups writers.csv
  python -m data_preparation split dataset --group-by '^(book\\d+)/'"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", type=Path, metavar="DATASET", help="the dataset folder, loose or packed")
    add_split_arguments(parser)
    cli.add_encoding_argument(parser, "of a table of --groups that has no byte order mark and is")
    parser.add_argument("--dry-run", action="store_true", help="say what would change and write nothing")
    parser.add_argument("--json", action="store_true", help="print one JSON object with everything on stdout")


def run(args: argparse.Namespace) -> int:
    """Finish what was interrupted, look at every image, choose, write."""
    from data_preparation.label_swap import STAGED, finish
    from data_preparation.progress import progress
    from data_preparation.resplit import plan_resplit

    if args.encoding and not args.groups:
        raise UserError("--encoding is that of a table of groups: name the table with --groups")
    if args.dry_run and (args.dataset / STAGED).is_dir():
        raise UserError(f"{args.dataset} has a split that was interrupted: without --dry-run it is finished first")
    if finish(args.dataset):
        say("note: a split that was interrupted has been finished first")
    with progress("looking at images") as advance:
        plan = plan_resplit(args.dataset, split_rule(args), advance)
    say(f"split: {plan.split.reason}")
    for note in plan.split.notes:
        say(f"note: {note}")
    if plan.moving and not args.dry_run:
        plan.write()
    _explain(plan, written=not args.dry_run)
    if args.json:
        facts = {"train": plan.manifest["train"], "val": plan.manifest["val"], "moved": plan.moving}
        pour(json.dumps({**facts, "split": plan.split.facts, "written": bool(plan.moving and not args.dry_run)}))
    return 0


def main(argv: list[str] | None = None) -> int:
    parser = cli.Parser(description=SUMMARY, epilog=EXAMPLE)
    add_arguments(parser)
    return cli.run(parser, argv, run)


def _explain(plan: Resplit, written: bool) -> None:
    sizes = f"{plan.manifest['train']:,} train and {plan.manifest['val']:,} val samples"
    if not plan.moving:
        say(f"nothing to do: {plan.folder} is split so already, {sizes}")
    elif written:
        say(f"wrote {plan.folder}: {sizes}, {plan.moving:,} changed sides; the old files end in .before")
    else:
        change = verb(plan.moving, "changes", "change")
        say(f"{counted(plan.moving, 'sample')} {change} sides: {sizes}; nothing was written")


if __name__ == "__main__":
    cli.end(main())
