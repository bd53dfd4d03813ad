"""Where SageMaker puts and expects files, under `SAGEMAKER_BASE_DIR` (default `/opt/ml`).

Source: AWS, "How Amazon SageMaker provides training information".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

BASE_DIR_VARIABLE = "SAGEMAKER_BASE_DIR"
DEFAULT_BASE_DIR = "/opt/ml"

# Number of the read end of a pipe that closes when the starter of the process is gone (container/lifeline.py).
LIFELINE_VARIABLE = "OCR_LIFELINE_FD"

# Folder of the checkpoints where the platform cannot put it in its usual place (SageMaker's local mode: a channel).
CHECKPOINTS_VARIABLE = "OCR_CHECKPOINTS"

# Where the hosts of a job meet (`ADDRESS:PORT`), and for how many seconds they wait for each other. By default: the
# first host of resourceconfig.json.
MEETING_VARIABLE = "OCR_MEETING"
MEETING_SECONDS_VARIABLE = "OCR_MEETING_SECONDS"

# SageMaker's name for the first of a job's hosts; the others are algo-2 and so on.
FIRST_HOST = "algo-1"

TRAINING_CHANNEL = "training"
VALIDATION_CHANNEL = "validation"
PRETRAINED_CHANNEL = "pretrained"

# SageMaker shows this many characters of output/failure as FailureReason.
FAILURE_LIMIT = 1024

# What model/ holds, and nothing else.
MODEL_FILES = (
    "best_accuracy.pdparams",
    "best_accuracy.pdopt",
    "inference",
    "dict.txt",
    "config.yml",
    "metrics.jsonl",
    "predictions.csv",
    "run.json",
)

# Exit codes of the container and of the trainer inside it.
EXIT_FINISHED = 0
EXIT_REFUSED = 1  # bad input: nothing was trained
EXIT_FAILED = 2
EXIT_INTERRUPTED = 75  # EX_TEMPFAIL: a checkpoint was published, starting again continues from it


@dataclass(frozen=True)
class JobPaths:
    """The folders of one job."""

    base: Path
    checkpoints_elsewhere: Path | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> JobPaths:
        elsewhere = environment.get(CHECKPOINTS_VARIABLE)
        base = Path(environment.get(BASE_DIR_VARIABLE, DEFAULT_BASE_DIR))
        return cls(base, Path(elsewhere) if elsewhere else None)

    @property
    def hyperparameters(self) -> Path:
        return self.base / "input/config/hyperparameters.json"

    @property
    def input_data_config(self) -> Path:
        return self.base / "input/config/inputdataconfig.json"

    @property
    def resource_config(self) -> Path:
        return self.base / "input/config/resourceconfig.json"

    def channel(self, name: str) -> Path:
        return self.base / "input/data" / name

    @property
    def checkpoints(self) -> Path:
        return self.checkpoints_elsewhere or self.base / "checkpoints"

    @property
    def model(self) -> Path:
        return self.base / "model"

    @property
    def failure(self) -> Path:
        return self.base / "output/failure"
