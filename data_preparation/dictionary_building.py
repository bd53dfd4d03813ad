"""A dictionary from labels, perhaps begun with the characters that weights know."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from contract.dataset import TRAIN_LABELS, VAL_LABELS, Dictionary, read_labels, read_text
from contract.errors import UserError
from data_preparation.wording import counted, verb

LONGEST_LINE = 8  # of a dictionary: a character, in some foreign ones with its marks


def labels_of(source: Path, say: Callable[[str], None]) -> list[tuple[str, str]]:
    """(`file:line`, label) of a dataset folder or of one label file; lines that hold none are said."""
    paths = [source / TRAIN_LABELS, source / VAL_LABELS] if source.is_dir() else [source]
    labels = []
    for path in paths:
        file = read_labels(path)
        if not file.samples:
            raise UserError(f"{path} has no label line: write image path, one tab, text in each line")
        labels += [(f"{path}:{sample.line}", sample.label) for sample in file.samples]
        if number := len(file.problems):
            left_out = f"{counted(number, 'line')} of {path.name} {verb(number, 'is', 'are')} left out"
            say(f"note: {left_out}, the first: {file.problems[0]}")
    return labels


def begun_with(old: Sequence[str], dictionary: Dictionary) -> Dictionary:
    """The old characters in their order, then those that only the labels have. What no label can hold is left out."""
    kept = [each for each in old if len(each) == 1 and each != " "]
    return Dictionary(tuple(dict.fromkeys([*kept, *dictionary.characters])))


def write_dictionary(path: Path, dictionary: Dictionary) -> None:
    """Replace or create the file; nothing but a dictionary is ever replaced. Raises UserError."""
    if path.is_file():
        if any(len(line) > LONGEST_LINE for line in read_text(path)[0].split("\n")):
            raise UserError(f"--output {path} exists and is no dictionary: name another file")
    elif path.exists() or path.is_symlink():  # as root, it would take the place of /dev/null
        raise UserError(f"--output {path} is no file: name another")
    beside = path.with_name(f".{path.name}.tmp")
    try:
        beside.write_bytes(dictionary.text().encode())
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise UserError(f"{path} cannot be written ({error.strerror}): check space and permissions") from error
