"""`python -m launcher metrics`: the curve of a run, from its logs alone."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

from contract.errors import UserError
from launcher.cloud.call import read_call
from launcher.entry import enter
from launcher.people import answer, say

if TYPE_CHECKING:
    from launcher.cloud.curve import Curve


class NotWritten(UserError):
    """A file that the disk refuses."""


def main(argv: list[str] | None = None) -> int:
    """One call. Returns the exit code."""
    return enter(argv, metrics, (NotWritten,), result="run")


def metrics(argv: list[str]) -> int:
    """Which run, read its logs, write table and picture."""
    call = read_call("metrics", argv)
    # Imported here: --help and a wrong flag need none of this (boto3).
    from launcher.cloud.job import find_job, jobs_of_run
    from launcher.cloud.story import read_story

    account = call.account()
    job = find_job(account, call.named[0])
    jobs = jobs_of_run(account, job.run) if job.run else [job]
    curve = read_story(account, jobs).curve
    run = job.run or job.name
    if not curve.rows:
        raise UserError(f"{run} has logged no step yet: `{call.commands('status', run)}` says where it stands")
    table, picture = call.text("csv"), call.text("plot")
    if table:
        _write(Path(table), as_csv(curve).encode())
    if picture:
        from launcher.cloud.plot import draw_curve

        _write(Path(picture), draw_curve(curve, run))
    if call.json:
        rows = [row | {"time": row["time"].isoformat()} for row in curve.rows]
        best = curve.best and {name: curve.best.get(name) for name in ("acc", "cer", "norm_edit_dis", "epoch", "step")}
        shown = {"run": run, "rows": rows, "resumed": curve.resumed, "steps": curve.steps, "best": best}
        return answer(json.dumps(shown), 0)
    return 0 if table or picture else answer(as_csv(curve).rstrip("\n"), 0)


def as_csv(curve: Curve) -> str:
    """One line per step; what was not measured at a step is empty."""
    from launcher.cloud.curve import FIELDS

    out = io.StringIO()
    writer = csv.DictWriter(out, FIELDS, lineterminator="\n")
    writer.writeheader()
    for row in curve.rows:
        writer.writerow(row | {"time": row["time"].isoformat()})
    return out.getvalue()


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise NotWritten(f"{path}: {error.strerror}: name another file") from None
    say(f"wrote {path}")


if __name__ == "__main__":
    raise SystemExit(main())
