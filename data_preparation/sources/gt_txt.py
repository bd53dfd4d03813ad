"""Folders of line images with a text beside each: `name.png` and `name.gt.txt`, as OCRopus, Kraken, Calamari and
Tesseract have them, or plain `name.txt`.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from contract.dataset import Problem
from contract.errors import UserError
from data_preparation.sources.annotation import Accepted, Reading, files_below, read_annotation, refuse_unread
from data_preparation.sources.crop_files import check_label
from data_preparation.sources.entries import BadSample, Entry, Source, refuse_link, safe_name, unique
from data_preparation.sources.finding import ImagesByStem
from data_preparation.wording import counted

ENDINGS = {"gt-txt": ".gt.txt", "txt": ".txt"}  # of the texts, by format


def has_pairs(images: Path, labels: Path, form: str) -> bool:
    """Whether the folder or one below it holds a text of this format; of the plain ones, one with its image."""
    files = files_below(labels, ENDINGS[form])
    if form == "gt-txt":
        return bool(files)
    by_stem = ImagesByStem()
    return any(by_stem.find(images / file.relative_to(labels).parent, file.stem) for file in files)


def read_pairs(images: Path, labels: Path, form: str, how: Reading) -> Source:
    """Read every text below `labels`; its image has the same name at the same place below `images`."""
    ending = ENDINGS[form]
    files = files_below(labels, ending)
    if not files:
        raise UserError(f"{labels} holds no name{ending}: name the folder that does with --input-labels")
    entries: list[Entry] = []
    problems: list[Problem] = []
    accepted = Accepted()
    by_stem = ImagesByStem()
    for path in files:
        relative = path.relative_to(labels)
        where = f"{relative.as_posix()}:1"
        try:
            label = _read_label(path, how, accepted)
            stem = relative.name.removesuffix(ending)
            image = by_stem.find(images / relative.parent, stem)
            if image is None:
                message = f"there is no image {stem}.png (.bin.png, .jpg, …)"
                raise BadSample("image", message, "add it or delete the label")
            refuse_link(image, images)
        except BadSample as bad:
            problems.append(bad.problem(where))
        else:
            name = safe_name(PurePosixPath(image.relative_to(images).as_posix()))
            entries.append(Entry(where, image, name, label))
    refuse_unread(problems, len(files))
    kept, repeated = unique(entries)
    reason = f"{labels} holds {counted(len(files), f'name{ending} file')}"
    return Source(form, reason, tuple(kept), tuple(problems + repeated), tuple(accepted.notes(f"{ending} file")))


def _read_label(path: Path, how: Reading, accepted: Accepted) -> str:
    """The one line of text of a file. Raises BadSample when there is no such line."""
    label = read_annotation(path, how, accepted).removesuffix("\n")
    if "\n" in label.strip():
        count = len(label.split("\n"))
        raise BadSample("bad label", f"the file has {count} lines", "write the text of one line")
    check_label(label)
    return label
