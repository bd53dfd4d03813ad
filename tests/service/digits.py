"""A run on drawn digits, small enough to be really trained in a test: its data in S3, its job, what it leaves."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

from contract.events import METRIC_DEFINITIONS, parse_event
from tests.service.s3_folders import Prefix
from tests.service.service import Service, plain_request
from tests.service.training_job import TrainingJob

BUCKET = "ocr-data"
DATASET = f"s3://{BUCKET}/ocr/datasets/digits/"
PARAMETERS = {
    "config": "rec/demo_digits.yml",
    "epochs": "3",
    "batch_size": "8",
    "workers": "0",
    "save_minutes": "0",
    "Global.print_batch_step": "1",
    "Global.use_gpu": "false",  # these machines are ml.g4dn.xlarge by name only
}


def put_dataset(service: Service, folder: Path) -> None:
    """The bucket, and the dataset in it."""
    service.make_bucket(BUCKET)
    s3, where = service.own_client("s3"), Prefix.of(DATASET)
    for path in filter(Path.is_file, folder.rglob("*")):
        s3.upload_file(str(path), BUCKET, where.prefix + path.relative_to(folder).as_posix())


def create(service: Service, run: str, *, uri: str = DATASET, **changed: Any) -> str:
    """A Spot job of a run of nine steps; `changed` are hyperparameters. Returns its name."""
    request = plain_request(f"{run}-1") | {
        "HyperParameters": PARAMETERS | {"run_id": run} | changed,
        "InputDataConfig": [
            {
                "ChannelName": "training",
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}},
            }
        ],
        "CheckpointConfig": {"S3Uri": f"s3://{BUCKET}/ocr/runs/{run}/checkpoints/"},
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/ocr/runs/{run}/output/"},
        "EnableManagedSpotTraining": True,
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200},
    }
    request["AlgorithmSpecification"]["MetricDefinitions"] = list(METRIC_DEFINITIONS)
    service.client("sagemaker").create_training_job(**request)
    return request["TrainingJobName"]


def events(job: TrainingJob, kind: str) -> list[dict[str, Any]]:
    return [event for event in map(parse_event, job.lines) if event and event["event"] == kind]


def model_of(service: Service, job: TrainingJob) -> dict[str, bytes]:
    """The files in the job's model.tar.gz."""
    where = Prefix.of(job.artifact)
    data = service.own_client("s3").get_object(Bucket=where.bucket, Key=where.prefix)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {entry.name: file.read() for entry in tar if (file := tar.extractfile(entry))}


def checkpoints(service: Service, run: str) -> set[str]:
    """The files in the run's checkpoint folder in S3."""
    prefix = f"ocr/runs/{run}/checkpoints/"
    return {key.removeprefix(prefix) for key in Prefix(BUCKET, prefix).keys(service.own_client("s3"))}
