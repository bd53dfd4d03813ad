"""Section: how long the labels are, and in which scripts."""

from __future__ import annotations

from collections import Counter

from contract.scripts import script_of
from data_preparation.page.charts import Bar, Bin, Limit, bars, histogram
from data_preparation.page.document import Section
from data_preparation.page.markup import element, join
from data_preparation.report.survey import SPLITS, Survey

COLUMNS = 40  # of the histogram, at most


def labels(survey: Survey) -> Section:
    """Samples by length and characters by script."""
    lengths = {split: Counter(len(row.sample.label) for row in survey.rows if row.split == split) for split in SPLITS}
    scripts: Counter[str] = Counter()
    for use in survey.uses:
        scripts[script_of(use.character)] += use.train + use.val
    rows = [Bar(script, count) for script, count in scripts.most_common()]
    return Section(
        "labels",
        "Labels",
        join(
            element(
                "p",
                "Lengths are counted in code points, as PaddleOCR counts: a Thai letter with a vowel and a tone mark"
                " has three.",
            ),
            histogram("Samples by length of their label", "code points", SPLITS, *_columns(survey, lengths)),
            bars("Characters of the labels by script", "Script", rows),
        ),
    )


def _columns(survey: Survey, lengths: dict[str, Counter[int]]) -> tuple[list[Bin], list[Limit]]:
    """A column for each length, or for several where there are many; the few that are far longer share the last."""
    limits = survey.verdict.limits
    ordered = sorted(sum(lengths.values(), Counter[int]()).elements())
    most = ordered[int(0.995 * (len(ordered) - 1))] if ordered else 1
    end = max(most, limits.longest_label if limits else 0) + 1
    step = -(-end // COLUMNS)
    bins = [
        Bin(_name(start, step), tuple(sum(lengths[split][n] for n in range(start, start + step)) for split in SPLITS))
        for start in range(1, end, step)
    ]
    last = 1 + len(bins) * step
    longer = tuple(sum(count for n, count in lengths[split].items() if n >= last) for split in SPLITS)
    if any(longer):
        bins.append(Bin(f"{last}+", longer))
    if limits is None:
        return bins, []
    return bins, [Limit(limits.longest_label / step, f"the recipe takes {limits.longest_label}")]


def _name(start: int, step: int) -> str:
    return str(start) if step == 1 else f"{start}–{start + step - 1}"
