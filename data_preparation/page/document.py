"""The shell of a page: head, heading, contents, sections. One file that asks for nothing over the network."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from data_preparation.page.markup import Content, Markup, element
from data_preparation.page.visible import visible

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Section:
    """One part of a page: the target of its link, its heading, and what it holds."""

    ident: str
    heading: str
    content: Markup


def document(title: str, opening: Content, sections: Sequence[Section], closing: Content) -> str:
    """The whole page. opening: what stands below the title, before the contents; closing: the last lines."""
    style, script = Markup(_file("page.css")), Markup(_file("page.js"))
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_policy(style, script)),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", title),
        element("style", style),
    )
    contents = element(
        "nav",
        element("ol", *(element("li", element("a", each.heading, href=f"#{each.ident}")) for each in sections)),
        aria_label="Contents",
    )
    # Made here and hidden until the script that serves it runs.
    theme = element("button", "Dark", type="button", id="theme", hidden=True)
    main = element("main", *map(_section, sections), id="content", tabindex=-1)
    body = element(
        "body",
        element("a", "Skip to the content", href="#content", class_="skip"),
        _PATTERNS,
        element("header", element("div", element("h1", visible(title)), theme, class_="title"), opening),
        element("div", contents, main, class_="columns"),
        element("footer", closing),
        element("script", script),
    )
    return "<!DOCTYPE html>\n" + element("html", head, body, lang="en") + "\n"


def _section(section: Section) -> Markup:
    name = f"{section.ident}-heading"
    heading = element("h2", section.heading, id=name)
    return element("section", heading, section.content, id=section.ident, aria_labelledby=name)


def _policy(style: str, script: str) -> str:
    """Pictures come from the page itself; style and script are these two, by their hashes; nothing else is loaded."""
    return (
        f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@lru_cache
def _file(name: str) -> str:
    """With LF line ends wherever it was checked out: a browser hashes the text after it has made them so."""
    return (_HERE / name).read_text(encoding="utf-8")


# Stripes that tell the second series of a chart from the first without colour.
_PATTERNS = element(
    "svg",
    element(
        "defs",
        element(
            "pattern",
            element("path", d="M-1,1 l2,-2 M0,6 l6,-6 M5,7 l2,-2", class_="stripe"),
            id="stripes",
            width=6,
            height=6,
            patternUnits="userSpaceOnUse",
        ),
    ),
    width=0,
    height=0,
    class_="unseen",
    aria_hidden="true",
)
