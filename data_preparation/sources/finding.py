"""Finds the files that annotations name, wherever the annotations were made."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

_ANCHOR = re.compile(r"^(?:[A-Za-z]:)?/+")  # what makes a path absolute: `/`, `C:/`, `//server`


def find_file(name: str, roots: Sequence[Path], shortened_in: Sequence[Path]) -> Path | None:
    """Where the file lies: at its path below a root, or below one of `shortened_in` without some leading folders.

    Annotations made elsewhere carry such folders (`train_data/rec/0001.png`, `C:\\crops\\0001.png`): these are
    dropped one by one. No path with `..` in it is ever looked up.
    """
    path = PurePosixPath(_ANCHOR.sub("", name.replace("\\", "/")))
    places = [root / path for root in roots]
    places += [root.joinpath(*path.parts[dropped:]) for dropped in range(1, len(path.parts)) for root in shortened_in]
    try:
        return next((place for place in places if ".." not in place.parts and place.is_file()), None)
    except (OSError, ValueError):  # longer than a file name can be: often the two columns are swapped
        return None
