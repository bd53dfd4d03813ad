"""Puts a new split of a dataset in place of the old one, so that a kill at any point leaves a dataset.

The new files are written into `.split/`, which appears complete in one rename. From then on the new split is decided:
one side is cut down to what stays on it, the other becomes new, then the first. So no sample is ever on both sides (but
where none stays at all). While `.split/` is there, samples that change sides may be missing; whoever finds it calls
`finish`.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from contract.dataset import MANIFEST, TRAIN_LABELS, VAL_LABELS, format_line, read_labels
from contract.errors import UserError

STAGED = ".split"
BEFORE = ".before"  # ending of the label files as they were


def swap_in(folder: Path, train: Iterable[tuple[str, str]], val: Iterable[tuple[str, str]], manifest: bytes) -> None:
    """Replace label files (image path and label of each sample) and dataset.json; keep the old ones with BEFORE.

    Raises UserError when the folder cannot be written.
    """
    staging = folder / f"{STAGED}.tmp-{secrets.token_hex(4)}"
    with _writing(folder, "nothing has changed: check space and permissions"):
        try:
            staging.mkdir()
            for name, samples in ((TRAIN_LABELS, train), (VAL_LABELS, val)):
                shutil.copyfile(folder / name, staging / f"{name}{BEFORE}")
                (staging / name).write_bytes("".join(format_line(*sample) for sample in samples).encode())
            (staging / MANIFEST).write_bytes(manifest)
            staging.rename(folder / STAGED)
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise
    finish(folder)


def finish(folder: Path) -> bool:
    """Put in place what `.split/` holds, and say whether there was any. It may have been interrupted before."""
    staged = folder / STAGED
    with _writing(folder, "the new split is not all in place: check space and permissions and run split again"):
        for stale in folder.glob(f"{STAGED}.tmp-*"):
            shutil.rmtree(stale)
        if not staged.is_dir():
            return False
        staying = {name: _staying(staged, name) for name in (TRAIN_LABELS, VAL_LABELS)}
        first = TRAIN_LABELS if staying[TRAIN_LABELS] else VAL_LABELS
        second = VAL_LABELS if first == TRAIN_LABELS else TRAIN_LABELS
        if staying[first]:
            _put(staying[first].encode(), folder / first, staged)
        for name in (second, first, MANIFEST, f"{TRAIN_LABELS}{BEFORE}", f"{VAL_LABELS}{BEFORE}"):
            _put((staged / name).read_bytes(), folder / name, staged)
        done = staged.rename(folder / f"{STAGED}.tmp-done")
        shutil.rmtree(done)
    return True


def _staying(staged: Path, name: str) -> str:
    """The label lines that are on this side before and after."""
    before = {(sample.image, sample.label) for sample in read_labels(staged / f"{name}{BEFORE}").samples}
    after = ((sample.image, sample.label) for sample in read_labels(staged / name).samples)
    return "".join(format_line(*sample) for sample in after if sample in before)


def _put(data: bytes, path: Path, staged: Path) -> None:
    beside = staged / "next"
    beside.write_bytes(data)
    beside.replace(path)


@contextmanager
def _writing(folder: Path, rest: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(f"{folder} cannot be written ({error.strerror}), {rest}") from error
