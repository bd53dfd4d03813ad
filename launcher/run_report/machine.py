"""Section: what it trained on: GPU use, versions, processes."""

from __future__ import annotations

from data_preparation.page.blocks import fact, facts
from data_preparation.page.document import Section
from data_preparation.page.markup import Content, Markup, element, join
from data_preparation.page.tables import Column, table
from data_preparation.page.visible import visible
from launcher.run_report.fields import Fields
from launcher.run_report.record import Record

GPUS = 16  # rows
LONGEST = 80  # code points of a name


def machine(record: Record) -> Section:
    """Of the first host, where there were several."""
    run = record.facts
    told = join(_gpus(run) if "gpu" in run.content else None, element("h3", "Versions"), facts(_versions(run)))
    return Section("machine", "Machine and versions", told)


def _gpus(run: Fields) -> Markup:
    cards = run.objects("gpu")[:GPUS]
    if not cards:
        return element("p", "No GPU was there: it trained on the CPU.")
    columns = [
        *(Column("GPU"), Column("Busy, mean", number=True), Column("Busy, most", number=True)),
        *(Column("Memory, most", number=True), Column("Warmest", number=True), Column("Power, most", number=True)),
    ]
    words = (
        "Of the last attempt, on the first host, every two seconds. A GPU that is busy for less than half of the time"
        " waits for data: more workers, or a machine with more CPUs for it, train faster."
    )
    return join(element("p", words), table("What each GPU did", columns, map(_gpu, cards)))


def _gpu(card: Fields) -> list[Content]:
    busy, memory = card.inside("utilization"), card.inside("memory_mb")
    total = memory.number("total")
    of_all = f" of {total:,.0f} MB" if total is not None else ""
    return [
        join(f"{card.total('device')} ", visible(card.text("name"), LONGEST)),
        _said(busy.number("mean"), " %"),
        _said(busy.number("max"), " %"),
        _said(memory.number("peak"), of_all or " MB"),
        _said(card.inside("temperature_c").number("max"), " °C"),
        _said(card.inside("power_w").number("max"), " W"),
    ]


def _said(value: float | None, unit: str) -> str:
    return "not told" if value is None else f"{value:,.0f}{unit}"


def _versions(run: Fields) -> list[tuple[str, Content]]:
    versions = run.inside("versions")
    names = {"paddle": "Paddle", "python": "Python", "networks": "Networks", "device": "Device"}
    more = {"networks": "ppocr_rec: of this repository", "device": "of the first process"}
    rows: list[tuple[str, Content]] = [
        (name, fact(visible(versions.text(key), LONGEST), more.get(key, "")))
        for key, name in names.items()
        if versions.text(key)
    ]
    processes = run.count("processes")
    return rows + ([("Processes", processes)] if processes else [])
