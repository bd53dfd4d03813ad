"""A job on this machine from start to end: its executions, rehearsed Spot interruptions, and what came of it."""

from __future__ import annotations

import json
import time
from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from contract.errors import UserError
from contract.paths import EXIT_FINISHED, EXIT_INTERRUPTED, EXIT_REFUSED, JobPaths
from launcher.ctrl_c import Stop
from launcher.follow import PlainView
from launcher.interruption import Interruption
from launcher.pack import pack_model
from launcher.plan import Plan
from launcher.platforms.platform import ContainerLost, Platform, RunningContainer, platform_of
from launcher.progress import Event
from launcher.run_folder import RunFolder

TICK_S = 0.1  # how late an interruption or Ctrl-C may be noticed

Mark = tuple[int, int, int]  # inode, time of change and size of a file

DONE, REFUSED, FAILED, STOPPED = "done", "refused", "failed", "stopped"


@dataclass(frozen=True)
class Outcome:
    """How the job ended."""

    status: str
    reason: str = ""
    wrote_model: bool = False  # this start has put a model into model/, be it the last or the best so far
    by_user: bool = False  # stopped with Ctrl-C or a signal to the launcher


@dataclass(frozen=True)
class Attempt:
    """How one execution of the container ended."""

    exit_code: int
    reason: str  # cause and remedy, as the container or its platform gives them
    asked_by: str  # "": nobody asked it to end; otherwise "interruption" or "user"
    killed: bool
    trained: bool  # it, or an attempt before it in this call, may have trained


class Journal:
    """Everything that is printed goes to job.log as it is, and to the view."""

    def __init__(self, view: PlainView, log: BinaryIO) -> None:
        self.view = view
        self._log = log

    def take(self, line: bytes) -> Event | None:
        """One line of the container. Returns its event, if it is one."""
        self._write(line if line.endswith(b"\n") else line + b"\n")
        return self.view.line(line.decode("utf-8", errors="replace").rstrip("\r\n"))

    def say(self, text: str) -> None:
        """One line of the launcher, with the time (UTC) in job.log."""
        self._write(f"launcher: {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {text}\n".encode())
        self.view.say(text)

    def _write(self, data: bytes) -> None:
        self._log.write(data)
        self._log.flush()


def run_job(plan: Plan, folder: RunFolder, view: PlainView, stop: Stop) -> Outcome:
    """Run the container, as often as the rehearsed interruptions need, until it has ended for good."""
    before = _mark_of(plan.model)
    outcome = _run_to_the_end(plan, folder, view, stop, before)
    return replace(outcome, wrote_model=not _model_problem(plan.model, before))


def _run_to_the_end(plan: Plan, folder: RunFolder, view: PlainView, stop: Stop, before: Mark | None) -> Outcome:
    platform = platform_of(plan)
    try:
        with platform.lay_out(plan) as paths, plan.log.open("ab") as log:
            last = _run_attempts(plan, platform, paths, folder, Journal(view, log), stop)
            platform.collect(plan, paths)
            outcome = _judge(last, plan, before)
            if outcome.status == DONE:
                view.set_status("packing the model")
                pack_model(plan.model, plan.model_tar)
            return outcome
    except UserError as error:  # nothing has run yet
        return Outcome(REFUSED, str(error))
    except ContainerLost as error:
        return Outcome(FAILED, str(error))
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        return Outcome(FAILED, f"{error.strerror or error}{where}: make room or mend it, then start the same run again")


def _run_attempts(
    plan: Plan, platform: Platform, paths: JobPaths, folder: RunFolder, journal: Journal, stop: Stop
) -> Attempt:
    """One attempt after the other, each cut short by its interruption, until one is not. Returns the last."""
    waiting = deque(plan.interruptions)
    trained = False
    while True:
        interruption = waiting.popleft() if waiting else None
        try:
            attempt = _run_once(plan, platform, paths, folder, journal, stop, interruption, trained)
        except UserError as error:
            if not trained:
                raise
            raise ContainerLost(f"it could not be started again: {error}") from None
        trained = True
        if attempt.asked_by != "interruption" or not _was_interrupted(attempt):
            break
        if stop.asked:
            return replace(attempt, asked_by="user", killed=False)
        journal.say("starting again from the newest checkpoint, as Spot does")
    if interruption and not attempt.asked_by:
        waiting.appendleft(interruption)
    for missed in waiting:
        journal.say(f"the job ended before the interruption {missed}")
    return attempt


def _run_once(
    plan: Plan,
    platform: Platform,
    paths: JobPaths,
    folder: RunFolder,
    journal: Journal,
    stop: Stop,
    interruption: Interruption | None,
    trained: bool,
) -> Attempt:
    """One execution, from start to the last line; ends it as planned or as the user asks."""
    asked_by, kill_at, killed, step, reason = "", float("inf"), False, 0, ""
    journal.view.begin_attempt()
    paths.failure.unlink(missing_ok=True)
    with platform.start(plan, paths, folder) as container:
        is_there = _say_that_it_started(container, plan, journal)
        while not container.finished:
            line = container.next_line(TICK_S)
            is_there = is_there or _say_that_it_started(container, plan, journal)
            event = journal.take(line) if line is not None else None
            if event and event.get("event") in ("train", "checkpoint"):
                step = event["step"]
            elif event and event.get("event") == "failed":
                reason = str(event.get("reason", ""))
            if container.exit_code is not None:
                continue
            now = time.monotonic()
            if stop.asked and asked_by != "user":
                if not asked_by:
                    container.terminate()
                    kill_at = now + plan.grace_s
                asked_by = "user"
                journal.view.set_status("stopping")
                journal.say(f"stopping: the container has {plan.grace_s:g} s to save; Ctrl-C again kills it")
            elif interruption and not asked_by and interruption.is_due(now - container.started, step):
                container.terminate()
                asked_by, kill_at = "interruption", now + plan.grace_s
                journal.view.set_status("interrupted")
                journal.say(f"interrupted {interruption} (SIGTERM, {plan.grace_s:g} s of grace)")
            if not killed and (stop.asked > 1 or now >= kill_at):
                container.kill()
                killed = True
                journal.say("killed (SIGKILL): " + ("asked twice" if stop.asked > 1 else "the grace is over"))
        code = container.exit_code
        assert code is not None
        reason = _first_line(paths.failure) or reason or container.reason
    return Attempt(code, reason, asked_by, killed, trained or step > 0)


def _say_that_it_started(container: RunningContainer, plan: Plan, journal: Journal) -> bool:
    """Local mode needs seconds before there is a container, and sometimes there never is one."""
    if container.name:
        journal.say(f"container of run {plan.run} started ({container.name})")
    return bool(container.name)


def _was_interrupted(attempt: Attempt) -> bool:
    """It ended because it was told to: saved in time, killed, or not yet able to hear SIGTERM."""
    return attempt.exit_code == EXIT_INTERRUPTED or attempt.exit_code < 0


def _judge(attempt: Attempt, plan: Plan, before: Mark | None) -> Outcome:
    """What the last attempt means for the run.

    Refused is only what says why and comes before any training of this call: after that, exit 1 is a failure.
    """
    code, reason = attempt.exit_code, attempt.reason
    if code == EXIT_FINISHED:
        problem = _model_problem(plan.model, before)
        return Outcome(FAILED, problem) if problem else Outcome(DONE)
    if code == EXIT_REFUSED and reason and not attempt.trained:
        return Outcome(REFUSED, reason)
    if attempt.asked_by == "user" and _was_interrupted(attempt):
        return Outcome(STOPPED, "killed before it had saved" if attempt.killed else "stopped by you", by_user=True)
    if code == EXIT_INTERRUPTED:
        return Outcome(STOPPED, "the container was told to stop; its checkpoints are kept")
    ended = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
    hint = " (for memory, or by somebody: start the same run again)" if code == -9 else ""
    return Outcome(FAILED, reason or f"the container {ended}{hint} without saying why: see {plan.log}")


def _first_line(failure: Path) -> str:
    """The first line of output/failure, if there is one to read: cause and remedy."""
    try:
        return failure.read_text(encoding="utf-8", errors="replace").strip().partition("\n")[0]
    except OSError:
        return ""


def _model_problem(model: Path, before: Mark | None) -> str:
    """What is wrong with the model that this start should have left; empty: it is there."""
    try:
        json.loads((model / "run.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return f"the container ended well but left no model in {model}: use an image that `make image` has built"
    except (OSError, ValueError) as error:
        return f"the container ended with exit code 0 but left no readable {model / 'run.json'} ({error})"
    if _mark_of(model) == before:
        return f"the container ended with exit code 0 but wrote no model: {model} is of an earlier start"
    return ""


def _mark_of(model: Path) -> Mark | None:
    """What changes whenever a model is written: run.json, which is the last of its files. None: there is none."""
    try:
        status = (model / "run.json").stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
