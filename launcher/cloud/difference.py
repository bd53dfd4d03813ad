"""What is different between a job of a run and what is asked for now. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from contract.paths import TRAINING_CHANNEL
from data_preparation.dataset_files import dataset_name
from launcher.cloud.call import given_to
from launcher.cloud.job import Job
from launcher.cloud.plan_checks import hours
from launcher.settings import Settings


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[str, ...]:
    """What is different, in words."""
    return tuple(
        f"{key} {before.get(key, 'default')} → {after.get(key, 'default')}"
        for key in sorted({*before, *after})
        if before.get(key) != after.get(key)
    )


def asked_otherwise(settings: Settings, job: Job) -> list[str]:
    """What this call asks of a job and the one that runs does not have, as flags say it."""
    assert settings.cloud is not None
    wanted, before, channels = settings.cloud, dict(job.hyperparameters), dict(job.channels)
    asked = dict(settings.hyperparameters) | dict(settings.overrides)
    other = [f"{key}={raw}" for key, raw in asked.items() if before.get(key) != raw]
    data = channels.get(TRAINING_CHANNEL, "")
    if wanted.dataset and str(wanted.dataset) != data:
        other.append(f"dataset={wanted.dataset}")
    if settings.dataset and f"/datasets/{dataset_name(settings.dataset)}/" not in data:
        other.append(f"dataset={settings.dataset}")
    given = {key for key, each in given_to(settings).items() if each.is_flag}
    if "instance" in given and job.instance not in wanted.instances:
        other.append(f"instance={','.join(wanted.instances)}")
    if "spot" in given and wanted.spot != job.spot:
        other.append(f"spot={str(wanted.spot).lower()}")
    if "max_run" in given and wanted.max_run_s != job.max_run_s:
        other.append(f"max_run={hours(wanted.max_run_s)}")
    if settings.image_uri and settings.image_uri != job.image:
        other.append(f"image_uri={settings.image_uri}")
    return other
