"""The dataset beside a run: the pictures of its crops, where its labels are those that the model was judged by."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from contract.dataset import TRAIN_LABELS, VAL_LABELS, read_labels
from contract.errors import UserError
from contract.images import Images, open_images
from launcher.run_report.predictions import Reading

# The row of run.json's changes that says where a run of this machine had its validation set.
VALIDATION_FOLDER = "Eval.dataset.data_dir"


@dataclass(frozen=True)
class Pictures:
    """Reads a crop by the line of predictions.csv that tells of it."""

    folder: Path
    images: Images
    labels: frozenset[tuple[str, str]]  # image, label

    def has(self, reading: Reading) -> bool:
        """The dataset has this image with this label: it is the crop that was read, and no other of its name."""
        return (reading.image, reading.label) in self.labels

    def read(self, reading: Reading) -> bytes | None:
        """None: there is no such file now."""
        try:
            return self.images.read(reading.image) if self.has(reading) else None
        except ValueError:
            return None


def open_pictures(folder: Path) -> Pictures:
    """Of a dataset folder, as the channel `validation` takes it: val.txt, or else train.txt. Raises UserError."""
    names = [name for name in (VAL_LABELS, TRAIN_LABELS) if (folder / name).is_file()]
    if not names:
        raise UserError(f"--dataset {folder} is no dataset: it has neither {VAL_LABELS} nor {TRAIN_LABELS}")
    samples = read_labels(folder / names[0]).samples
    return Pictures(folder, open_images(folder), frozenset((each.image, each.label) for each in samples))
