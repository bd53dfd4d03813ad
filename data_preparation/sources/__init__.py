"""Annotations as people have them, one module for each format."""

from __future__ import annotations

from pathlib import Path

from contract.dataset import TRAIN_LABELS, VAL_LABELS
from contract.errors import UserError
from data_preparation.regions import PageSource
from data_preparation.sources import abbyy_xml, icdar, labelme, page_xml, ppocrlabel
from data_preparation.sources.entries import Source
from data_preparation.sources.gt_txt import label_files, read_gt_txt
from data_preparation.sources.label_file import read_label_file, read_split_label_files

# Annotated pages. Each module has NAME, recognises(labels) -> bool and read(images, labels) -> PageSource; those that
# know lines and words are LEVELLED, and their read() is told which.
PAGE_FORMATS = {module.NAME: module for module in (ppocrlabel, icdar, labelme, page_xml, abbyy_xml)}
LEVELLED = {module.NAME: module for module in (page_xml, abbyy_xml)}
LEVELS = ("line", "word")
FORMATS = ("auto", "label-file", "gt-txt", *PAGE_FORMATS)


def read_source(images: Path, labels: Path, form: str = "auto", level: str | None = None) -> Source | PageSource:
    """Read annotations in the format named, or in the one that they look like. `level`: one of LEVELS.

    Raises UserError when there is nothing to read; what is wrong with single samples is in `problems`.
    """
    if not images.is_dir():
        what = "is not a folder" if images.exists() else "does not exist"
        raise UserError(f"{images} {what}: name the folder of the images with --input-images")
    if not labels.exists():
        raise UserError(f"{labels} does not exist: name a label file or a folder with --input-labels")
    if form == "auto":
        form = _guess(labels)
    if form in LEVELLED:
        return LEVELLED[form].read(images, labels, level or LEVELS[0])
    if level:
        raise UserError(f"--level is of {' and '.join(LEVELLED)} only: leave it out for {form}")
    if form in PAGE_FORMATS:
        return PAGE_FORMATS[form].read(images, labels)
    if form == "gt-txt":
        if not labels.is_dir():
            raise UserError(f"{labels} is a file: gt-txt wants the folder of the name.gt.txt files")
        return read_gt_txt(images, labels)
    if labels.is_dir():
        return read_split_label_files(images, labels)
    return read_label_file(images, labels)


def _guess(labels: Path) -> str:
    of_pages = [name for name, module in PAGE_FORMATS.items() if module.recognises(labels)]
    if len(of_pages) > 1:
        raise UserError(f"{labels} looks like {' and like '.join(of_pages)}: say which with --format")
    if of_pages:
        return of_pages[0]
    if labels.suffix.lower() in (".json", ".xml"):
        raise UserError(f"{labels} is not of a format known here: name it with --format ({', '.join(PAGE_FORMATS)})")
    if labels.is_file() or ((labels / TRAIN_LABELS).is_file() and (labels / VAL_LABELS).is_file()):
        return "label-file"
    if label_files(labels):
        return "gt-txt"
    raise UserError(
        f"{labels} holds neither name.gt.txt files nor {TRAIN_LABELS} and {VAL_LABELS} nor annotated pages:"
        " name a label file or a folder with such files with --input-labels"
    )
