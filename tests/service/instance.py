"""A training machine that really runs our container for a CreateTrainingJob, and is taken away like a Spot machine."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from contract.events import parse_event
from tests.service.machine import exit_code_of, failure_in, fresh_machine, lay_out, restore_checkpoints, start_container
from tests.service.s3_folders import DataMissing, Mirror, upload_packed
from tests.service.training_job import TrainingJob

if TYPE_CHECKING:
    from tests.service.service import Service

MIRROR_EVERY_S = 0.2
TICK_S = 0.1


@dataclass(frozen=True)
class TrainingInstance:
    """How the machines of a job behave. One host; channels in File and FastFile mode, S3Prefix."""

    interrupt_at: tuple[int, ...] = ()  # steps: SIGTERM, and the checkpoints are copied until the machine is gone
    kill_at: tuple[int, ...] = ()  # steps: the machine is gone at once, S3 has what was copied so far
    grace_s: float = 120.0  # from SIGTERM to SIGKILL
    spot_saving: float = 0.7
    waits_s: float = 0.0  # for capacity, at the start and after each interruption
    environment: Mapping[str, str] = field(default_factory=dict)  # of the container, beside what the job asks for
    docker_image: str = ""  # a local image to run in Docker; without: python -m container

    def begin(self, job: TrainingJob, service: Service) -> InstanceRun:
        assert job.request["ResourceConfig"].get("InstanceCount", 1) == 1, "one host is all that this machine has"
        job.spot_saving = self.spot_saving
        run = InstanceRun(self, job, service)
        run.start()
        return run


class _JobEnds(Exception):
    """The job is over before its container has run to the end."""

    def __init__(self, status: str, reason: str = "") -> None:
        self.status, self.reason = status, reason


class InstanceRun(threading.Thread):
    """The machines of one job, one after the other."""

    def __init__(self, how: TrainingInstance, job: TrainingJob, service: Service) -> None:
        super().__init__(name=f"instance of {job.name}", daemon=True)
        self._how = how
        self._job = job
        self._service = service
        self._s3 = service.own_client("s3", job.region)
        self._cuts = sorted([(step, True) for step in how.interrupt_at] + [(step, False) for step in how.kill_at])
        self._stop_asked = threading.Event()
        self._closing = threading.Event()
        conditions = job.request["StoppingCondition"]
        self._waits_until = job.created + conditions.get("MaxWaitTimeInSeconds", float("inf"))
        self._may_run_s = conditions.get("MaxRuntimeInSeconds", 86400)  # what is left of it, by the service's clock
        self._began = 0.0  # this machine, to be paid
        job.enter("Starting", service.clock.now())

    # ---- what the service asks of it

    def catch_up(self, now: float) -> None:
        """It writes by itself."""

    def stop(self, now: float) -> None:
        if not self._stop_asked.is_set():
            self._job.enter("Stopping", now)
            self._stop_asked.set()

    def close(self) -> None:
        self._closing.set()
        self.join()

    # ---- the job

    def run(self) -> None:
        try:
            while not self._closing.is_set():
                with fresh_machine() as base:
                    again = self._use(base)
                if not again:
                    return
                self._enter("Interrupted")
                self._wait()
                self._enter("Starting")
        except _JobEnds as end:
            self._finish(end.status, end.reason, left_a_model=False)
        except Exception as error:  # of this package: the test must hear of it
            traceback.print_exc()
            self._finish("Failed", f"InternalServerError: {error!r}")

    def _use(self, base: Path) -> bool:
        """One machine from start to end. True: it was taken away, another one goes on."""
        self._enter("Pending")
        self._wait()
        self._enter("Downloading")
        self._began = self._service.clock.now()
        try:
            lay_out(base, self._job, self._s3)
            mirror = restore_checkpoints(base, self._job, self._s3)
        except DataMissing as error:
            raise _JobEnds("Failed", str(error)) from None
        with self._service.lock:
            if self._stop_asked.is_set():
                raise _JobEnds("Stopped")
            self._enter("Training")
            self._job.open_streams(self._service.clock.now())
        code, ended_by = self._run_container(base, mirror)
        self._may_run_s -= self._service.clock.now() - self._began
        if mirror and ended_by != "kill":
            mirror.copy()
        if self._closing.is_set():
            return False
        if ended_by in ("kill", "interruption"):
            return True
        self._conclude(base, code, ended_by)
        return False

    def _run_container(self, base: Path, mirror: Mirror | None) -> tuple[int, str]:
        """Its exit code, and what ended it: nothing, interruption, kill, stop, MaxRuntimeExceeded…"""
        ended_by, kill_at, mirrored = "", float("inf"), time.monotonic()
        with start_container(base, self._job, self._how.environment, self._how.docker_image) as container:
            while not container.finished:
                line = container.next_line(TICK_S)
                if line is not None:
                    text = line.decode(errors="replace").rstrip("\n")
                    with self._service.lock:
                        self._job.say(text, self._service.clock.now())
                    if not ended_by and self._is_cut(text):
                        gently = self._cuts.pop(0)[1]
                        ended_by = "interruption" if gently else "kill"
                if ended_by == "kill" or self._closing.is_set():
                    container.kill()
                    return -9, ended_by
                if not ended_by or ended_by == "interruption":
                    ended_by = self._asked_to_end() or ended_by
                if ended_by and kill_at == float("inf"):
                    container.terminate()
                    kill_at = time.monotonic() + self._how.grace_s
                if time.monotonic() >= kill_at:
                    container.kill()
                if mirror and time.monotonic() - mirrored >= MIRROR_EVERY_S:
                    mirror.copy()
                    mirrored = time.monotonic()
            code = container.exit_code
        assert code is not None
        return code, ended_by

    def _is_cut(self, text: str) -> bool:
        """The next interruption is due: its step has been printed."""
        event = parse_event(text)
        if not event or not self._cuts or event["event"] not in ("train", "checkpoint"):
            return False
        return int(str(event["step"])) >= self._cuts[0][0]

    def _asked_to_end(self) -> str:
        """The last secondary status of a job that must end now; empty: it may go on."""
        if self._stop_asked.is_set():
            return "Stopped"
        now = self._service.clock.now()
        if now - self._began > self._may_run_s:
            self._enter("Stopping")
            return "MaxRuntimeExceeded"
        if now > self._waits_until:
            self._enter("Stopping")
            return "MaxWaitTimeExceeded"
        return ""

    def _conclude(self, base: Path, code: int, ended_by: str) -> None:
        """Upload what the container has left, and judge."""
        self._enter("Uploading")
        failed = not ended_by and code != 0
        self._upload(base / "output/data", "output.tar.gz")
        if not failed:
            self._upload(base / "model", "model.tar.gz")
        if failed:
            self._finish("Failed", f"AlgorithmError: {failure_in(base)}, exit code: {exit_code_of(code)}")
        else:
            self._finish(ended_by or "Completed", left_a_model=any((base / "model").iterdir()))

    def _upload(self, folder: Path, name: str) -> None:
        if any(folder.iterdir()):
            upload_packed(self._s3, folder, f"{self._job.artifact.rpartition('/')[0]}/{name}")

    # ---- the record

    def _wait(self) -> None:
        """For a machine: until then the job can be stopped, or run out of time."""
        until = self._service.clock.now() + self._how.waits_s
        while True:
            if self._stop_asked.is_set() or self._closing.is_set():
                raise _JobEnds("Stopped")
            now = self._service.clock.now()
            if now > self._waits_until:
                raise _JobEnds("MaxWaitTimeExceeded")
            if now >= until:
                return
            time.sleep(TICK_S)

    def _enter(self, status: str) -> None:
        with self._service.lock:
            if not self._stop_asked.is_set() or status == "Uploading":
                self._job.enter(status, self._service.clock.now())

    def _finish(self, status: str, reason: str = "", *, left_a_model: bool = False) -> None:
        with self._service.lock:
            self._job.finish(status, self._service.clock.now(), reason, left_a_model=left_a_model)
