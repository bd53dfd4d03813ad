"""What a label file looks like whose columns are not image path, tab, text."""

from __future__ import annotations

from collections.abc import Sequence

from data_preparation.sources.columns import is_image_name

_SEPARATORS = {
    ",": "comma-separated",
    ";": "semicolon-separated",
    "|": "separated by |",
    "\\t": "written with a backslash and a t instead of a tab",
    " ": "space-separated",
}


def guess_separator(lines: Sequence[str]) -> str | None:
    """How the columns of most lines are separated, in words that continue "the file looks …"; None when unclear."""
    lines = [line.strip() for line in lines if line.strip()]
    for separator, words in _SEPARATORS.items():
        if 2 * sum(_parts_an_image(line, separator) for line in lines) > len(lines):
            return words
    return None


def _parts_an_image(line: str, separator: str) -> bool:
    """True when the first or the last column, cut there, is named as an image is."""
    first, _, rest = line.partition(separator)
    last = line.rpartition(separator)[2]
    return bool(rest) and (is_image_name(first) or is_image_name(last))
