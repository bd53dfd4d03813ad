"""Tables: complete without JavaScript; with it, sorted by a click on a heading and searched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from data_preparation.page.markup import Content, Markup, element, join


@dataclass(frozen=True)
class Column:
    """One column. number: set in figures of equal width, to the right, and sorted as a number."""

    heading: str
    number: bool = False


def table(
    caption: str,
    columns: Sequence[Column],
    rows: Iterable[Sequence[Content]],
    *,
    sortable: bool = False,
    search: str = "",
    quick: Sequence[str] = (),
) -> Markup:
    """A table whose first column heads its rows.

    caption: what it holds; said by screen readers, and the name of the region that scrolls.
    search: the label of a search field; empty for none.
    quick: words to search for that have a button.
    """
    head = element("tr", *(element("th", c.heading, scope="col", class_=_kind(c)) for c in columns))
    body = join(*(_row(columns, row) for row in rows))
    whole = element(
        "table",
        element("caption", caption, class_="unseen"),
        element("thead", head),
        element("tbody", body),
        data_sortable=sortable,
        data_search=search or None,
        data_quick="|".join(quick) or None,
    )
    return element("div", whole, class_="scroll", role="region", aria_label=caption, tabindex=0)


def _row(columns: Sequence[Column], row: Sequence[Content]) -> Markup:
    first, *others = row
    heading = element("th", first, scope="row", class_=_kind(columns[0]))
    cells = (element("td", cell, class_=_kind(c)) for c, cell in zip(columns[1:], others, strict=True))
    return element("tr", heading, *cells)


def _kind(column: Column) -> str | None:
    return "number" if column.number else None
