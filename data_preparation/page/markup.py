"""HTML that is safe by construction: whatever is not Markup already is text, and is escaped where it is put in."""

from __future__ import annotations

from html import escape

VOID = {"br", "col", "hr", "img", "input", "meta"}


class Markup(str):
    """Text that is HTML. Only `element`, `join` and constants of this package make it."""

    __slots__ = ()


Content = str | int | None  # what an element may hold; None is nothing


def element(name: str, /, *content: Content, **attributes: str | int | float | bool | None) -> Markup:
    """One element. An attribute's `_` is written `-`, and a trailing one left out: `class_`, `aria_label`.

    True is an attribute without a value; None and False leave it out.
    """
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{join(*content)}</{name}>")


def join(*content: Content) -> Markup:
    """Several pieces one after the other."""
    return Markup("".join(_escaped(piece) for piece in content))


def _escaped(piece: Content) -> str:
    if piece is None:
        return ""
    if isinstance(piece, Markup):
        return piece
    return escape(f"{piece:,}" if isinstance(piece, int) else piece)


def _attribute(key: str, value: str | int | float | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'
