"""The region and the instance: does SageMaker have them, and what is in the instance?"""

from __future__ import annotations

import os

from contract.hyperparameters import did_you_mean
from data_preparation.aws import doubts_about_region
from launcher.aws import Account
from launcher.cloud.check import Check, fine, problem, unknown
from launcher.cloud.instances import instance_facts, sagemaker_types

REGION, NAME = "region", "instance"


def check_region(account: Account) -> Check:
    """Is SageMaker there? The installed boto3 has a list; newer regions are not in it."""
    doubts = doubts_about_region(account.session, account.region)
    return unknown(REGION, doubts) if doubts else fine(REGION, account.region)


def check_spelling(region: str) -> tuple[Check, ...]:
    """Where AWS cannot be asked: is the region's name perhaps the reason? Nothing to say when it is a known one."""
    try:
        from boto3 import Session
    except ImportError:
        return ()  # said elsewhere
    place = region or os.environ.get("AWS_REGION", "") or os.environ.get("AWS_DEFAULT_REGION", "")
    known = Session(region_name="us-east-1").get_available_regions("sagemaker")
    if not place or place in known or not (near := did_you_mean(place, known)):
        return ()
    likely = near.split("'")[1]
    return (problem(REGION, f"the installed boto3 knows no region {place}", f"give --region {likely}"),)


def check_instances(instances: tuple[str, ...]) -> Check:
    """What the machines have, or why they are none."""
    told, strange = [], False
    for name in instances:
        facts = instance_facts(name)
        if not facts.known and name not in sagemaker_types():
            return problem(
                NAME,
                f"the installed boto3 knows no training instance {name}{did_you_mean(name, list(sagemaker_types()))}",
                "correct --instance; for a newer type install a newer boto3",
            )
        strange |= not facts.known
        told.append(f"{facts.name} has {facts}" if facts.known else str(facts))
    return unknown(NAME, "; ".join(told)) if strange else fine(NAME, "; ".join(told))
