"""The SageMaker SDK talks to the service unchanged, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.service import completed, curve, downloading, interrupted, pending, scripted_service, timeline, training
from tests.service.service import plain_request

PROGRAM = """
import boto3
from sagemaker import Session
from sagemaker.estimator import Estimator

quiet = {"SchemaVersion": "1.0", "SageMaker": {"PythonSDK": {"Modules": {"TelemetryOptOut": True}}}}
session = Session(boto_session=boto3.Session(), sagemaker_config=quiet)
estimator = Estimator(
    image_uri="%(image)s", role="%(role)s", instance_count=1, instance_type="ml.g4dn.xlarge",
    output_path="s3://ocr-data/ocr/runs/demo/output/", hyperparameters={"epochs": 3},
    use_spot_instances=True, max_run=7200, max_wait=9000, sagemaker_session=session,
    checkpoint_s3_uri="s3://ocr-data/ocr/runs/demo/checkpoints/",
    debugger_hook_config=False, disable_profiler=True,
)
estimator.fit({"training": "s3://ocr-data/ocr/datasets/digits/"}, wait=False, job_name="demo-1")
session.logs_for_job("demo-1", wait=True, poll=0.2)
"""


def test_it_creates_a_job_and_follows_its_log():
    script = timeline(
        pending(600), downloading(60), training(3000, curve(1, 20, total=40)), interrupted(600),
        downloading(60), training(3000, curve(21, 40, resumed=20)), completed(), spot_saving=0.75,
    )  # fmt: skip
    plain = plain_request("demo-1")
    names = {"image": plain["AlgorithmSpecification"]["TrainingImage"], "role": plain["RoleArn"]}
    with scripted_service(script, speed=1500) as service:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM % names],
            env=os.environ | service.environment,
            capture_output=True,
            text=True,
            timeout=180,
        )
        assert done.returncode == 0, done.stderr
        sent = service.requests("CreateTrainingJob")[0].body
        assert sent["HyperParameters"] == {"epochs": "3"}
        assert sent["StoppingCondition"] == {"MaxRuntimeInSeconds": 7200, "MaxWaitTimeInSeconds": 9000}
        assert {each.service for each in service.requests()} <= {"sagemaker", "logs", "sts"}
    for step in range(1, 41):
        assert f"event=train step={step} " in done.stdout
    assert "Managed Spot Training savings: 75.0%" in done.stdout
