"""The documents as tests read them: pages, their links, headings and commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("data_preparation/*.md"),
        ROOT / ".github/copilot-instructions.md",
    ]
)
RUN = "<!-- run -->"
OPERATORS = {"|", "&&", "||", ";", "&"}

_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@dataclass(frozen=True)
class Block:
    """A fenced `bash` block. mark: the HTML comment in the line before it; empty: there is none."""

    page: str
    text: str
    mark: str


def blocks(page: Path) -> list[Block]:
    text = text_of(page)
    found = []
    for fence in _FENCE.finditer(text):
        before = text[: fence.start()].rstrip("\n").rpartition("\n")[2].strip()
        indent, language, lines = fence.groups()
        if language == "bash":
            lines = re.sub(rf"^{indent}", "", lines, flags=re.MULTILINE)
            found.append(Block(name_of(page), lines, before if before.startswith("<!-- run") else ""))
    return found


def links(page: Path) -> list[str]:
    """Targets of links, outside of code."""
    return _LINK.findall(re.sub(r"`[^`\n]*`", "code", _FENCE.sub("", text_of(page))))


def anchors(page: Path) -> set[str]:
    """What GitHub makes of the headings."""
    found: dict[str, int] = {}
    for heading in re.findall(r"^#+ (.+)$", _FENCE.sub("", text_of(page)), re.MULTILINE):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").strip().lower()
        anchor = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        found[anchor] = found.get(anchor, -1) + 1
    return {f"{anchor}-{number}" if number else anchor for anchor, last in found.items() for number in range(last + 1)}


def commands(text: str) -> Iterator[list[str]]:
    """The words of each command of a shell block, without comments, redirections and what sets variables."""
    for line in text.replace("\\\n", " ").splitlines():
        while inner := re.search(r"\$\(([^()]*)\)", line):
            yield from commands(inner[1])
            line = line.replace(inner[0], "VALUE")
        line = re.sub(r"\[(--?[^][]*)\]", r"\1", line)  # [--what-may-be-there]
        line = re.sub(r"<\w+>", "VALUE", re.sub(r"\bN\b", "1", line))
        line = re.sub(r"(--\S+ )\$\w+", r"\1VALUE", line)
        lexer = shlex.shlex(re.sub(r"\$\w+", "", line), posix=True, punctuation_chars="|&;<>")
        lexer.commenters = "#"
        lexer.whitespace_split = True
        words: list[str] = []
        for word in [*lexer, ";"]:  # the last command ends, too
            if word not in OPERATORS:
                words.append(word)
                continue
            words = words[: next((at for at, each in enumerate(words) if set(each) <= {"<", ">"}), None)]
            while words and re.match(r"[A-Za-z_]+=", words[0]):
                words.pop(0)
            if words:
                yield words
            words = []


def spoken(page: Path) -> Iterator[list[str]]:
    """Commands of ours in the text: `python -m launcher …` and `make …` between backticks."""
    ours = r"`(python -m (?:launcher|data_preparation|container|benchmarks)\b[^`\n]*|make [a-z-]+(?: [A-Z]+=\S+)*)`"
    for span in re.findall(ours, _FENCE.sub("", text_of(page))):
        yield from commands(span.replace("…", ""))
