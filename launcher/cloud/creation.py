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


class Uncertain(UserError):
    """AWS has not said whether the job exists."""


class Stopped(KeyboardInterrupt):
    """Ctrl-C while a job was being created: is it there?"""

    def __init__(self, *, exists: bool) -> None:
        super().__init__()
        self.exists = exists


def create(account: Account, request: Request) -> Job:
    """The job of this name: made now, or there already. Raises NoRoom, Uncertain, or UserError: there is none."""
    from launcher.cloud.estimator import create_job, load_sdk

    load_sdk()  # takes seconds: a stop meanwhile needs no questions
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    name = request["TrainingJobName"]
    try:
        create_job(account, request)
    except KeyboardInterrupt:
        say("stopping: asking SageMaker whether the job is there already")
        raise Stopped(exists=_find(account, request) is not None) from None
    except (BotoCoreError, ClientError, ResponseParserError) as error:
        # The request may have arrived though its answer did not, and a retry then meets its own job.
        if not (error_code(error) == "ResourceInUse" or will_pass(error)):
            _refuse(account, request, error)
        if job := _find(account, request):
            return job
        _refuse(account, request, error)
    if job := _find(account, request):
        return job
    raise Uncertain(f"SageMaker took the job {name} and does not show it yet")


def _find(account: Account, request: Request) -> Job | None:
    """The job of this request: it may appear some seconds late. Raises Uncertain: AWS does not answer."""
    name, give_up = request["TrainingJobName"], time.monotonic() + APPEARS_WITHIN_S
    while True:
        try:
            job = describe_job(account, name)
        except UserError as error:
            raise Uncertain(f"whether the job {name} exists is not known: {error}") from error
        if job is None and time.monotonic() < give_up:
            time.sleep(LOOK_EVERY_S)
            continue
        is_ours = job is not None and job.run == request["HyperParameters"][RUN_HYPERPARAMETER]
        return job if is_ours else None


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
