"""Sections: where the model reads wrong: by length, script and character, and what is taken for what."""

from __future__ import annotations

from data_preparation.page.blocks import DOUBTFUL, badge, facts
from data_preparation.page.charts import Rate, rates, share
from data_preparation.page.document import Section
from data_preparation.page.markup import Content, Markup, element, join
from data_preparation.page.tables import Column, table
from data_preparation.page.visible import code_point, glyph, name_of, visible
from data_preparation.wording import counted
from launcher.run_report.fields import Fields
from launcher.run_report.room import fitting

BUCKETS = 50  # rows of a chart
CHARACTERS = 1000  # rows of their table: half the most frequent, half the rarest
PAIRS = 100
ROOM = 600_000  # characters of the page for their table; a row has some 400
UNTAUGHT = 300  # characters that are listed
RARELY_RIGHT = 0.9  # below it a character is marked

LOW = "below 90 %"


def scores(found: Fields) -> Section:
    """By length of the label and by script. found: `scores` of run.json."""
    lengths = [_length(each) for each in found.objects("by_length")[:BUCKETS]]
    scripts = [
        Rate(visible(script, 40), row.total("right"), row.total("count"))
        for script, row in list(found.inside("by_script").items())[:BUCKETS]
    ]
    lead = (
        f"{counted(found.total('samples'), 'validation label')} with {counted(found.total('characters'), 'character')}"
        f" took {counted(found.total('edits'), 'edit')} to come from what was read to what is written. Lengths are in"
        " code points, as PaddleOCR counts."
    )
    return Section(
        "scores",
        "Where it reads wrong",
        join(
            element("p", lead),
            rates("Crops by length of their label", "Length", "Exact", lengths, "CER"),
            rates("Characters by script", "Script", "Right", scripts),
            _never_trained(found.inside("never_trained")),
        ),
    )


def characters(found: Fields) -> Section:
    """Every character of the validation labels."""
    rows = list(found.inside("by_character").items())
    half = CHARACTERS // 2
    chosen = rows if len(rows) <= CHARACTERS else rows[:half] + rows[-half:]
    shown = fitting((_character(character, row) for character, row in chosen), ROOM)
    columns = [
        *(Column("Character"), Column("Count", number=True), Column("Right", number=True), Column("Remarks")),
        *(Column("Most read as"), Column("Name")),
    ]
    listed = table(
        "Characters of the validation labels",
        columns,
        shown,
        sortable=True,
        search="Search a character, code point or name",
        quick=(LOW,),
    )
    few = f"{len(shown):,} of {len(rows):,} characters are shown, the most frequent and the rarest."
    more = element("p", few, class_="quiet small") if len(shown) < len(rows) else None
    return Section("characters", "Characters", join(listed, more))


def confusions(found: Fields) -> Section:
    """What is taken for what, the most frequent first."""
    held = found.inside("confusions")
    pairs = held.objects("pairs")[:PAIRS]
    edits = found.total("edits")
    columns = [Column("Written"), Column("Read"), Column("Times", number=True), Column("Of all", number=True)]
    columns += [Column("Written is"), Column("Read is")]
    kinds: list[tuple[str, Content]] = [
        ("Replaced", held.total("replaced")),
        ("Left out", held.total("left_out")),
        ("Too many", held.total("too_many")),
    ]
    rest = held.inside("not_listed")
    others = f"{counted(rest.total('edits'), 'edit')} of {counted(rest.total('pairs'), 'other pair')} are not listed."
    return Section(
        "confusions",
        "What is taken for what",
        join(
            facts(kinds),
            table("Characters and their readings", columns, (_pair(pair, edits) for pair in pairs), sortable=True),
            element("p", others, class_="quiet small") if rest.total("pairs") else None,
        )
        if pairs
        else element("p", "Nothing: no character was read wrong."),
    )


def _length(row: Fields) -> Rate:
    start, end = row.total("from"), row.count("to")
    name = f"{start:,}+" if end is None else f"{start:,}" if start == end else f"{start:,}–{end:,}"
    cer = row.number("cer")
    return Rate(name, row.total("right"), row.total("samples"), "" if cer is None else share(cer, 1))


def _character(character: str, row: Fields) -> list[Content]:
    count, right = row.total("count"), row.total("right")
    is_low = right < RARELY_RIGHT * count
    times = row.count("times")
    misread = join(_glyph(row.text("most_read_as")), f" {times:,}×") if times else None
    return [
        _glyph(character),
        count,
        share(right, count),
        badge(DOUBTFUL, LOW) if is_low else None,
        misread,
        _name(character),
    ]


def _pair(pair: Fields, edits: int) -> list[Content]:
    label, read = pair.text("label"), pair.text("read")
    times = pair.total("times")
    return [_glyph(label), _glyph(read), times, share(times, edits), _name(label), _name(read)]


def _glyph(character: str) -> Markup:
    """One character, or the word for none; what is more than one, of a file that was made by hand, is shown as text."""
    if not character:
        return element("span", "nothing", class_="quiet")
    return element("span", glyph(character) if len(character) == 1 else visible(character, 20), class_="glyph")


def _name(character: str) -> Markup | None:
    if len(character) != 1:
        return None
    return join(element("code", code_point(character)), " ", name_of(character))


def _never_trained(found: Fields) -> Markup | None:
    """Characters that nothing could teach."""
    asked, listed = list(found.inside("validation").content), found.text("dictionary")
    parts = []
    if asked:
        named = join(*(join(_glyph(each), " ") for each in asked[:UNTAUGHT]))
        words = f"{counted(len(asked), 'character')} of validation labels that no training label has: "
        parts.append(element("p", words, named))
    if listed:
        named = join(*(join(glyph(each), " ") for each in listed[:UNTAUGHT]))
        words = f"{counted(len(listed), 'character')} of dict.txt that no training label has"
        parts.append(element("details", element("summary", words), element("p", named)))
    return join(element("h3", "Never trained"), *parts) if parts else None
