"""Section: the recipe as it was trained, and what was changed in it, by whom or what, and why."""

from __future__ import annotations

from typing import Any

from data_preparation.page.document import Section
from data_preparation.page.markup import Content, Markup, element, join
from data_preparation.page.tables import Column, table
from data_preparation.page.visible import visible
from data_preparation.wording import counted
from launcher.cloud.job import Job
from launcher.run_report.fields import Fields
from launcher.run_report.record import Record

ROWS = 300
LONGEST = 160  # code points of a value


def recipe(record: Record) -> Section:
    """The changes, and the whole file."""
    config = record.facts.inside("config")
    changes = config.objects("changes")
    changed = [each for each in changes if each.content.get("before") != each.content.get("after")]
    kept = [each for each in changes if each.content.get("before") == each.content.get("after")]
    name = element("code", visible(config.text("name"), LONGEST))
    lead = element("p", name, f" with {counted(len(changed), 'change')}:")
    return Section(
        "recipe",
        "The recipe",
        join(
            lead,
            _table("What was changed in the recipe, and why", changed[:ROWS]) if changed else None,
            _kept(kept),
            _file(record.config),
        ),
    )


def _table(caption: str, changes: list[Fields]) -> Markup:
    columns = [Column("Key"), Column("Before"), Column("Trained with"), Column("Why")]
    rows: list[list[Content]] = [
        [
            element("code", visible(each.text("key"), LONGEST)),
            _value(each.content.get("before")),
            _value(each.content.get("after")),
            visible(each.text("reason"), LONGEST),
        ]
        for each in changes
    ]
    return table(caption, columns, rows)


def _kept(changes: list[Fields]) -> Markup | None:
    """What was looked at and stayed as it is."""
    if not changes:
        return None
    summary = element("summary", f"{counted(len(changes), 'more decision')} that changed nothing")
    return element("details", summary, _table("What was decided and changed nothing", changes[:ROWS]))


def _value(value: Any) -> Markup:
    if value is None:
        return element("span", "not set", class_="quiet")
    return element("code", visible(str(value), LONGEST))


def _file(config: str) -> Markup | None:
    if not config:
        return None
    lines = (visible(line, 400) for line in config.split("\n"))
    text = join(*(join(line, "\n") for line in lines))
    code = element("pre", element("code", text), class_="file", tabindex=0, role="region", aria_label="config.yml")
    return element("details", element("summary", "config.yml, the recipe as it was trained"), code)


def asked_for(job: Job) -> Section:
    """What a job on SageMaker was asked for: all that is known of its recipe before there is a model."""
    rows: list[list[Content]] = [
        [element("code", visible(key, LONGEST)), visible(value, LONGEST)] for key, value in job.hyperparameters
    ]
    listed = table("What the job was asked for", [Column("Key"), Column("Value")], rows)
    return Section("recipe", "What the job was asked for", listed)
