"""Section: the recipe as it was trained, and what was changed in it, by whom or what, and why."""

from __future__ import annotations

from typing import Any

from data_preparation.page.document import Section
from data_preparation.page.markup import Markup, element, join
from data_preparation.page.tables import Column, table
from data_preparation.page.visible import visible
from data_preparation.wording import counted
from launcher.cloud.job import Job
from launcher.run_report.fields import Fields
from launcher.run_report.record import Record
from launcher.run_report.room import fitting

LONGEST = 160  # code points of a value
ROOM, ROOM_FOR_KEPT = 300_000, 100_000  # characters of the page for a table or a file; recipes take some 10,000


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
            _table("What was changed in the recipe, and why", changed, ROOM) if changed else None,
            _kept(kept),
            _file(record.config),
        ),
    )


def _table(caption: str, changes: list[Fields], room: int) -> Markup:
    columns = [Column("Key"), Column("Before"), Column("Trained with"), Column("Why")]
    rows = (
        [
            element("code", visible(each.text("key"), LONGEST)),
            _value(each.content.get("before")),
            _value(each.content.get("after")),
            visible(each.text("reason"), LONGEST),
        ]
        for each in changes
    )
    return table(caption, columns, fitting(rows, room))


def _kept(changes: list[Fields]) -> Markup | None:
    """What was looked at and stayed as it is."""
    if not changes:
        return None
    summary = element("summary", f"{counted(len(changes), 'more decision')} that changed nothing")
    return element("details", summary, _table("What was decided and changed nothing", changes, ROOM_FOR_KEPT))


def _value(value: Any) -> Markup:
    if value is None:
        return element("span", "not set", class_="quiet")
    return element("code", visible(str(value), LONGEST))


def _file(config: str) -> Markup | None:
    if not config:
        return None
    lines = [[visible(line, 400)] for line in config.split("\n")]
    shown = fitting(lines, ROOM)
    text = join(*(join(line, "\n") for (line,) in shown), "… and more" if len(shown) < len(lines) else None)
    code = element("pre", element("code", text), class_="file", tabindex=0, role="region", aria_label="config.yml")
    return element("details", element("summary", "config.yml, the recipe as it was trained"), code)


def asked_for(job: Job) -> Section:
    """What a job on SageMaker was asked for: all that is known of its recipe before there is a model."""
    rows = ([element("code", visible(key, LONGEST)), visible(value, LONGEST)] for key, value in job.hyperparameters)
    listed = table("What the job was asked for", [Column("Key"), Column("Value")], fitting(rows, ROOM))
    return Section("recipe", "What the job was asked for", listed)
