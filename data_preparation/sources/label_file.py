"""Label files: one `path<TAB>text` a line, the images in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from contract.dataset import IMAGES, TRAIN_LABELS, VAL_LABELS, Problem, Sample, read_labels
from contract.errors import UserError
from data_preparation.sources.entries import BadSample, Entry, Source, refuse_link, safe_name, unique


def read_label_file(images: Path, labels: Path) -> Source:
    """Read one label file. Image paths start at the image folder or beside the label file."""
    return _read(images, [(labels, None)], f"{labels.name} is a label file")


def read_split_label_files(images: Path, folder: Path) -> Source:
    """Read train.txt and val.txt of a folder: an existing dataset, whose split is kept."""
    if images == folder and (folder / IMAGES).is_dir():
        images = folder / IMAGES  # so that images/0001.png stays images/0001.png
    files = [(folder / TRAIN_LABELS, "train"), (folder / VAL_LABELS, "val")]
    return _read(images, files, f"{folder} holds {TRAIN_LABELS} and {VAL_LABELS}, which are the split")


def _read(images: Path, files: Sequence[tuple[Path, str | None]], reason: str) -> Source:
    entries: list[Entry] = []
    problems: list[Problem] = []
    notes: list[str] = []
    for path, split in files:
        labels = read_labels(path)
        if not labels.samples and not labels.problems:
            raise UserError(f"{path} lists no sample: write one line 'image path, tab, text' for each crop")
        problems += labels.problems
        notes += labels.notes
        roots = (images.resolve(), path.parent.resolve())
        for sample in labels.samples:
            where = f"{path.name}:{sample.line}"
            try:
                image, name = _image(roots, sample)
            except BadSample as bad:
                problems.append(bad.problem(where))
            else:
                entries.append(Entry(where, image, name, sample.label, split))
    entries, repeated = unique(entries)
    return Source("label-file", reason, tuple(entries), tuple(problems + repeated), tuple(notes))


def _image(roots: tuple[Path, Path], sample: Sample) -> tuple[Path, str]:
    """The image file of a label line and its name in the dataset. Raises BadSample when there is none."""
    path = PurePosixPath(sample.image.replace("\\", "/"))
    try:
        image = _find(roots, path)
    except OSError:  # longer than a file name can be: often the two columns are swapped
        image = None
    if image is None:
        message = f"the image {sample.image!r} is neither in {roots[0].name}/ nor beside the label file"
        raise BadSample("image", message, "correct the path or --input-images")
    refuse_link(image, *roots)
    root = next(root for root in roots if image.is_relative_to(root))
    return image, safe_name(PurePosixPath(image.relative_to(root).as_posix()))


def _find(roots: tuple[Path, Path], path: PurePosixPath) -> Path | None:
    """Where the image lies.

    Label files made elsewhere carry leading folders (`train_data/rec/0001.png`): these are dropped one by one.
    """
    for root in roots:
        if (root / path).is_file():
            return root / path
    for dropped in range(1, len(path.parts)):
        shorter = PurePosixPath(*path.parts[dropped:])
        if (roots[0] / shorter).is_file():
            return roots[0] / shorter
    return None
