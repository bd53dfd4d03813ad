"""The flags of a split, for every verb that makes one."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from data_preparation import cli

PAGE, FOLDER, SAMPLE = "page", "folder", "sample"  # of --group-by


@dataclass(frozen=True)
class SplitRule:
    """How to split where nothing else says it."""

    seed: int = 1024
    fraction: float = 0.1  # of the samples, to validate
    group_by: str = PAGE
    groups: Path | None = None  # the table that group_by is a column of
    encoding: str | None = None  # of that table, if it is not UTF-8


def add_split_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--val-fraction",
        type=cli.fraction,
        default=SplitRule.fraction,
        metavar="F",
        help=f"share of the samples that validate, unless folders or files are a split (default: {SplitRule.fraction})",
    )
    parser.add_argument(
        "--seed",
        type=cli.seed,
        default=SplitRule.seed,
        metavar="N",
        help=f"of the split (default: {SplitRule.seed})",
    )
    parser.add_argument(
        "--group-by",
        default=SplitRule.group_by,
        metavar="WHAT",
        help="what stays on one side: page (that crops were cut from), folder, sample, a regular expression whose"
        " groups are searched in the image's path, or a column of --groups or of the labels' table (default: page)",
    )
    parser.add_argument(
        "--groups", type=Path, metavar="FILE", help="a table with a header: a column image, and that of --group-by"
    )


def split_rule(args: argparse.Namespace, labels: Path | None = None) -> SplitRule:
    """labels: a table of labels, which --group-by may name a column of when no other table is given."""
    by = args.group_by
    column = labels is not None and by not in (PAGE, FOLDER, SAMPLE) and "(" not in by  # a pattern has a group
    return SplitRule(args.seed, args.val_fraction, by, args.groups or (labels if column else None), args.encoding)
