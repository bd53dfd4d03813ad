"""The list of what a conversion left out."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from pathlib import Path

from contract.dataset import Problem

REJECTED = "rejected.csv"

_PLACE = re.compile(r"(?P<source>.*?)(:(?P<line>\d+))?(#(?P<ident>[^/#]*))?")  # file, file:line, file#id, file:line#id


def write_rejected(folder: Path, rejected: Iterable[Problem]) -> None:
    """Write rejected.csv: the file of the annotation, its line or id in it, and why it was left out."""
    # Names of files may be no text: such bytes are written as \\udc….
    with (folder / REJECTED).open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("source", "region", "reason"))
        for problem in rejected:
            place = _PLACE.fullmatch(problem.where)
            source, line, ident = place.group("source", "line", "ident") if place else (problem.where, None, None)
            region = "#".join(part for part in (line, ident) if part)
            rows.writerow((source, region, f"{problem.message}; {problem.remedy}"))
