"""`python -m launcher stop`: stop a job on SageMaker, with its checkpoint."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

from contract.errors import UserError
from contract.starting import EXIT_CTRL_C
from launcher.cloud.call import read_call
from launcher.entry import enter
from launcher.people import answer, say

if TYPE_CHECKING:
    from launcher.aws import Account
    from launcher.cloud.job import Job
    from launcher.cloud.patience import Clock


class StopFailed(UserError):
    """The job ended in another way than by being stopped."""


def main(argv: list[str] | None = None, clock: Clock | None = None) -> int:
    """One call. Returns the exit code."""
    return enter(argv, partial(stop, clock=clock), (StopFailed,), result="run", stopped="nothing was stopped")


def stop(argv: list[str], clock: Clock | None = None) -> int:
    """Which job, ask it, wait for its checkpoint, let go of a warm machine, say how to go on."""
    call = read_call("stop", argv)
    # Imported here: --help and a wrong flag need none of this (boto3).
    from launcher.cloud.checkpoints import newest_checkpoint
    from launcher.cloud.job import COMPLETED, FAILED, STOPPING, find_job
    from launcher.cloud.layout import parse_s3_uri

    account = call.account()
    job = find_job(account, call.named[0])
    run = job.run or job.name
    if not job.is_over and job.status != STOPPING:
        ask_to_stop(account, job)
        say(f"asked {job.name} to stop: it has 120 s to save, then its model is uploaded")
    elif job.status == STOPPING:
        say(f"{job.name} is stopping already")
    if not call.is_on("no_wait") and not job.is_over:
        try:
            job = _wait(account, job, clock)
        except KeyboardInterrupt:
            say("it stops all the same; this command has ended")
            left = {"run": run, "job": job.name, "status": STOPPING, "exit_code": EXIT_CTRL_C}
            return answer(json.dumps(left), EXIT_CTRL_C) if call.json else EXIT_CTRL_C
    warm = job.warm_until
    if warm:
        release(account, job)
        say(f"the machine of {job.name}, which would have stayed warm until {warm:%H:%M} UTC, is let go")
    if job.status == FAILED:
        raise StopFailed(f"the job {job.name} failed: {job.reason or 'SageMaker does not say why'}")
    step = None
    if job.is_over:
        if job.checkpoint_uri:
            step = newest_checkpoint(account, parse_s3_uri(job.checkpoint_uri, "checkpoints"))
        say(f"{job.name} has {'completed' if job.status == COMPLETED else 'stopped'}{_checkpoint(job, step)}")
    if job.status != COMPLETED:
        say(f"  {'continue':12} {call.commands('submit', '--resume', run)}")
        if job.is_over and job.start:
            say(f"  {'best so far':12} {call.commands('download', run)}")
    if not call.json:
        return 0
    shown = {"run": run, "job": job.name, "status": job.status, "checkpoint_step": step}
    return answer(json.dumps(shown | {"checkpoints": job.checkpoint_uri or None, "exit_code": 0}), 0)


def ask_to_stop(account: Account, job: Job) -> None:
    """StopTrainingJob. One that has ended meanwhile is no error. Raises UserError."""
    from botocore.exceptions import ClientError

    from launcher.aws import explained
    from launcher.cloud.job import describe_job

    with explained(f"stopping the job {job.name}"):
        try:
            account.client("sagemaker").stop_training_job(TrainingJobName=job.name)
        except ClientError:
            now = describe_job(account, job.name)
            if now is None or not now.is_over:
                raise


def release(account: Account, job: Job) -> None:
    """UpdateTrainingJob: the machine of a job that is over waits for no other. Raises UserError."""
    from launcher.aws import explained

    with explained(f"letting go of the machine of {job.name}"):
        account.client("sagemaker").update_training_job(
            TrainingJobName=job.name, ResourceConfig={"KeepAlivePeriodInSeconds": 0}
        )


def _wait(account: Account, job: Job, clock: Clock | None) -> Job:
    from launcher.cloud.view import job_view
    from launcher.cloud.watch import watch_job

    with job_view() as view:
        return watch_job(account, job.name, view, None, clock).job


def _checkpoint(job: Job, step: int | None) -> str:
    if step is not None:
        return f": the checkpoint of step {step} is in {job.checkpoint_uri}"
    return f": there is no checkpoint in {job.checkpoint_uri}" if job.checkpoint_uri else ": it kept no checkpoints"


if __name__ == "__main__":
    raise SystemExit(main())
