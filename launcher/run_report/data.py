"""Section: what it was trained on and from: dataset, samples that could not be used, pretrained weights."""

from __future__ import annotations

from data_preparation.page.blocks import DOUBTFUL, GOOD, facts, finding
from data_preparation.page.document import Section
from data_preparation.page.markup import Content, Markup, element, join
from data_preparation.page.visible import glyph, visible
from data_preparation.wording import counted
from launcher.run_report.fields import Fields
from launcher.run_report.record import Record

LINES = 100  # of unusable samples that are named
NEW = 200  # characters that are yet to be learnt
LONGEST = 80


def data(record: Record) -> Section:
    """The dataset by its hash, and what of it did not serve."""
    run = record.facts
    dataset = run.inside("dataset")
    rows: list[tuple[str, Content]] = [
        (name, value)
        for name, key in (("Training samples", "train"), ("Validation samples", "val"), ("Characters", "characters"))
        if (value := dataset.count(key)) is not None
    ]
    digest = element("p", "Content hash ", element("code", visible(dataset.text("sha256"), LONGEST)))
    return Section(
        "data",
        "Data",
        join(
            facts(rows),
            digest if dataset.text("sha256") else None,
            _unusable(run.inside("unusable")) if "unusable" in run.content else None,
            _encoded(run.inside("labels")),
            _pretrained(run.inside("pretrained")) if "pretrained" in run.content else None,
        ),
    )


def _unusable(found: Fields) -> Markup:
    """Lines of the label files whose samples passed the checks and could not be used later."""
    lists = []
    for split in ("train", "val"):
        lines = found.inside(split).counts("lines")
        if lines:
            named = ", ".join(f"{split}.txt:{line}" for line in lines[:LINES])
            more = f" and {len(lines) - LINES:,} more" if len(lines) > LINES else ""
            lists.append(element("p", f"{named}{more}"))
    total = sum(found.inside(split).total("samples") for split in ("train", "val"))
    if not total:
        return finding(GOOD, "Every sample could be used")
    words = "They passed the check and could not be used later: an altered image, say. job.log has the reasons."
    return finding(DOUBTFUL, f"{counted(total, 'sample')} could not be used", element("p", words), *lists)


def _encoded(labels: Fields) -> Markup | None:
    """Whether every label has reached the network whole: PaddleOCR's encoder drops what it does not know."""
    lost = [
        split.total(of) - split.total(f"encoded_{of}")
        for split in (labels.inside("train"), labels.inside("val"))
        for of in ("samples", "code_points")
    ]
    if not labels:
        return None
    if not any(lost):
        return finding(GOOD, "Every label was encoded whole")
    samples, points = lost[0] + lost[2], lost[1] + lost[3]
    words = f"{counted(samples, 'label')} and {counted(points, 'character')} were not encoded"
    return finding(DOUBTFUL, words, element("p", "The dictionary does not have them, or they are too long."))


def _pretrained(receipt: Fields) -> Markup:
    if not receipt:
        return element("p", "It began from nothing: there were no pretrained weights.")
    heads = {
        "kept": "its head was kept",
        "rebuilt": "its head was rebuilt, character by character",
        "new": "its head started anew",
    }
    loaded = f": {receipt.total('loaded'):,} of {counted(receipt.total('tensors'), 'tensor')} were taken"
    head = heads.get(receipt.text("head"), "")
    new = receipt.text("new_characters")
    named = join(*(join(glyph(each), " ") for each in new[:NEW]))
    return join(
        element("h3", "Pretrained weights"),
        element(
            "p", element("code", visible(receipt.text("file"), LONGEST)), loaded, f", {head}" if head else None, "."
        ),
        element("p", f"{counted(len(new), 'character')} had to be learnt from nothing: ", named) if new else None,
    )
