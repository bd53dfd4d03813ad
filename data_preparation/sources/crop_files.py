"""The crops that a list of images and texts names: found, and their texts fit for a line of a label file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from contract.dataset import Problem, path_problem
from contract.quoting import quoted
from data_preparation.sources.entries import BadSample, Entry, refuse_link, refuse_no_text, safe_name
from data_preparation.sources.finding import find_file, is_spelled, only_in_s3, other_spellings
from data_preparation.wording import counted, folder_name, verb

SWAPPED = "swapped columns"


@dataclass(frozen=True)
class Listed:
    """One image and its text as a list has them. `where` is `file:line`, or `file#number`."""

    where: str
    image: str
    label: str


def find_crops(
    images: Path, listing: Path, listed: Iterable[Listed], split: str | None = None
) -> tuple[list[Entry], list[Problem], list[str]]:
    """An entry for each crop that is found, a problem for each of the others, and what is worth a note.

    Paths start at the folder of the crops or beside the list. One that is absolute, holds `..` or is an address is
    looked for below the folder of the crops only, never where it points.
    """
    roots = (images.resolve(), listing.parent.resolve())
    entries = []
    problems = []
    moved = []
    misspelt = []
    for sample in listed:
        try:
            check_label(sample.label)
            image, name = _find(images, roots, sample)
        except BadSample as bad:
            problems.append(bad.problem(sample.where))
        else:
            entries.append(Entry(sample.where, image, name, sample.label, split))
            if path_problem(sample.image):
                moved.append(sample)
            if not is_spelled(image, sample.image):
                misspelt.append((sample, image.name))
    return entries, problems, [*_moved_note(moved, images.resolve()), *_misspelt_note(misspelt)]


def check_label(label: str) -> None:
    """Raise BadSample for what is no line of text."""
    if not label.strip():
        raise BadSample("blank label", "the label is blank", "write its text or leave it out")
    for mark, name in (("\t", "a tab"), ("\r", "a carriage return"), ("\n", "a line break")):
        if mark in label:
            raise BadSample("bad label", f"the label holds {name}", "replace it by a space")
    refuse_no_text(label)


def _find(images: Path, roots: tuple[Path, Path], sample: Listed) -> tuple[Path, str]:
    """The image file of a sample and its name in the dataset. Raises BadSample when there is none."""
    reason = path_problem(sample.image)
    allowed = roots[:1] if reason else roots
    find = partial(find_file, roots=allowed, shortened_in=allowed[:1])
    image = find(sample.image) or next(filter(None, map(find, other_spellings(sample.image))), None)
    if image is None:
        raise _not_found(images, sample, reason)
    refuse_link(image, *allowed)
    root = next(root for root in allowed if image.is_relative_to(root))
    return image, safe_name(PurePosixPath(image.relative_to(root).as_posix()))


def _not_found(images: Path, sample: Listed, reason: str | None) -> BadSample:
    if find_file(sample.label, (images,), shortened_in=(images,)):
        message = f"the columns are swapped, the second one is the image {quoted(sample.label)}"
        return BadSample(SWAPPED, message, "write the image first, then its text")
    if sample.image.startswith("s3://"):
        return only_in_s3(sample.image, images)
    if reason:
        message = f"{quoted(sample.image)} {reason} and no such file is in {folder_name(images)}"
        return BadSample("path", message, "write it relative to --input-images")
    message = f"the image {quoted(sample.image)} is neither in {folder_name(images)} nor beside the label file"
    return BadSample("image", message, "correct the path or --input-images")


def _moved_note(moved: list[Listed], root: Path) -> list[str]:
    if not moved:
        return []
    what = f"{counted(len(moved), 'image path')} {verb(len(moved), 'leads', 'lead')} elsewhere"
    first = f"{moved[0].where} {quoted(moved[0].image)}"
    return [f"{what}: found below {root.name}/ without the leading folders, first at {first}"]


def _misspelt_note(misspelt: list[tuple[Listed, str]]) -> list[str]:
    if not misspelt:
        return []
    sample, name = misspelt[0]
    what = f"{counted(len(misspelt), 'image')} {verb(len(misspelt), 'is', 'are')} named a little otherwise"
    return [f"{what}: found all the same, first at {sample.where} {quoted(sample.image)}, which is {quoted(name)}"]
