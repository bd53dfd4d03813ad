"""`python -m launcher logs`: what a job on SageMaker has printed."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

from contract.streams import people, pour
from launcher.cloud.call import Call, read_call
from launcher.entry import enter
from launcher.people import say

if TYPE_CHECKING:
    from collections.abc import Callable

    from launcher.aws import Account
    from launcher.cloud.job import Job
    from launcher.cloud.logs import LogLine
    from launcher.cloud.patience import Clock

NOTHING_YET = "the job has printed nothing yet: --follow waits for it"


class ReaderGone(Exception):
    """Nobody reads stdout any more."""


def main(argv: list[str] | None = None, clock: Clock | None = None) -> int:
    """One call. Returns the exit code."""
    return enter(argv, partial(logs, clock=clock), result="run", stopped="the job goes on; its log has been left")


def logs(argv: list[str], clock: Clock | None = None) -> int:
    """Which jobs, print their lines."""
    call = read_call("logs", argv)
    # Imported here: --help and a wrong flag need none of this (boto3).
    from launcher.cloud.job import find_job, jobs_of_run
    from launcher.cloud.logs import read_log

    account = call.account()
    newest = find_job(account, call.named[0])
    jobs = jobs_of_run(account, newest.run) if call.is_on("all_jobs") else [newest]
    write = partial(_pour, show=_writer(call))
    try:
        for job in jobs[:-1] if call.is_on("follow") else jobs:
            lines = read_log(account, job.name)
            for line in lines:
                write(line)
            if not lines and not job.is_over:
                say(NOTHING_YET)
        return _follow(account, newest, write, clock) if call.is_on("follow") else 0
    except ReaderGone:
        return 0


def _follow(account: Account, job: Job, write: Callable[[LogLine], None], clock: Clock | None) -> int:
    """All lines of a job until it is over; phases go to stderr."""
    from launcher.cloud.aftermath import describe_end, exit_code
    from launcher.cloud.view import JobView
    from launcher.cloud.watch import watch_job

    class Lines(JobView):
        def take(self, line: LogLine) -> None:
            write(line)

        remember = take

    end = watch_job(account, job.name, Lines(people()), None, clock).job
    code = exit_code(end)
    say(f"{end.name}: {'completed' if code == 0 else describe_end(end)}")
    return code


def _writer(call: Call) -> Callable[[LogLine], str]:
    if call.json:
        return _as_json
    return (lambda line: line.text) if call.is_on("raw") else _with_time


def _as_json(line: LogLine) -> str:
    return json.dumps({"time": line.time.isoformat(), "stream": line.stream, "text": line.text}, ensure_ascii=False)


def _with_time(line: LogLine) -> str:
    return f"{line.time:%Y-%m-%dT%H:%M:%SZ} {line.host} {line.text}"


def _pour(line: LogLine, show: Callable[[LogLine], str]) -> None:
    if not pour(show(line)):
        raise ReaderGone


if __name__ == "__main__":
    raise SystemExit(main())
