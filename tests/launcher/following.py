"""Jobs on the scripted service, and calls of the verbs that follow them, in the service's own time."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from contract.events import METRIC_DEFINITIONS
from launcher.cloud.patience import Clock
from tests.service import (
    Service,
    Timeline,
    completed,
    curve,
    downloading,
    interrupted,
    pending,
    scripted_service,
    starting,
    timeline,
    training,
    uploading,
)

RUN = "lines"
JOB = f"{RUN}-261122100000"
BUCKET = "my-bucket"

# Two interruptions: steps 26 to 30 and 51 to 55 are trained twice.
TWICE_INTERRUPTED = timeline(
    starting(20),
    pending(60),
    downloading(30),
    training(300, curve(1, 30, total=90, run=RUN)),
    interrupted(120),
    starting(20),
    downloading(20),
    training(300, curve(21, 55, total=90, resumed=20, run=RUN)),
    interrupted(400),
    starting(20),
    downloading(20),
    training(400, curve(51, 90, total=90, resumed=50, run=RUN)),
    uploading(15),
    completed(),
    spot_saving=0.7,
    log_delay_s=5,
)


class ServiceClock(Clock):
    """The service's time: sleeping moves it on."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.slept: list[float] = []

    def now(self) -> float:
        return self._service.clock.now()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._service.clock.advance(seconds)


@contextmanager
def service_of(environment: pytest.MonkeyPatch, *scripts: Timeline, **options: Any) -> Iterator[Service]:
    """The scripted service, whose time stands still unless somebody sleeps; this process takes it for AWS."""
    with scripted_service(*scripts, **({"speed": 0} | options)) as service:
        for name in list(os.environ):
            if name.startswith("AWS_") and name != "AWS_CA_BUNDLE":
                environment.delenv(name)
        for name, value in service.environment.items():
            environment.setenv(name, value)
        yield service


def request(run: str = RUN, **more: Any) -> dict[str, Any]:
    """What makes a job one of a run."""
    return {
        "HyperParameters": {"run_id": run, "config": "rec/demo_digits.yml", "epochs": "9"},
        "EnableManagedSpotTraining": True,
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200},
        "CheckpointConfig": {"S3Uri": f"s3://{BUCKET}/ocr/runs/{run}/checkpoints/"},
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/ocr/runs/{run}/output/"},
        "AlgorithmSpecification": {
            "TrainingImage": "123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/ocr-train@sha256:" + "0a" * 32,
            "TrainingInputMode": "File",
            "MetricDefinitions": list(METRIC_DEFINITIONS),
        },
        **more,
    }


def call(service: Service, verb: str, *words: str) -> int:
    """A verb in this process, in the service's time."""
    main = importlib.import_module(f"launcher.{verb}").main
    follows = verb in ("watch", "logs", "stop")
    return main(list(words), ServiceClock(service)) if follows else main(list(words))
