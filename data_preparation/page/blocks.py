"""Small parts that pages are made of: what a page says first, figures, badges, text to copy."""

from __future__ import annotations

from collections.abc import Iterable

from data_preparation.page.markup import Content, Markup, element

# How something is meant, as colour and sign: the sign says it without the colour.
GOOD, DOUBTFUL, BAD = "good", "doubtful", "bad"
SIGNS = {GOOD: "✓", DOUBTFUL: "!", BAD: "✕"}


def verdict(tone: str, words: Content, *content: Content) -> Markup:
    """The first thing that a page says, and what to do about it."""
    return element(
        "div", sign(tone), element("div", element("p", element("strong", words)), *content), class_=f"verdict {tone}"
    )


def finding(tone: str, words: Content, *content: Content) -> Markup:
    """One of several things that were found, with its heading."""
    return element("div", element("h3", sign(tone), words), *content, class_=f"finding {tone}")


def sign(tone: str) -> Markup:
    """For the eye; the words beside it say the same."""
    return element("span", SIGNS[tone], class_="sign", aria_hidden="true")


def badge(tone: str, words: str) -> Markup:
    """A remark of one or two words. tone: empty for none."""
    return element("span", words, class_=f"badge {tone}".rstrip())


def facts(rows: Iterable[tuple[str, Content]]) -> Markup:
    """A few names with their values."""
    return element(
        "dl", *(element("div", element("dt", name), element("dd", value)) for name, value in rows), class_="facts"
    )


def fact(figure: Content, more: str) -> Markup:
    """A value for `facts`, with smaller words below it."""
    return element("span", figure, element("small", more))


def to_copy(text: str) -> Markup:
    """Text for a shell, with a button that copies it."""
    return element("div", element("pre", element("code", text)), class_="code")


def whole(text: Content) -> Markup:
    """Code that is not broken at the end of a line."""
    return element("code", text, class_="whole")
