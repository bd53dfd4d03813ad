"""What the logs of a run tell, all its jobs and restarts together."""

from __future__ import annotations

from dataclasses import dataclass

from contract.paths import FIRST_HOST
from launcher.aws import Account
from launcher.cloud.curve import Curve, Heard, join_curve
from launcher.cloud.job import Job
from launcher.cloud.logs import read_log
from launcher.follow import event_of
from launcher.progress import Progress


@dataclass(frozen=True)
class Story:
    """The joined curve, and where the newest job stands."""

    curve: Curve
    progress: Progress


def read_story(account: Account, jobs: list[Job]) -> Story:
    """From logs alone; `jobs`: of one run, the oldest first. Raises UserError."""
    heard = []
    progress = Progress()
    for job in jobs:
        stream = ""
        for line in read_log(account, job.name):
            if line.host != FIRST_HOST:
                continue  # of several machines the first speaks for all
            if line.stream != stream:
                stream = line.stream
                progress.begin_attempt()
            event = event_of(line.text)
            if event is None:
                progress.hear(line.ms / 1000)
            else:
                progress.update(event, line.ms / 1000)
                heard.append(Heard(event, job.name, line.stream, line.time))
    return Story(join_curve(heard), progress)
