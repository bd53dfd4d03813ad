"""A SageMaker job whose machines run the image: interrupted once, with checkpoints in S3."""

from __future__ import annotations

from pathlib import Path

import pytest

from contract.paths import MODEL_FILES
from tests.container.jobs import draw_dataset
from tests.service import TrainingInstance, scripted_service
from tests.service.digits import checkpoints, create, events, model_of, put_dataset


@pytest.mark.slow
def test_the_image_trains_on_a_machine_that_is_taken_away(cpu_image: str, tmp_path: Path):
    dataset = draw_dataset(tmp_path / "digits", train=20, val=6)
    with scripted_service(TrainingInstance(interrupt_at=(3,), docker_image=cpu_image)) as service:
        put_dataset(service, dataset)
        job = service.wait_for(create(service, "boxed"), timeout_s=300)
        assert job.status == "Completed", job.reason
        assert job.statuses.count("Interrupted") == 1
        assert events(job, "resume")[0]["step"] >= 3
        assert {event["step"] for event in events(job, "train")} == set(range(1, 10))
        assert {name.partition("/")[0] for name in model_of(service, job)} == set(MODEL_FILES)
        assert "step-000000009/MANIFEST.json" in checkpoints(service, "boxed")
