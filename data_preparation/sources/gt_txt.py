"""Folders of line images with `name.gt.txt` beside `name.png`, as OCRopus, Kraken and Calamari have them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path, PurePosixPath

from contract.dataset import Problem
from contract.errors import UserError
from data_preparation.sources.annotation import read_annotation
from data_preparation.sources.entries import BadSample, Entry, Source, refuse_link, safe_name, unique
from data_preparation.sources.finding import ImagesByStem
from data_preparation.wording import counted

ENDING = ".gt.txt"


def label_files(folder: Path) -> list[Path]:
    """Every name.gt.txt below the folder."""
    return sorted(path for path in folder.rglob("*" + ENDING) if path.is_file())


def read_gt_txt(images: Path, labels: Path) -> Source:
    """Read every name.gt.txt below `labels`; its image has the same name at the same place below `images`."""
    files = label_files(labels)
    if not files:
        raise UserError(f"{labels} holds no name{ENDING}: name the folder that does with --input-labels")
    entries: list[Entry] = []
    problems: list[Problem] = []
    accepted: Counter[str] = Counter()
    by_stem = ImagesByStem()
    for path in files:
        relative = path.relative_to(labels)
        where = f"{relative.as_posix()}:1"
        try:
            label, oddities = _read_label(path)
            stem = relative.name.removesuffix(ENDING)
            image = by_stem.find(images / relative.parent, stem)
            if image is None:
                message = f"there is no image {stem}.png (.bin.png, .jpg, …)"
                raise BadSample("image", message, "add it or delete the label")
            refuse_link(image, images)
        except BadSample as bad:
            problems.append(bad.problem(where))
        else:
            accepted.update(oddity.removeprefix(path.name) for oddity in oddities)
            name = safe_name(PurePosixPath(image.relative_to(images).as_posix()))
            entries.append(Entry(where, image, name, label))
    kept, repeated = unique(entries)
    notes = tuple(f"{counted(count, f'{ENDING} file')}:{note}" for note, count in accepted.items())
    reason = f"{labels} holds {counted(len(files), f'name{ENDING} file')}"
    return Source("gt-txt", reason, tuple(kept), tuple(problems + repeated), notes)


def _read_label(path: Path) -> tuple[str, tuple[str, ...]]:
    """The one line of text of a file and what was accepted. Raises BadSample when there is no such line."""
    text, oddities = read_annotation(path)
    label = text.removesuffix("\n")
    if not label.strip():
        raise BadSample("blank label", "the label is blank", "write its text or delete the file")
    if "\n" in label:
        count = len(label.split("\n"))
        raise BadSample("bad label", f"the file has {count} lines", "write the text of one line")
    for mark, name in (("\t", "a tab"), ("\r", "a carriage return")):
        if mark in label:
            raise BadSample("bad label", f"the label holds {name}", "replace it by a space")
    return label, oddities
