"""Follow a job on SageMaker until it is over, whatever happens to the connection."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime

from contract.errors import UserError
from contract.paths import FIRST_HOST
from launcher.aws import Account, error_code, explained
from launcher.cloud.curve import Curve, Heard, join_curve
from launcher.cloud.forecast import Forecast, forecast
from launcher.cloud.job import Job, Transition, is_missing, read_job
from launcher.cloud.logs import LogLine, LogReader
from launcher.cloud.patience import Clock, NoAnswer, PatientAccount
from launcher.cloud.prices import Price
from launcher.cloud.view import PHASES, JobView
from launcher.follow import event_of
from launcher.progress import clock as hours

# Seconds between two looks: the least while lines come, ever longer while nothing changes.
SOONEST_S, LATEST_S, SLOWER = 5.0, 20.0, 1.5
CPU_SHARE, SELDOM_S = 0.005, 30.0  # of one core: a slow machine looks less often, but this often at least

# CloudWatch shows the last lines some seconds after the job is over.
DRAIN_EVERY_S, DRAIN_READS, DRAIN_AT_MOST_S = 3.0, 6, 180.0
_LAST_EVENTS = ("done", "failed", "interrupted")


@dataclass(frozen=True)
class Followed:
    """A job that is over, and what it has said."""

    job: Job
    curve: Curve


def watch_job(account: Account, name: str, view: JobView, price: Price | None, clock: Clock | None = None) -> Followed:
    """Show the job until it is over. Ctrl-C (KeyboardInterrupt) leaves it running. Raises UserError."""
    return _Watch(account, name, view, price, clock or Clock()).run()


class _Watch:
    def __init__(self, account: Account, name: str, view: JobView, price: Price | None, clock: Clock) -> None:
        self._name = name
        self._view = view
        self._price = price
        self._clock = clock
        self._patient = PatientAccount(account, view.say, clock)
        self._reader = LogReader(self._patient.ask, name)
        self._job: Job | None = None
        self._heard: list[Heard] = []
        self._attempt = ""
        self._shown: list[Transition] | None = None  # None: this watch has just begun
        self._phases: list[Transition] = []  # to be shown, each between the lines before and after it
        self._warned = False
        self._may_read_log = True

    def run(self) -> Followed:
        wait, has_begun = SOONEST_S, False
        while True:
            began = time.thread_time()
            news = self._look()
            if self._job and self._job.is_over:
                try:
                    self._drain()
                except KeyboardInterrupt:
                    self._view.say("the job is over; the last lines of its log were not waited for")
                self._show_phases()
                return Followed(self._job, join_curve(self._heard))
            wait = SOONEST_S if news else min(wait * SLOWER, LATEST_S)
            used = time.thread_time() - began if has_begun else 0.0  # the first look loads what all need
            has_begun = True
            self._clock.sleep(max(wait, min(used / CPU_SHARE, SELDOM_S)))

    def _look(self) -> bool:
        """Ask once what is new, and show it. Returns whether anything was."""
        before = self._job
        is_first = self._shown is None
        self._describe()
        lines = self._read()
        if is_first and len(lines) > 1:
            if not (self._job and self._job.is_over):
                self._show_phases()
            self._catch_up(lines)
        else:
            for line in lines:
                self._take(line)
        if not (self._job and self._job.is_over):  # its end comes after its last lines
            self._show_phases()
        self._show()
        return bool(lines) or self._job != before

    def _describe(self) -> None:
        from botocore.exceptions import ClientError

        with explained(f"asking SageMaker about the job {self._name}"):
            try:
                answer = self._patient.ask("sagemaker", "describe_training_job", TrainingJobName=self._name)
            except NoAnswer:
                return
            except ClientError as error:
                if is_missing(error):
                    raise UserError(f"the job {self._name} is not there (any more)") from None
                raise
        self._job = read_job(answer)
        self._find_phases(self._job)

    def _read(self, *, to_the_end: bool = False) -> list[LogLine]:
        from botocore.exceptions import ClientError

        if not self._may_read_log:
            return []
        with explained(f"reading the log of {self._name}"):
            try:
                return self._reader.read(to_the_end=to_the_end)
            except ClientError as error:
                if not error_code(error).startswith("AccessDenied"):
                    raise
        self._may_read_log = False
        self._view.say(
            "note: these credentials may not read the log: allow logs:DescribeLogStreams and logs:GetLogEvents to see "
            "steps and scores"
        )
        return []

    def _find_phases(self, job: Job) -> None:
        known = self._shown or []
        found = job.transitions[-1:] if self._shown is None else job.transitions
        self._phases += [each for each in found if all(differs(each, old) for old in known)]
        self._shown = list(job.transitions)

    def _show_phases(self, until: datetime | None = None) -> None:
        """Those that had begun at this time; without one all."""
        while self._phases and (until is None or (self._phases[0].start or until) <= until):
            self._view.say(describe_transition(self._phases.pop(0)))

    def _show(self) -> None:
        if self._job is None:
            return
        seen = forecast(self._job, self._view.progress.eta_s, self._price)
        self._view.show(self._job, seen)
        self._warn(self._job, seen)

    def _warn(self, job: Job, seen: Forecast) -> None:
        if seen.misses and not self._warned:
            self._view.say(describe_miss(job, seen))
        elif self._warned and not seen.misses and self._view.progress.eta_s:
            self._view.say("at the present pace it will finish in time after all")
        if self._view.progress.eta_s:
            self._warned = bool(seen.misses)

    def _catch_up(self, lines: list[LogLine]) -> None:
        for line in lines:
            if self._note(line):
                self._view.begin_attempt()
            self._view.remember(line)
        self._view.caught_up()

    def _take(self, line: LogLine) -> None:
        self._show_phases(line.time)
        if self._note(line):
            self._view.begin_attempt()
        self._view.take(line)

    def _note(self, line: LogLine) -> bool:
        """Remember what the curve is made of. Returns whether the container has started (again) with this line."""
        if line.host != FIRST_HOST:
            return False  # of several machines the first speaks for all
        event = event_of(line.text)
        if event:
            self._heard.append(Heard(event, self._name, line.stream, line.time))
        is_new, self._attempt = line.stream != self._attempt, line.stream
        return is_new

    def _drain(self) -> None:
        """The last lines come late: read until none do."""
        give_up = self._clock.now() + DRAIN_AT_MOST_S
        empty = 0
        while empty < self._enough() and self._clock.now() < give_up and self._may_read_log:
            lines = self._read(to_the_end=True)
            for line in lines:
                self._take(line)
            empty = empty + 1 if not lines and self._reader.is_complete else 0
            if empty < self._enough():
                self._clock.sleep(DRAIN_EVERY_S)

    def _enough(self) -> int:
        """How many empty reads say that nothing comes any more."""
        has_ended = bool(self._heard) and self._heard[-1].event.get("event") in _LAST_EVENTS
        has_trained = bool(self._attempt or (self._job and self._job.seconds_in(("Training",))))
        return 1 if has_ended or not has_trained else DRAIN_READS


def differs(new: Transition, old: Transition) -> bool:
    """Another phase, or other words about it; that a phase has ended says nothing."""
    return (new.status, new.start, new.message) != (old.status, old.start, old.message)


def describe_transition(transition: Transition) -> str:
    """A phase as a line."""
    words = PHASES.get(transition.status, transition.status)
    message = transition.message.strip().rstrip(".")
    return f"{words}: {message}" if message else words


def describe_miss(job: Job, seen: Forecast) -> str:
    """What happens when the time is too short, and what can be done while it runs."""
    limit = job.max_run_s if seen.misses == "--max-run" else job.max_wait_s
    needed = hours((limit or 0) + seen.late_s)
    return (
        f"warning: it will not finish before {seen.misses} ({hours(limit or 0)}) at this pace: it needs {needed}. "
        "A running job's limit cannot be changed, but nothing is lost: stop it now "
        f"(`python -m launcher.stop {job.run or job.name}`) or let it end there, then submit the same again with "
        f"--resume {job.run or 'RUN'} and a longer {seen.misses}"
    )
