"""A recipe as dotted keys, and the bound that makes walking through one safe."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from contract.errors import UserError

MOST_VALUES = 10_000  # a recipe has some 150
DEEPEST = 16  # PP-OCRv4's go down to 8


def flatten(tree: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every (dotted key, value) of a recipe, branches and leaves."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for name, value in items:
        key = f"{prefix}{name}"
        yield key, value
        yield from flatten(value, key + ".")


def check_extent(recipe: Any, where: Path | str) -> None:
    """Refuse YAML whose aliases grow without end (`&a [*a]`), or by powers. Raises UserError."""
    waiting = [(recipe, 0)]
    seen = 0
    while waiting:
        value, depth = waiting.pop()
        children = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
        seen += len(children)
        if seen > MOST_VALUES or depth > DEEPEST:
            raise UserError(f"{where}: it has containers in containers without end: write it without aliases (*name)")
        waiting += [(child, depth + 1) for child in children]
