"""Reads annotations with the module of their format, which is named or guessed."""

from __future__ import annotations

from pathlib import Path

from contract.dataset import TRAIN_LABELS, VAL_LABELS
from contract.errors import UserError
from data_preparation.regions import PageSource
from data_preparation.sources import (
    FORMATS,
    LEVELS,
    abbyy_xml,
    groundtruth,
    icdar,
    labelme,
    page_xml,
    ppocrlabel,
    textract,
)
from data_preparation.sources.annotation import Reading
from data_preparation.sources.csv_file import is_csv, read_csv
from data_preparation.sources.entries import Source
from data_preparation.sources.gt_txt import ENDINGS, has_pairs, read_pairs
from data_preparation.sources.json_labels import is_json, read_json_labels
from data_preparation.sources.label_file import read_label_file, read_split_label_files

# Annotated pages. Each module has NAME, recognises(labels) -> bool and read(images, labels, how) -> PageSource.
PAGE_FORMATS = {
    module.NAME: module for module in (ppocrlabel, icdar, labelme, page_xml, abbyy_xml, textract, groundtruth)
}
LEVELLED = (page_xml.NAME, abbyy_xml.NAME, textract.NAME)  # those that know lines and words

# Crops listed in one file with named columns or keys; --columns says which.
TABLES = {"csv": read_csv, "json": read_json_labels}

# XML says its encoding itself.
ENCODED = tuple(name for name in FORMATS if name not in ("auto", page_xml.NAME, abbyy_xml.NAME))


def only_file(labels: Path) -> Path:
    """The file that a folder holds when it holds nothing else, hidden ones aside; otherwise what was named."""
    inside = [path for path in labels.iterdir() if not _is_hidden(path.name)] if labels.is_dir() else []
    alone = len(inside) == 1 and inside[0].is_file() and not inside[0].name.endswith(ENDINGS["gt-txt"])
    return inside[0] if alone else labels


def _is_hidden(name: str) -> bool:
    """Also by Excel, which marks files that are open, and by Windows."""
    return name.startswith((".", "~$")) or name.lower() == "desktop.ini"


def read_source(
    images: Path,
    labels: Path,
    form: str = "auto",
    *,
    level: str | None = None,
    columns: str | None = None,
    encoding: str | None = None,
) -> Source | PageSource:
    """Read annotations in the format named, or in the one that they look like.

    `level`: one of LEVELS. `columns`: the names or numbers of image and text, with a comma between them. `encoding`: of
    texts that are not UTF-8. Raises UserError when there is nothing to read; what is wrong with single samples is in
    `problems`.
    """
    if not images.is_dir():
        what = "is not a folder" if images.exists() else "does not exist"
        raise UserError(f"{images} {what}: name the folder of the images with --input-images")
    if not labels.is_file() and not labels.is_dir():
        what = "is neither a file nor a folder" if labels.exists() else "does not exist"
        raise UserError(f"{labels} {what}: name a label file or a folder with --input-labels")
    if form == "auto":
        form = _guess(images, labels)
    flags = (("--level", level, LEVELLED), ("--columns", columns, TABLES), ("--encoding", encoding, ENCODED))
    for flag, value, formats in flags:
        if value and form not in formats:
            raise UserError(f"{flag} is for {', '.join(formats)} only: leave it out for {form}")
    how = Reading(level or LEVELS[0], columns, encoding)
    if form in PAGE_FORMATS:
        return PAGE_FORMATS[form].read(images, labels, how)
    if form in TABLES:
        if labels.is_dir():
            raise UserError(f"{labels} is a folder: name the {form} file in it with --input-labels")
        return TABLES[form](images, labels, how)
    if form in ENDINGS:
        if not labels.is_dir():
            raise UserError(f"{labels} is a file: {form} wants the folder of the name{ENDINGS[form]} files")
        return read_pairs(images, labels, form, how)
    if labels.is_dir():
        return read_split_label_files(images, labels, how)
    return read_label_file(images, labels, how)


def _guess(images: Path, labels: Path) -> str:
    of_pages = [name for name, module in PAGE_FORMATS.items() if module.recognises(labels)]
    if len(of_pages) > 1:
        raise UserError(f"{labels} looks like {' and like '.join(of_pages)}: say which with --format")
    if of_pages:
        return of_pages[0]
    if labels.suffix.lower() == ".xml":
        raise UserError(f"{labels} is not of a format known here: name it with --format ({', '.join(PAGE_FORMATS)})")
    if labels.is_file():
        return "json" if is_json(labels) else "csv" if is_csv(labels) else "label-file"
    if (labels / TRAIN_LABELS).is_file() and (labels / VAL_LABELS).is_file():
        return "label-file"
    for form in ENDINGS:
        if has_pairs(images, labels, form):
            return form
    raise UserError(
        f"{labels} holds neither name.gt.txt files nor {TRAIN_LABELS} and {VAL_LABELS} nor annotated pages:"
        " name a label file or a folder with such files with --input-labels"
    )
