"""Section: does validation ask for what training teaches?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from statistics import median

from contract.scripts import script_of
from data_preparation.page.charts import share
from data_preparation.page.document import Section
from data_preparation.page.markup import Content, Markup, element, join
from data_preparation.page.tables import Column, table
from data_preparation.page.visible import code_point, glyph, name_of
from data_preparation.report.cards import more, place
from data_preparation.report.survey import SPLITS, Survey, Use, leaks
from data_preparation.wording import counted, verb

UNTAUGHT = 100  # rows, at most


def splits(survey: Survey) -> Section:
    """Both sides beside each other, and the characters that only validation has."""
    untaught = [use for use in survey.uses if not use.train]
    columns = [Column("What"), Column("Train", number=True), Column("Val", number=True)]
    return Section(
        "splits",
        "Training and validation",
        join(
            element("p", _lead(survey, untaught)),
            table("Training and validation beside each other", columns, _sides(survey)),
            _untaught(untaught),
        ),
    )


def _lead(survey: Survey, untaught: list[Use]) -> str:
    leaking = sum(map(leaks, survey.same_images))
    parts = []
    if untaught:
        parts.append(
            f"{counted(len(untaught), 'character')} of the validation labels {verb(len(untaught), 'has', 'have')} no"
            " training label: they will be read wrong, and the score says so rightly."
        )
    if leaking:
        parts.append(f"{counted(leaking, 'image')} {verb(leaking, 'is', 'are')} in both.")
    return " ".join(parts) or "Training teaches every character that validation asks for, and no image is in both."


def _sides(survey: Survey) -> list[list[Content]]:
    rows = {split: [row for row in survey.rows if row.split == split] for split in SPLITS}
    lengths = {split: [len(row.sample.label) for row in rows[split]] for split in SPLITS}
    heights = {split: [shot.picture.height for shot in survey.shots if shot.split == split] for split in SPLITS}
    aspects = {split: [shot.aspect for shot in survey.shots if shot.split == split] for split in SPLITS}
    counts = {"train": Counter[str](), "val": Counter[str]()}
    for use in survey.uses:
        counts["train"][script_of(use.character)] += use.train
        counts["val"][script_of(use.character)] += use.val

    def side(what: str, figure: Callable[[str], Content]) -> list[Content]:
        return [what, *(figure(split) for split in SPLITS)]

    def of_script(script: str) -> list[Content]:
        return side(f"Characters: {script}", lambda split: share(counts[split][script], counts[split].total()))

    return [
        side("Samples", lambda split: len(rows[split])),
        side("Different labels", lambda split: len({row.sample.label for row in rows[split]})),
        side("Different characters", lambda split: sum(bool(getattr(use, split)) for use in survey.uses)),
        side("Length of a label, median", lambda split: _median(lengths[split], "{:.0f}")),
        side("Longest label", lambda split: max(lengths[split], default=0)),
        side("Height of an image, median", lambda split: _median(heights[split], "{:,.0f} px")),
        side("Width ÷ height, median", lambda split: _median(aspects[split], "{:.1f}")),
        *(of_script(script) for script, _ in (counts["train"] + counts["val"]).most_common(8)),
    ]


def _median(values: list[int] | list[float], form: str) -> str:
    return form.format(median(values)) if values else "–"


def _untaught(untaught: list[Use]) -> Markup | None:
    if not untaught:
        return None
    columns = [Column("Character"), Column("Name"), Column("Val", number=True), Column("First in")]
    rows = [
        (
            element("span", glyph(use.character), class_="glyph"),
            join(element("code", code_point(use.character)), " ", name_of(use.character)),
            use.val,
            place(use.place),
        )
        for use in untaught[:UNTAUGHT]
    ]
    return join(
        element("h3", "Characters that only validation has"),
        table("Characters that only validation has", columns, rows, sortable=True),
        more(len(rows), len(untaught), "characters"),
    )
