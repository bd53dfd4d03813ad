"""Section: the curves of all attempts as one, with the places where the run was taken up again."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from data_preparation.page.blocks import fact, facts
from data_preparation.page.charts import share
from data_preparation.page.curves import Line, Mark, curves
from data_preparation.page.document import Section
from data_preparation.page.markup import Content, Markup, element, join
from data_preparation.wording import counted
from launcher.cloud.curve import Curve
from launcher.run_report.fields import is_number

MARKS = 200  # places that are marked
NAMED = 20  # of them that are named


def course(curve: Curve) -> Section:
    """Loss, accuracy and CER, and how fast it went."""
    loss = _line(curve, "Loss", "loss")
    scores = [_line(curve, "Accuracy", "acc"), _line(curve, "CER", "cer")]
    resumed = [step for step in curve.resumed if is_number(step)]
    mark = Mark("taken up again", resumed[:MARKS])
    charts = [element("p", _lead(resumed, loss))]
    if loss.points:
        charts.append(curves("Loss of training", "step", [loss], mark, form=lambda value: f"{value:.3g}", is_log=True))
    if any(line.points for line in scores):
        caption = "Accuracy and CER on the validation set"
        charts.append(curves(caption, "step", scores, mark, form=lambda value: share(value, 1), top=1))
    return Section("curves", "The curves", join(*charts, _speed(curve)))


def _line(curve: Curve, name: str, key: str) -> Line:
    points = [(float(row["step"]), float(row[key])) for row in curve.rows if is_number(row.get(key))]
    return Line(name, points)


def _lead(resumed: Sequence[int], loss: Line) -> str:
    if not loss.points:
        return "No step of this run is known."
    if not resumed:
        return "The run was never taken up again: these are the curves of one attempt."
    steps = ", ".join(f"{step:,}" for step in resumed[:NAMED])
    more = f" and {len(resumed) - NAMED:,} more" if len(resumed) > NAMED else ""
    return (
        f"The run was taken up again {counted(len(resumed), 'time')}, at step {steps}{more}. Every step is there once:"
        " what was trained anew after an interruption replaces what was there before."
    )


def _speed(curve: Curve) -> Markup | None:
    rows: list[tuple[str, Content]] = []
    speeds = [row["samples_per_s"] for row in curve.rows if is_number(row.get("samples_per_s"))]
    if speeds:
        rows.append(("Samples a second", fact(f"{median(speeds):,.{0 if median(speeds) >= 100 else 1}f}", "median")))
    waits = [row["reader_share"] for row in curve.rows if is_number(row.get("reader_share"))]
    if waits:
        rows.append(("Waiting for data", fact(share(median(waits), 1), "of the time, median")))
    return join(element("h3", "Speed"), facts(rows)) if rows else None
