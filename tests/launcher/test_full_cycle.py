"""The whole way of a run, with the commands that users type: submit, two interruptions, watch, download, and after.

The jobs really train; one account and its first two runs serve all tests here.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from contract.paths import MODEL_FILES
from tests.container.jobs import draw_dataset
from tests.launcher.an_account import AnAccount, an_account
from tests.launcher.running import RECIPE, ROOT, wait_for
from tests.service import EXPIRED_TOKEN, THROTTLED, Service, TrainingInstance
from tests.service.digits import events

pytestmark = pytest.mark.slow

BUCKET, ROLE_NAME = "my-bucket", "ocr-train-exec"
OLD_KEY, NEW_KEY, SECRET = "AKIAOLD", "AKIANEW", "not-to-be-printed"
CUT, WHOLE, LONG = "cut", "whole", "long"
STEPS = 9
STARTS_WITHIN_S, ENDS_WITHIN_S = 120.0, 240.0
WAITS_S = 120.0  # longer than the watch needs before the first machine is there
WEIGHTS = "best_accuracy.pdparams"


@dataclass
class Called:
    """A command that runs or has run; what it says goes into files."""

    process: subprocess.Popen[bytes]
    folder: Path

    @property
    def out(self) -> str:
        return (self.folder / "out").read_text(encoding="utf-8")

    @property
    def err(self) -> str:
        return (self.folder / "err").read_text(encoding="utf-8")

    def end(self) -> int:
        """Its exit code."""
        return self.process.wait(timeout=ENDS_WITHIN_S)


@dataclass
class User:
    """Somebody with a dataset and an account, who types commands in a folder."""

    account: AnAccount
    calls: Path

    @property
    def service(self) -> Service:
        return self.account.service

    @property
    def credentials(self) -> Path:
        return self.account.folder / "credentials"

    def sign_in(self, key: str) -> None:
        """With this profile's keys in the file, as `aws sso login` or `aws configure` leave them."""
        self.credentials.write_text(f"[watcher]\naws_access_key_id = {key}\naws_secret_access_key = {SECRET}\n")

    def start(self, verb: str, *words: str, **more: str) -> Called:
        folder = self.calls / str(len(list(self.calls.iterdir())))
        folder.mkdir(parents=True)
        environment = {name: value for name, value in os.environ.items() if name not in more}
        environment |= {name: value for name, value in more.items() if value} | {"PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", f"launcher.{verb}", *words]
        with open(folder / "out", "wb") as out, open(folder / "err", "wb") as err:
            process = subprocess.Popen(command, cwd=self.account.folder, env=environment, stdout=out, stderr=err)
        return Called(process, folder)

    def call(self, verb: str, *words: str) -> Called:
        called = self.start(verb, *words)
        called.end()
        return called

    def submit(self, run: str, *flags: str, epochs: int = 3) -> Called:
        small = ("--epochs", str(epochs), "--batch-size", "8", "--workers", "0", "--save-minutes", "0")
        command = ("--spot", "--instance", "ml.g4dn.xlarge", "--dataset", "digits", "--config", RECIPE, *small)
        cpu = ("-o", "Global.use_gpu=false")  # this machine is one with a GPU by name only
        return self.start("submit", *command, *cpu, "-o", "Global.print_batch_step=1", "--run", run, *flags)

    def jobs(self, run: str) -> list[str]:
        return [job.name for job in self.service.all_jobs if job.name.startswith(f"{run}-")]

    def has_said(self, run: str, kind: str) -> bool:
        """Whether a job of the run has printed an event of this kind."""
        return any(events(self.service.job(name), kind) for name in self.jobs(run))

    def curve(self, run: str) -> list[dict[str, str]]:
        path = self.account.folder / f"{run}.csv"
        assert self.call("metrics", run, "--csv", str(path)).end() == 0
        with path.open(encoding="utf-8") as lines:
            return list(csv.DictReader(lines))


@dataclass
class Cycle:
    """A run that was interrupted twice and watched in bad weather, and the same one undisturbed."""

    user: User
    submitted: Called
    watched: Called
    undisturbed: Called


@pytest.fixture(scope="module")
def cycle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cycle]:
    folder = tmp_path_factory.mktemp("home")
    draw_dataset(folder / "digits", train=24, val=8)
    with pytest.MonkeyPatch.context() as environment, an_account(environment, folder) as account:
        image = account.make_ready(BUCKET, ROLE_NAME)
        (folder / "launcher.yml").write_text(f"bucket: {BUCKET}\nrole: {ROLE_NAME}\nimage_uri: {image}\n")
        user = User(account, tmp_path_factory.mktemp("calls"))
        service = account.service
        service.plan(TrainingInstance(interrupt_at=(3, 6), waits_s=WAITS_S), TrainingInstance())
        submitted = user.submit(CUT)
        wait_for(lambda: user.jobs(CUT) or submitted.process.poll() is not None, STARTS_WITHIN_S)
        assert user.jobs(CUT), submitted.err
        watched = _watch_in_bad_weather(user)
        undisturbed = user.submit(WHOLE, "--json")
        wait_for(lambda: _is_over_or_gets_a_machine(service, *user.jobs(CUT)), ENDS_WITHIN_S)
        assert {undisturbed.end(), submitted.end(), watched.end()} == {0}, submitted.err
        yield Cycle(user, submitted, watched, undisturbed)


def _watch_in_bad_weather(user: User) -> Called:
    """While the job waits for a machine the token expires for good; the user signs in again, and AWS is busy."""
    service = user.service
    user.sign_in(OLD_KEY)
    hidden = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"), "")
    watched = user.start(
        "watch", CUT, "--json", "--profile", "watcher", AWS_SHARED_CREDENTIALS_FILE=str(user.credentials), **hidden
    )
    wait_for(lambda: "waiting for a machine" in watched.err, STARTS_WITHIN_S)
    service.fail("*", EXPIRED_TOKEN, key=OLD_KEY)
    wait_for(lambda: "have expired" in watched.err, STARTS_WITHIN_S)
    for operation in ("DescribeTrainingJob", "GetLogEvents"):
        service.fail(operation, THROTTLED, times=2, key=NEW_KEY)
    user.sign_in(NEW_KEY)
    return watched


def _is_over_or_gets_a_machine(service: Service, name: str) -> bool:
    """Whether the job is over; the one that it waits for comes now."""
    job = service.job(name)
    if job.secondary in ("Pending", "Interrupted"):
        service.clock.advance(WAITS_S)
    return job.is_over


def test_interrupted_twice_it_ends_as_one_that_was_not(cycle: Cycle) -> None:
    user = cycle.user
    (name,) = user.jobs(CUT)
    job = user.service.job(name)
    assert job.status == "Completed", job.reason
    assert job.statuses.count("Interrupted") == 2
    assert len(events(job, "resume")) == 2
    hashes = []
    for run in (CUT, WHOLE):
        brought = user.call("download", run)
        assert brought.end() == 0, brought.err
        model = Path(brought.out.strip())
        assert {path.name for path in model.iterdir()} == set(MODEL_FILES)
        hashes.append(hashlib.sha256((model / WEIGHTS).read_bytes()).hexdigest())
    assert hashes[0] == hashes[1]


def test_the_joined_curve_has_every_step_once_and_is_that_of_the_whole(cycle: Cycle) -> None:
    rows, whole = cycle.user.curve(CUT), cycle.user.curve(WHOLE)
    assert [int(row["step"]) for row in rows] == list(range(1, STEPS + 1))
    same = ("step", "epoch", "loss", "lr", "acc", "cer", "norm_edit_dis")
    assert [[row[name] for name in same] for row in rows] == [[row[name] for name in same] for row in whole]


def test_submitting_tells_the_story_in_order_and_what_it_cost(cycle: Cycle) -> None:
    said = cycle.submitted.err
    places = [
        said.index(words)
        for words in (
            "run          cut: new",
            "35 of 35 files sent",
            "is submitted: https://",
            "waiting for a machine",
            "downloading data",
            "job: 24 training and 8 validation samples · 9 steps · 3 epochs · batch 8",
            "interrupted: ",
            "resuming from step ",
            "evaluated at step 9",
            "completed: ",
            "run cut is done",
        )
    ]
    assert places == sorted(places)
    (name,) = cycle.user.jobs(CUT)
    assert said.count(name) == 4, "the name that the plan shows is that of the job"
    job = cycle.user.service.client("sagemaker").describe_training_job(TrainingJobName=name)
    billed, trained = job["BillableTimeInSeconds"], job["TrainingTimeInSeconds"]
    assert "on ml.g4dn.xlarge (Spot), interrupted 2 times" in said
    assert f"billable     {billed} s: Spot saved {1 - billed / trained:.0%} ($" in said
    assert f"cost         ${0.9205 * billed / 3600:.4f} at $0.9205/h on demand (AWS Pricing API" in said
    assert "next         python -m launcher.download cut" in said


def test_a_throttled_watch_outlives_its_token(cycle: Cycle) -> None:
    said, result = cycle.watched.err, json.loads(cycle.watched.out)
    (expired,) = [line for line in said.splitlines() if "have expired" in line]
    assert "sign in again" in expired
    assert expired.endswith("The job goes on, and this watch goes on when AWS answers")
    assert said.count("AWS answers again") == 1
    assert SECRET not in said
    used = {
        each.key: each.error.removesuffix("Exception")
        for each in cycle.user.service.requests()
        if each.key in (OLD_KEY, NEW_KEY)
    }
    assert used == {OLD_KEY: "ExpiredToken", NEW_KEY: ""}
    refused = [each for each in cycle.user.service.requests() if each.error == "ThrottlingException"]
    assert {each.operation for each in refused} == {"DescribeTrainingJob", "GetLogEvents"}
    assert (result["status"], result["steps"], result["interruptions"]) == ("Completed", STEPS, 2)
    assert result["cost"] > 0
    assert 0.5 < result["spot_saving"] < 0.9
    assert said.count("evaluated at step 9 ") == 1
    assert "cost         $" in said


def test_what_is_said_of_it_afterwards(cycle: Cycle) -> None:
    user = cycle.user
    result = json.loads(cycle.undisturbed.out)
    assert result == json.loads(user.call("status", WHOLE, "--json").out)
    summary = cycle.submitted.err[cycle.submitted.err.index("run cut is done") :]
    assert user.call("status", CUT).out == summary
    rows = {row["run"]: row for row in json.loads(user.call("list", "--json").out)}
    assert rows[WHOLE]["cost"] == result["cost"]
    assert rows[CUT]["status"] == "Completed"
    logged = [json.loads(line)["text"] for line in user.call("logs", CUT, "--json").out.splitlines()]
    assert logged == user.service.job(user.jobs(CUT)[0]).lines
    compared = user.call("compare", CUT, WHOLE).out
    assert "the settings are the same" in compared
    assert re.search(r"^interrupted +2×$", compared, re.MULTILINE)


def test_the_same_again_is_no_second_bill_and_more_epochs_go_on(cycle: Cycle) -> None:
    user = cycle.user
    before = len(user.service.writes())
    again = user.submit(CUT)
    assert again.end() == 0
    assert again.err.startswith("checking")
    assert "has trained exactly this" in again.err
    assert "$" not in again.err[: again.err.index("nothing to do")], "no cost is shown where nothing is spent"
    assert user.service.writes()[before:] == []

    more = user.submit(CUT, "--json", epochs=4)
    assert more.end() == 0, more.err
    assert "continues after cut-" in more.err
    assert "resuming from step 9" in more.err
    assert "already" in more.err, "the data is not sent again"
    assert json.loads(more.out)["steps"] == 12
    assert [int(row["step"]) for row in user.curve(CUT)] == list(range(1, 13))
    assert len(user.jobs(CUT)) == 2


def test_killed_taken_up_again_and_stopped_it_leaves_checkpoint_and_model(cycle: Cycle) -> None:
    user = cycle.user
    long = ("--eval-steps", "2", "--json")
    first = user.submit(LONG, *long, epochs=400)
    wait_for(lambda: user.has_said(LONG, "eval"), STARTS_WITHIN_S)
    first.process.kill()
    assert first.end() == -signal.SIGKILL
    taken_up = user.submit(LONG, *long, epochs=400)
    wait_for(lambda: "so far: step" in taken_up.err, STARTS_WITHIN_S)
    assert "is running already" in taken_up.err

    stopped = user.call("stop", LONG, "--json")
    assert stopped.end() == 0, stopped.err
    (name,) = user.jobs(LONG)
    step = events(user.service.job(name), "interrupted")[-1]["step"]
    result = json.loads(stopped.out)
    assert (result["job"], result["status"], result["checkpoint_step"]) == (name, "Stopped", step)
    assert f"the checkpoint of step {step} is in s3://{BUCKET}/ocr/runs/long/checkpoints/" in stopped.err
    assert taken_up.end() == 2
    assert json.loads(taken_up.out)["status"] == "Stopped"
    (line,) = [each for each in stopped.err.splitlines() if each.startswith("  continue ")]
    words = shlex.split(line.partition("launcher.submit ")[2])
    planned = user.call("submit", *words, "--dry-run", "--json")  # what is told can be pasted
    assert planned.end() == 0, planned.err
    request = json.loads(planned.out)["request"]
    assert f"long: continues after {name} (Stopped)" in planned.err
    assert request["HyperParameters"] == user.service.job(name).request["HyperParameters"]
    assert request["CheckpointConfig"] == user.service.job(name).request["CheckpointConfig"]
    brought = user.call("download", LONG, "--json")
    assert brought.end() == 0, brought.err
    assert "(the best so far)" in brought.err
    assert json.loads(brought.out)["status"] == "stopped"
