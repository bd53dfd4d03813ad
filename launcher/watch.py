"""`python -m launcher watch`: follow a job on SageMaker until it is over."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

from contract.starting import EXIT_CTRL_C
from launcher.cloud.call import Commands, read_call
from launcher.entry import enter
from launcher.people import answer, say

if TYPE_CHECKING:
    from launcher.aws import Account
    from launcher.cloud.job import Job
    from launcher.cloud.patience import Clock
    from launcher.cloud.prices import Price
    from launcher.cloud.watch import Followed


def main(argv: list[str] | None = None, clock: Clock | None = None) -> int:
    """One call. Returns the exit code."""
    return enter(argv, partial(watch, clock=clock), result="run", stopped="the job goes on; this watch has ended")


def watch(argv: list[str], clock: Clock | None = None) -> int:
    """Which job, follow it, say what came of it."""
    call = read_call("watch", argv)
    # Imported here: --help and a wrong flag need none of this (boto3).
    from launcher.cloud.job import find_job
    from launcher.cloud.prices import price_of

    account = call.account()
    job = find_job(account, call.named[0])
    say(f"job {job.name} on {job.instance}: {console_address(job)}")
    price = price_of(account, job.instance, account.region)
    try:
        followed = follow(account, job, price, clock)
    except KeyboardInterrupt:
        run, commands = job.run or job.name, call.commands
        say(f"the job goes on\n  {'watch':12} {commands('watch', run)}\n  {'stop':12} {commands('stop', run)}")
        left = {"run": job.run or None, "job": job.name, "status": job.status, "exit_code": EXIT_CTRL_C}
        return answer(json.dumps(left), EXIT_CTRL_C) if call.json else EXIT_CTRL_C
    return tell_end(followed, price, call.commands, call.json)


def follow(account: Account, job: Job, price: Price | None, clock: Clock | None = None) -> Followed:
    """Show a job until it is over, or until Ctrl-C, which it survives. Raises UserError."""
    from launcher.cloud.aftermath import EXIT_DONE, exit_code
    from launcher.cloud.view import job_view
    from launcher.cloud.watch import watch_job

    with job_view() as view:
        followed = watch_job(account, job.name, view, price, clock)
        view.close(well=exit_code(followed.job) == EXIT_DONE)
    return followed


def tell_end(followed: Followed, price: Price | None, commands: Commands, as_json: bool) -> int:
    """Say what came of a job that is over. Returns the exit code."""
    from launcher.cloud.aftermath import describe_result, exit_code, result_as_json

    say(describe_result(followed.job, followed.curve, price, commands))
    code = exit_code(followed.job)
    return answer(json.dumps(result_as_json(followed.job, followed.curve, price)), code) if as_json else code


def console_address(job: Job) -> str:
    """The job's page in AWS's console."""
    from launcher.cloud.partition import console_page

    return console_page(job.region, f"sagemaker/home?region={job.region}#/jobs/{job.name}")


if __name__ == "__main__":
    raise SystemExit(main())
