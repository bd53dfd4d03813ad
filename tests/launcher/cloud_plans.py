"""Plans for SageMaker without AWS: the facts are made up here."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from contract.recipe import CONFIGS, load_recipe
from launcher.cloud.job import Job, read_job
from launcher.cloud.layout import S3Uri, run_layout
from launcher.cloud.plan import CloudFacts, CloudPlan, Input, RecipeChoice, plan_cloud_run
from launcher.cloud.prices import Price
from launcher.settings import Settings, load_settings
from tests.launcher.running import RECIPE

REGION = "ap-southeast-1"
ACCOUNT = "123456789012"
BUCKET = "my-bucket"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/ocr-train-exec"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/paddleocr-sagemaker@sha256:{'0a' * 32}"
NOW = datetime(2026, 11, 22, 10, 0, 0, tzinfo=timezone.utc)
DATASET = Input(S3Uri(BUCKET, f"ocr/datasets/words/{'c0' * 32}/"), 313_000_000, "/home/me/words")


def cloud_settings(*flags: str, folder: Path = Path("/nowhere")) -> Settings:
    """Settings of `submit` for SageMaker; a later flag wins over those that are here."""
    base = ["--instance", "ml.g4dn.xlarge", "--dataset", "words", "--bucket", BUCKET, "--run", "lines"]
    return load_settings([*base, "--config", RECIPE, *flags], {}, folder)


def facts(settings: Settings, **changed: Any) -> CloudFacts:
    """What a prepared account says."""
    wanted = settings.cloud
    assert wanted is not None
    found: dict[str, Any] = {
        "now": NOW,
        "region": REGION,
        "layout": run_layout(wanted.bucket, settings.run, wanted.prefix, wanted.runs),
        "channels": {"training": DATASET},
        "recipe": RecipeChoice(RECIPE, load_recipe(CONFIGS / RECIPE), RECIPE),
        "role": ROLE,
        "images": dict.fromkeys(wanted.instances, settings.image_uri or IMAGE),
        "prices": {name: Price(1.0, "USD", "AWS Pricing API", "2026-11-01", REGION) for name in wanted.instances},
    }
    return CloudFacts(**(found | changed))


def planned(*flags: str, **changed: Any) -> CloudPlan:
    """The plan of a call."""
    settings = cloud_settings(*flags)
    return plan_cloud_run(settings, facts(settings, **changed))


def earlier_job(status: str = "Completed", run: str = "lines", **more: Any) -> Job:
    """A job of the run as `planned` would have asked for it."""
    return read_job(
        {
            "TrainingJobName": f"{run}-261121100000",
            "TrainingJobArn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:training-job/{run}-261121100000",
            "TrainingJobStatus": status,
            "SecondaryStatus": status,
            "HyperParameters": {"config": RECIPE, "run_id": run},
            "InputDataConfig": [
                {"ChannelName": "training", "DataSource": {"S3DataSource": {"S3Uri": str(DATASET.uri)}}}
            ],
            "CheckpointConfig": {"S3Uri": f"s3://{BUCKET}/ocr/runs/{run}/checkpoints/"},
            **more,
        }
    )
