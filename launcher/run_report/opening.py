"""What the page says first: how the run ended, how well the model reads, and the figures that one asks for."""

from __future__ import annotations

from data_preparation.page.blocks import BAD, DOUBTFUL, GOOD, fact, facts, verdict
from data_preparation.page.charts import share
from data_preparation.page.markup import Content, Markup, element, join
from data_preparation.page.visible import visible
from data_preparation.wording import counted
from launcher.cloud.prices import money
from launcher.progress import clock
from launcher.run_report.fields import Fields
from launcher.run_report.record import FAILED, FINISHED, STOPPED, Record

LONGEST = 600  # code points of a reason


def opening(record: Record) -> Markup:
    """How it ended, and the run in figures."""
    return join(_verdict(record), facts(_figures(record)))


def _verdict(record: Record) -> Markup:
    best, reason = record.best, element("p", visible(record.reason, LONGEST)) if record.reason else None
    notes = element("p", _goes_on(record))
    if record.status == FINISHED:
        if not best.number("acc"):
            return verdict(DOUBTFUL, "Finished, and no validation crop is read exactly", reason, notes)
        return verdict(GOOD, _read_exactly(best), reason, notes)
    words = {STOPPED: "Stopped before its end", FAILED: "Failed"}.get(record.status, "Not ended, as far as is known")
    return verdict(BAD if record.status == FAILED else DOUBTFUL, words, reason, notes)


def _read_exactly(best: Fields) -> str:
    return f"Finished: the model reads {share(best.number('acc') or 0, 1)} of the validation crops exactly"


def _goes_on(record: Record) -> str:
    """What there is of it, and what is not."""
    parts = []
    if record.places.model is None:
        parts.append("There is no model here, so this page has what the run has told so far.")
    elif record.is_older:
        parts.append(
            f"The model is of step {record.facts.total('steps'):,}: what is said of its reading is of that one."
        )
    elif record.facts.text("status") == STOPPED:
        parts.append("The model is the best so far.")
    elif record.status != FINISHED:
        parts.append("The model is of an earlier start.")
    differing = record.facts.inside("export").count("read_differently")
    if differing is not None:
        crops = counted(record.facts.inside("export").total("crops"), "validation crop")
        how = "all of them as the trained one did" if not differing else f"{differing:,} of them otherwise"
        parts.append(f"The exported model has read {crops}, {how}.")
    if record.status != FINISHED:
        parts.append("The same call of submit with this run's name goes on from its newest checkpoint.")
    return " ".join(parts)


def _figures(record: Record) -> list[tuple[str, Content]]:
    run, best = record.facts, record.best
    normal = run.inside("scores").inside("normalised")
    rows: list[tuple[str, Content]] = []
    for name, key in (("Accuracy", "acc"), ("CER", "cer")):
        value, other = best.number(key), normal.number(key)
        if value is not None:
            shown, normal_shown = share(value, 1), share(value if other is None else other, 1)
            more = f"{normal_shown} where spellings of one look count as one" if normal_shown != shown else ""
            rows.append((name, fact(shown, more)))
    likeness = best.number("norm_edit_dis")
    if likeness is not None:
        rows.append(("Likeness", fact(share(likeness, 1), "1 − edits ÷ longer text, mean")))
    if best.count("step") is not None:
        epoch = best.number("epoch")
        rows.append(("Best at step", fact(best.total("step"), f"epoch {epoch:,.0f}" if epoch is not None else "")))
    rows.append(("Steps", fact(_steps(record), _of_planned(record))))
    seconds = run.number("seconds")
    if seconds is not None and 0 <= seconds < 1e9:
        rows.append(("Time of training", fact(clock(seconds), "evaluations and starts are not in it")))
    resumed = record.curve.resumed
    rows.append(("Taken up again", fact(counted(len(resumed), "time"), "after an interruption or a stop")))
    if record.jobs.cost is not None:
        more = "an estimate: see below" if record.jobs.are_over else "so far, without the job under way"
        rows.append(("Cost", fact(money(record.jobs.cost, record.jobs.currency), more)))
    return rows


def _steps(record: Record) -> int:
    last = record.curve.last
    return max(record.facts.total("steps"), last["step"] if last else 0)


def _of_planned(record: Record) -> str:
    planned = record.curve.steps
    return f"of {planned:,}" if planned and planned > _steps(record) else ""
