"""Creates a training job, once: a lost answer or a stop in the middle never makes a second one."""

from __future__ import annotations

import time

from contract.errors import UserError
from launcher.aws import Account, error_code, explained, will_pass
from launcher.cloud.job import RUN_HYPERPARAMETER, Job, describe_job
from launcher.cloud.probes.quota import request_link
from launcher.cloud.request import Request
from launcher.people import say

APPEARS_WITHIN_S, LOOK_EVERY_S = 8.0, 2.0


class NoRoom(UserError):
    """The quota of this instance is used up; another may take the job."""


class Stopped(KeyboardInterrupt):
    """Ctrl-C while a job was being created: is it there?"""

    def __init__(self, *, exists: bool) -> None:
        super().__init__()
        self.exists = exists


def create(account: Account, request: Request) -> Job:
    """The job of this request. Raises NoRoom, or UserError."""
    from launcher.cloud.estimator import create_job, load_sdk

    load_sdk()  # takes seconds: a stop meanwhile needs no questions
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    name = request["TrainingJobName"]
    try:
        create_job(account, request)
    except KeyboardInterrupt:
        say("stopping: asking SageMaker whether the job is there already")
        raise Stopped(exists=_appears(account, name)) from None
    except (BotoCoreError, ClientError, ResponseParserError) as error:
        # The request may have arrived though its answer did not, and a retry then meets its own job.
        lost = error_code(error) == "ResourceInUse" or will_pass(error)
        if not (lost and _is_ours(account, request)):
            _refuse(account, request, error)
    job = describe_job(account, name)
    if job is None:
        raise UserError(
            f"SageMaker took the job {name} and does not know it: look for it with `python -m launcher list`"
        )
    return job


def _appears(account: Account, name: str) -> bool:
    """The request was perhaps on its way when its answer was given up."""
    for _ in range(round(APPEARS_WITHIN_S / LOOK_EVERY_S)):
        if describe_job(account, name):
            return True
        time.sleep(LOOK_EVERY_S)
    return describe_job(account, name) is not None


def _is_ours(account: Account, request: Request) -> bool:
    job = describe_job(account, request["TrainingJobName"])
    return job is not None and job.run == request["HyperParameters"][RUN_HYPERPARAMETER]


def _refuse(account: Account, request: Request, error: Exception) -> None:
    if error_code(error) == "ResourceLimitExceeded":
        instance = request["ResourceConfig"]["InstanceType"]
        said = " ".join(str(error).partition(": ")[2].split()).rstrip(".")
        raise NoRoom(
            f"SageMaker has no room for the job on {instance} ({said}): ask for more at "
            f"{request_link(account.region)}, or name several types with --instance A,B"
        ) from error
    with explained(f"submitting the job {request['TrainingJobName']}"):
        raise error
