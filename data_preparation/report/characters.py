"""Section: every character with its counts, the rare ones, and what the dictionary has beside them."""

from __future__ import annotations

from contract.dataset import DICTIONARY
from contract.scripts import script_of
from data_preparation.page.blocks import BAD, DOUBTFUL, badge
from data_preparation.page.document import Section
from data_preparation.page.markup import Content, Markup, element, join
from data_preparation.page.tables import Column, table
from data_preparation.page.visible import code_point, glyph, name_of
from data_preparation.report.cards import more, place
from data_preparation.report.survey import Survey, Use
from data_preparation.wording import counted, verb

RARE = 10  # times in the training labels: what is seen less often is hardly learnt
ROWS = 1500  # of the table, at most: half of them the most frequent, half the rarest
UNUSED = 1000  # characters of the dictionary that are listed without a count

NOT_LISTED, NOT_TRAINED, IS_RARE = "not in dict.txt", "not in training", "rare"


def characters(survey: Survey) -> Section:
    """Counts of all characters; what is missing or rare is said first."""
    uses = survey.uses
    known = _known(survey)
    unused = sorted(known - {use.character for use in uses} - {" "})
    return Section(
        "characters",
        "Characters",
        join(
            element("p", _lead(uses)),
            _table(uses, known),
            _unused(unused),
        ),
    )


def _known(survey: Survey) -> set[str]:
    dictionary = survey.verdict.report.dictionary
    return {*dictionary.characters, " "} if dictionary else set()


def _lead(uses: list[Use]) -> str:
    distinct, rare = len(uses), sum(0 < use.train < RARE for use in uses)
    untaught = sum(not use.train for use in uses)
    parts = [f"The labels hold {counted(distinct, 'character')}."]
    if rare:
        parts.append(
            f"{rare:,} of them {verb(rare, 'stands', 'stand')} less than {RARE} times in the training labels: the"
            " model will hardly learn them. Each may also be a typing error, so look at where they are."
        )
    if untaught:
        parts.append(f"{untaught:,} {verb(untaught, 'stands', 'stand')} in validation labels alone.")
    if not rare and not untaught and distinct:
        parts.append(f"Each of them stands at least {RARE} times in the training labels.")
    return " ".join(parts)


def _table(uses: list[Use], known: set[str]) -> Markup:
    half = ROWS // 2
    shown = uses if len(uses) <= ROWS else uses[:half] + uses[-half:]
    columns = [
        *(Column("Character"), Column("Train", number=True), Column("Val", number=True), Column("Remarks")),
        *(Column("Script"), Column("First in"), Column("Name")),
    ]
    rows = (_row(use, known) for use in shown)
    whole = table(
        "Characters of the labels",
        columns,
        rows,
        sortable=True,
        search="Search a character, code point, name or script",
        quick=(IS_RARE, NOT_TRAINED, NOT_LISTED),
    )
    return join(whole, more(len(shown), len(uses), "characters, the most frequent and the rarest,"))


def _row(use: Use, known: set[str]) -> list[Content]:
    badges = []
    if known and use.character not in known:
        badges.append(badge(BAD, NOT_LISTED))
    if not use.train:
        badges.append(badge(DOUBTFUL, NOT_TRAINED))
    elif use.train < RARE:
        badges.append(badge(DOUBTFUL, IS_RARE))
    name = join(element("code", code_point(use.character)), " ", name_of(use.character))
    script = script_of(use.character)
    return [
        element("span", glyph(use.character), class_="glyph"),
        *(use.train, use.val, join(*badges), script, place(use.place), name),
    ]


def _unused(unused: list[str]) -> Markup | None:
    """Characters of the dictionary that no label has: classes that are paid for and never learnt."""
    if not unused:
        return None
    summary = f"{counted(len(unused), 'character')} of {DICTIONARY} that no label has"
    listed = join(*(join(glyph(character), " ") for character in unused[:UNUSED]))
    return element(
        "details",
        element("summary", summary),
        element("p", "Nothing teaches them. They do no harm where a later dataset will have them.", class_="quiet"),
        element("p", listed),
        more(min(len(unused), UNUSED), len(unused), "characters"),
    )
