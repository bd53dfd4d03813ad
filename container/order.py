"""What the supervisor hands to the trainer: one JSON file, so that neither imports the other's world."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

# Exit code of a trainer that refuses its order. Not 1, which is Python's own for anything uncaught. (EX_CONFIG)
REFUSED_BY_TRAINER = 78

# Exit code of a trainer that has nothing wrong but that another rank of its job is gone. (EX_PROTOCOL)
LOST_ANOTHER_RANK = 76

# The trainer writes why it failed over these blanks: a full disk has no room for a new file.
FAILURE_ROOM = 4096  # bytes


@dataclass(frozen=True)
class WorkOrder:
    """Everything the trainer needs to know. Paths as text, times in seconds."""

    run_id: str
    tree: str
    config: str  # the resolved recipe, whose character_dict_path is relative to its own folder
    recipe: dict[str, Any]  # name, and the rows of the before/after table
    train_folder: str
    train_labels: str
    val_folder: str
    val_labels: str
    dictionary: str
    checkpoints: str
    resume: str | None
    pretrained: str | None
    model: str  # where the artifact is put together
    failure: str  # where the trainer writes one sentence when it fails
    gpu_summary: str  # where the supervisor keeps what the GPUs did so far; no such file without a GPU
    save_seconds: float
    input_pipeline: str
    patience: int | None
    zero_accuracy_steps: int | None
    fitted_batch: int | None  # the batch size, when it was chosen and not asked for
    characters: int
    dataset_sha256: str
    train_sha256: str  # of the split, in the order of its lines: a position within an epoch depends on it
    val_sha256: str  # of the validation set and its input: scores on another one cannot be compared
    dictionary_sha256: str
    recipe_sha256: str

    def save(self, path: Path, trainers: int = 1) -> None:
        """For so many trainers of this host."""
        path.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")
        for local in range(trainers):
            self._failure_of(local).write_bytes(b" " * FAILURE_ROOM)

    def say_failure(self, reason: str, local: int = 0) -> None:
        """Leave one sentence for the supervisor. `local`: which trainer of this host."""
        with self._failure_of(local).open("r+b") as file:
            file.write(reason.encode()[:FAILURE_ROOM])

    def read_failure(self, local: int = 0) -> str:
        """The sentence that a trainer left, or "" when it left none."""
        return self._failure_of(local).read_bytes().decode("utf-8", errors="ignore").strip()

    def _failure_of(self, local: int) -> Path:
        return Path(f"{self.failure}-{local}" if local else self.failure)

    @classmethod
    def load(cls, path: Path) -> WorkOrder:
        return cls(**json.loads(path.read_text(encoding="utf-8")))
