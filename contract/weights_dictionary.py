"""The dictionary that pretrained weights were trained with: which character each class of their head stands for.

It is looked for in the folder of the weights, as `dict.txt` or another `.txt`, in `inference.yml` (exported models
list their characters) and through `config.yml` (which names a file), and at last in the PaddleOCR tree, by the names
of official weights.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from contract.dataset import DICTIONARY
from contract.errors import UserError
from contract.pretrained import EXPORTED, files_beside

# Official weights (NAME_pretrained.pdparams) → their dictionary in the tree. v5's languages follow a rule.
OFFICIAL = {
    "en_PP-OCRv3_mobile_rec": "en_dict.txt",
    "en_PP-OCRv4_mobile_rec": "en_dict.txt",
    "PP-OCRv3_mobile_rec": "ppocr_keys_v1.txt",
    "PP-OCRv4_mobile_rec": "ppocr_keys_v1.txt",
    "PP-OCRv4_server_rec": "ppocr_keys_v1.txt",
    "PP-OCRv5_mobile_rec": "dict/ppocrv5_dict.txt",
    "PP-OCRv5_server_rec": "dict/ppocrv5_dict.txt",
}
_OFFICIAL_V5 = re.compile(r"([a-z]+)_PP-OCRv5_mobile_rec$")


@dataclass(frozen=True)
class OldDictionary:
    """Characters in class order, class 1 first (class 0 is the blank), and the file that says so."""

    characters: tuple[str, ...]
    file: str


def find_dictionary(weights: Path, folder: Path, tree: Path, classes: int) -> OldDictionary | None:
    """The dictionary of weights whose CTC head has `classes` classes; None when nothing says which one it was.

    With use_space_char, PaddleOCR has one more class than lines: the last, the space. Raises UserError when a dict.txt
    lies beside the weights, and neither it nor anything else has that many lines.
    """
    found = [*_all_beside(weights, folder, tree), *_official(weights.stem, tree)]
    for lines, file in found:
        for characters in (lines, [*lines, " "]):
            if len(characters) + 1 == classes:
                return OldDictionary(tuple(characters), file)
    for lines, file in found:
        if Path(file).name == DICTIONARY:
            raise UserError(
                f"{file}: with {len(lines)} lines it is not the dictionary of {weights.name}, whose head has {classes} "
                "classes (blank, characters, perhaps the space): put the one of the weights there, or none"
            )
    return None


def official_dictionary(name: str, tree: Path) -> OldDictionary | None:
    """The dictionary of official weights by their name, with or without `_pretrained`; all of them read the space too.

    None when the name is not known, or the tree lacks the file.
    """
    return next((OldDictionary((*lines, " "), file) for lines, file in _official(name, tree)), None)


def official_names(tree: Path) -> list[str]:
    """The official weights whose dictionary is in the tree."""
    files = sorted((tree / "ppocr/utils/dict").glob("ppocrv5_*_dict.txt"))
    languages = [file.name.removeprefix("ppocrv5_").removesuffix("_dict.txt") for file in files]
    names = [*(f"{language}_PP-OCRv5_mobile_rec" for language in languages), *OFFICIAL]
    return [name for name in names if official_dictionary(name, tree)]


def dictionary_of(folder: Path, tree: Path) -> OldDictionary | None:
    """The dictionary that lies with weights in a folder, without a look at the weights: the most telling file.

    The space is added where the file has none: PaddleOCR's models read it.
    """
    weights = next(iter(sorted(folder.glob("*.pdparams"))), folder / "none.pdparams")
    for lines, file in [*_all_beside(weights, folder, tree), *_official(weights.stem, tree)]:
        return OldDictionary((*lines, *([] if " " in lines else [" "])), file)
    return None


def dictionary_file(path: Path) -> OldDictionary:
    """A dictionary by its file: every line a class, and the space. Raises UserError."""
    return OldDictionary((*_lines(path), " "), str(path))


def _all_beside(weights: Path, folder: Path, tree: Path) -> list[tuple[list[str], str]]:
    return [each for path in files_beside(weights, folder) for each in _beside(path, tree)]


def _beside(path: Path, tree: Path) -> Iterator[tuple[list[str], str]]:
    """The characters that a file beside the weights lists or names."""
    if path.suffix == ".txt":
        yield _lines(path), str(path)
    elif path.name == EXPORTED:
        section = _yaml(path).get("PostProcess")
        listed = section.get("character_dict") if isinstance(section, dict) else None
        if isinstance(listed, list):
            yield [str(character) for character in listed], str(path)
    else:
        section = _yaml(path).get("Global")
        named = section.get("character_dict_path") if isinstance(section, dict) else None
        for found in _named(str(named or ""), tree):
            yield _lines(found), str(found)


def _named(name: str, tree: Path) -> Iterator[Path]:
    """`./ppocr/utils/dict/x.txt` of a recipe, in the tree; paths that lead elsewhere are another machine's."""
    root = (tree / "ppocr/utils").resolve()
    found = (tree / name).resolve()
    if found.suffix == ".txt" and found.is_relative_to(root) and found.is_file():
        yield found


def _official(stem: str, tree: Path) -> Iterator[tuple[list[str], str]]:
    name = stem.removesuffix("_pretrained")
    language = _OFFICIAL_V5.match(name)
    file = f"dict/ppocrv5_{language[1]}_dict.txt" if language else OFFICIAL.get(name)
    path = tree / "ppocr/utils" / str(file)
    if file and path.is_file():
        yield _lines(path), f"PaddleOCR's {path.name}"


def _lines(path: Path) -> list[str]:
    """Every line is a class, as PaddleOCR counts: blank lines, spaces and repeated characters too."""
    try:
        lines = path.read_bytes().decode("utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError):
        raise UserError(f"{path} cannot be read as UTF-8 text: beside weights lies their dictionary") from None
    if lines[-1] == "":
        lines.pop()
    return [line.strip("\r") for line in lines]


def _yaml(path: Path) -> dict[str, object]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, yaml.YAMLError):
        raise UserError(f"{path} is not YAML: beside weights lies the config that they were trained with") from None
    return content if isinstance(content, dict) else {}


def rows_by_character(before: Sequence[str], now: Sequence[str], marks: int) -> list[tuple[int, int]]:
    """(row now, row before) of every class that is in both: first the marks (CTC: blank; NRTR: blank, unknown, start
    and end), then the characters. Of a character that stands twice, PaddleOCR trains the last."""
    old = {character: marks + index for index, character in enumerate(before)}
    rows = [(mark, mark) for mark in range(marks)]
    return rows + [(marks + index, old[character]) for index, character in enumerate(now) if character in old]
