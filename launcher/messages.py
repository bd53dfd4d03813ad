"""`python -m launcher.messages`: brings the lists of docs/troubleshooting.md up to date with what the source says.

The page is written by hand, except for what stands between `<!-- messages: PLACES -->` and `<!-- end -->`: the
sentences with which the modules of these places (files or folders; the longest name wins) refuse or fail, with `…` for
what is filled in. They are read from the source, so nobody has to remember the page.
"""

from __future__ import annotations

import ast
import itertools
import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache, cached_property
from pathlib import Path

from contract.errors import UserError

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/troubleshooting.md"
ROOMS = ("contract", "container", "data_preparation", "launcher")
SCRIPTS = ("setup.sh", "setup.bat", "image/apt_install.sh", "image/cuda_compat.sh", "image/fetch_tree.sh")

BLANK = "…"
DEEPEST = 6  # functions that hand a sentence on to each other

# Which arguments of a call are the sentence, and what stands between them when it is shown.
SENTENCES: dict[str, tuple[tuple[int, ...], str]] = {
    "Problem": ((2, 3), "; "),  # kind, where, message, remedy
    "BadSample": ((1, 2), "; "),  # kind, message, remedy
    "BadImage": ((1,), ""),  # kind, reason
    "problem": ((0, 1, 2), ": "),  # of a check before money: name, detail, remedy
    "unknown": ((0, 1, 2), ": "),
    "OSError": ((1,), ""),
}
NO_SENTENCES = {"SystemExit", "KeyboardInterrupt", "KeyError", "AssertionError", "Stopped"}  # nobody reads these
# Modules whose functions make the sentences that others raise.
MAKERS = ("container/diagnosis.py", "container/explain.py")

_MARKED = re.compile(r"(<!-- messages: ([^>]+?) -->\n).*?(<!-- end -->)", re.DOTALL)


def main() -> int:
    """Write the page anew."""
    PAGE.write_text(with_messages(PAGE.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
    return 0


def with_messages(page: str) -> str:
    """The page with today's lists. Raises UserError for a module that no list is of."""
    places = [place for match in _MARKED.finditer(page) for place in match[2].split()]
    found: dict[str, set[str]] = {place: set() for place in places}
    for file, sentence in sentences():
        home = max((place for place in places if file == place or file.startswith(f"{place}/")), key=len, default="")
        if not home:
            raise UserError(f"{PAGE.name} has no list for the messages of {file}: name it in one of its marks")
        found[home].add(sentence)

    def fill(match: re.Match[str]) -> str:
        lines = sorted(set().union(*(found[place] for place in match[2].split())), key=_by_words)
        return match[1] + "\n" + "".join(f"- {_as_code(line)}\n" for line in lines) + "\n" + match[3]

    return _MARKED.sub(fill, page)


@cache
def sentences() -> tuple[tuple[str, str], ...]:
    """File (from the root, with /) and sentence of everything that a person can be told went wrong."""
    modules = [
        Module(path, path.relative_to(ROOT).as_posix())
        for room in ROOMS
        for path in sorted((ROOT / room).rglob("*.py"))
    ]
    by_name = _by_name(modules)
    telling = set(SENTENCES).union(*(module.raised for module in modules)) - NO_SENTENCES
    found = [(module.name, sentence) for module in modules for sentence in module.sentences(telling, by_name)]
    for script in SCRIPTS:
        found += [(script, sentence) for sentence in _of_script((ROOT / script).read_text(encoding="utf-8"))]
    return tuple(found)


class Module:
    """One file of the source. What a name stands for is looked up in the function, in the file, then everywhere."""

    def __init__(self, path: Path, name: str) -> None:
        self.name = name
        self.tree = ast.parse(path.read_text(encoding="utf-8"))

    @cached_property
    def functions(self) -> dict[str, ast.FunctionDef]:
        return {node.name: node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef)}

    @cached_property
    def constants(self) -> dict[str, ast.expr]:
        return dict(_assigned(self.tree.body))

    @cached_property
    def raised(self) -> set[str]:
        """Names of the exceptions that this file raises."""
        raised = {_called(node.exc) for node in ast.walk(self.tree) if isinstance(node, ast.Raise) and node.exc}
        return {name for name in raised if name[:1].isupper()}

    def sentences(self, telling: set[str], by_name: dict[str, Module]) -> Iterator[str]:
        """`telling`: what is called with a sentence."""
        if self.name in MAKERS:
            for maker in self.functions.values():
                speech = _Speech(self, by_name, maker)
                yield from _whole([*speech.returned(), *speech.parts])
        for function, call in _calls(self.tree):
            if (name := _called(call)) not in telling:
                continue
            places, between = SENTENCES.get(name, ((0,), ""))
            if len(call.args) <= places[0]:
                places, between = (0,), ""
            speech = _Speech(self, by_name, function)
            columns = [list(speech.of(call.args[place])) or [BLANK] for place in places if place < len(call.args)]
            yield from _whole([*map(between.join, itertools.product(*columns)), *speech.parts])


class _Speech:
    """What expressions of one function can say: texts with blanks, and in `parts` the texts that fill these."""

    def __init__(
        self,
        module: Module,
        by_name: dict[str, Module],
        function: ast.FunctionDef | None,
        depth: int = 0,
        parts: list[str] | None = None,
    ) -> None:
        self.module = module
        self.by_name = by_name
        self.function = function
        self.depth = depth
        self.parts: list[str] = [] if parts is None else parts
        self.locals: dict[str, list[ast.expr]] = {}
        for name, value in _assigned(ast.walk(function) if function else ()):
            self.locals.setdefault(name, []).append(value)

    def of(self, node: ast.expr) -> Iterator[str]:
        if self.depth > DEEPEST:
            return
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(self._piece(piece) for piece in node.values)
            for piece in node.values:
                if isinstance(piece, ast.FormattedValue):
                    self.parts.extend(self.of(piece.value))
        elif isinstance(node, ast.IfExp):
            yield from itertools.chain(self.of(node.body), self.of(node.orelse))
        elif isinstance(node, ast.BoolOp):
            yield from itertools.chain.from_iterable(map(self.of, node.values))
        elif isinstance(node, ast.Tuple | ast.List):
            yield from itertools.chain.from_iterable(map(self.of, node.elts))
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            left, right = list(self.of(node.left)) or [BLANK], list(self.of(node.right)) or [BLANK]
            yield from (first + second for first, second in itertools.product(left, right))
        elif isinstance(node, ast.Name):
            yield from self._named(node.id)
        elif isinstance(node, ast.Call):
            yield from self._returned_by(_called(node))

    def returned(self) -> Iterator[str]:
        """What the function itself returns."""
        for node in ast.walk(self.function) if self.function else ():
            if isinstance(node, ast.Return | ast.Yield) and node.value is not None:
                yield from self.of(node.value)

    def _piece(self, piece: ast.expr) -> str:
        if isinstance(piece, ast.Constant):
            return str(piece.value)
        value = piece.value if isinstance(piece, ast.FormattedValue) else piece
        if isinstance(value, ast.Name) and value.id.isupper():
            texts = list(self._named(value.id))
            if len(texts) == 1 and not _is_sentence(texts[0]):
                return texts[0]
        return BLANK

    def _named(self, name: str) -> Iterator[str]:
        if name in self.locals:
            self.depth += 1
            yield from itertools.chain.from_iterable(map(self.of, self.locals[name]))
            self.depth -= 1
            return
        home = self.module if name in self.module.constants else self.by_name.get(name)
        if home and name.isupper() and name in home.constants:
            yield from _Speech(home, self.by_name, None, self.depth + 1, self.parts).of(home.constants[name])

    def _returned_by(self, name: str) -> Iterator[str]:
        home = self.module if name in self.module.functions else self.by_name.get(name)
        if home and name in home.functions:
            yield from _Speech(home, self.by_name, home.functions[name], self.depth + 1, self.parts).returned()


def _by_name(modules: Iterable[Module]) -> dict[str, Module]:
    """Where a function or constant is that only one module has."""
    homes: dict[str, Module | None] = {}
    for module in modules:
        for name in {*module.functions, *module.constants}:
            homes[name] = None if name in homes else module
    return {name: module for name, module in homes.items() if module}


def _assigned(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, ast.expr]]:
    for node in nodes:
        if isinstance(node, ast.Assign):
            yield from ((target.id, node.value) for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            yield node.target.id, node.value


def _calls(tree: ast.AST, function: ast.FunctionDef | None = None) -> Iterator[tuple[ast.FunctionDef | None, ast.Call]]:
    """Every call with the innermost function that it stands in."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Call):
            yield function, node
        yield from _calls(node, node if isinstance(node, ast.FunctionDef) else function)


def _called(node: ast.expr) -> str:
    """The last name of what is called: `argparse.ArgumentTypeError(…)` is an ArgumentTypeError."""
    node = node.func if isinstance(node, ast.Call) else node
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _of_script(text: str) -> Iterator[str]:
    """What a shell script or a batch file says before it ends with an error."""
    for sentence in re.findall(r'\bfail "(.+?)"', text) + re.findall(r"echo (setup: .+?) 1>&2", text):
        if not sentence.endswith("..."):
            yield re.sub(r"\$\{?\w+\}?|%~?\w+%?", BLANK, sentence)


def _whole(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        line = re.sub(r"(… ?)+…", BLANK, " ".join(text.split()))
        if _is_sentence(line):
            yield line


def _is_sentence(text: str) -> bool:
    """Enough to search for: two words beside what is filled in; names of files and variables are none."""
    return sum(bool(re.fullmatch(r"\W*[^\W\d_]{2,}[\W\d]*", word)) for word in text.replace(BLANK, " ").split()) > 1


def _by_words(line: str) -> tuple[str, str]:
    return re.sub(r"^[\W_]+", "", line).casefold(), line


def _as_code(line: str) -> str:
    return f"`` {line} ``" if "`" in line else f"`{line}`"


if __name__ == "__main__":
    sys.exit(main())
