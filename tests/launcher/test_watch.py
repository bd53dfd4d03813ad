"""watch, logs, status and stop: jobs of the scripted service, followed over real HTTP in its own time."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from contract.events import parse_event
from launcher import watch
from tests.launcher.following import (
    BUCKET,
    JOB,
    RUN,
    TWICE_INTERRUPTED,
    ServiceClock,
    call,
    request,
    service_of,
)
from tests.launcher.running import ROOT, wait_for
from tests.service import (
    CONNECTION_RESET,
    DENIED,
    EXPIRED_TOKEN,
    SERVER_ERROR,
    THROTTLED,
    UNAVAILABLE,
    Line,
    Refusal,
    Service,
    capacity_error,
    completed,
    curve,
    downloading,
    failed,
    max_wait_exceeded,
    pending,
    phase,
    starting,
    timeline,
    training,
    uploading,
)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    with service_of(monkeypatch) as service:
        yield service


class Meddling(ServiceClock):
    """Does something at a time of the service, in seconds from now."""

    def __init__(self, service: Service, *plan: tuple[float, Callable[[], object]]) -> None:
        super().__init__(service)
        self._plan = [(self.now() + after, do) for after, do in plan]

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        while self._plan and self._plan[0][0] <= self.now():
            self._plan.pop(0)[1]()


def steps_said(text: str) -> list[int]:
    return [int(step) for step in re.findall(r"^step (\d+)/", text, re.MULTILINE)]


def test_a_spot_job_is_followed_through_two_interruptions(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    service.seed(JOB, TWICE_INTERRUPTED, **request())
    assert call(service, "watch", RUN, "--json") == 0
    out, err = capsys.readouterr()
    phases = [line.partition(":")[0] for line in err.splitlines()]
    story = [
        each for each in phases if each in ("starting", "waiting for a machine", "interrupted", "uploading the model")
    ]
    assert story == [
        *("starting", "waiting for a machine", "interrupted", "starting"),
        *("interrupted", "starting", "uploading the model"),
    ]
    for words in (
        "resuming from step 20 (epoch 3)",
        "resuming from step 50 (epoch 6)",
        "accuracy     0.9502 (epoch 9, step 90)",
        "interrupted 2 times",
        "Spot saved 70%",
        "AWS Pricing API",
        "python -m launcher.download lines",
    ):
        assert words in err
    result = json.loads(out)
    assert result["status"] == "Completed"
    assert result["best"] | {"acc": 0, "cer": 0, "norm_edit_dis": 0} == {
        "acc": 0, "cer": 0, "norm_edit_dis": 0, "epoch": 9, "step": 90,
    }  # fmt: skip
    assert result["cost"] == pytest.approx(result["billable_seconds"] * result["price"]["per_hour"] / 3600, abs=1e-3)
    assert (result["interruptions"], result["steps"], result["exit_code"]) == (2, 90, 0)
    assert service.writes() == []


@pytest.mark.slow
def test_trouble_of_all_kinds_costs_no_line(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    """Throttled, failing, unreachable, late: the curve that was heard is whole."""
    service.seed(JOB, TWICE_INTERRUPTED, **request())
    clock = Meddling(
        service,
        (200, lambda: service.fail("DescribeTrainingJob", THROTTLED, times=5)),
        (300, lambda: service.fail("GetLogEvents", SERVER_ERROR, times=5)),
        (700, lambda: service.fail("DescribeLogStreams", CONNECTION_RESET, times=4)),
        (1000, lambda: service.fail("*", UNAVAILABLE, times=5)),
        (1200, lambda: service.fail("GetLogEvents", Refusal("ThrottledException", "Rate exceeded"), times=4)),
    )
    assert watch.main([RUN, "--json"], clock) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["steps"] == 90
    assert "Traceback" not in err
    assert {"resuming from step 20 (epoch 3)", "resuming from step 50 (epoch 6)"} <= set(err.splitlines())
    assert [err.count(f"evaluated at step {step} ") for step in range(10, 100, 10)] == [1, 1, 2, 1, 1, 1, 1, 1, 1]


def test_expired_credentials_are_waited_for_and_said_once(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    service.seed(JOB, TWICE_INTERRUPTED, **request())
    clock = Meddling(service, (200, lambda: service.fail("*", EXPIRED_TOKEN)), (900, service.heal))
    assert watch.main([RUN, "--json"], clock) == 0
    out, err = capsys.readouterr()
    said = [line for line in err.splitlines() if "expired" in line]
    assert len(said) == 1
    assert "sign in again" in said[0]
    assert "The job goes on" in said[0]
    assert "environment variables: end this watch, set new ones" in said[0]
    assert "AWS answers again" in err
    assert json.loads(out)["steps"] == 90
    expired = [each.at for each in service.requests() if each.error.startswith("ExpiredToken")]
    assert max(expired) - min(expired) > 600
    assert len(expired) < 3 + 700 / 20 + 5, "signing in is tried every 20 seconds, and nothing else is asked meanwhile"


def test_new_credentials_are_taken_from_where_they_come_from(
    service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As after `aws sso login` or a new key in ~/.aws/credentials."""
    keys = tmp_path / "credentials"

    def write(key: str) -> None:
        keys.write_text(f"[work]\naws_access_key_id = {key}\naws_secret_access_key = x\n")

    write("AKIAOLD")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(keys))
    service.seed(JOB, TWICE_INTERRUPTED, **request())

    def replace() -> None:
        write("AKIANEW")
        service.heal()

    clock = Meddling(service, (200, lambda: service.fail("*", EXPIRED_TOKEN)), (400, replace))
    assert watch.main([RUN, "--profile", "work"], clock) == 0
    used = [each.key for each in service.requests()]
    assert used[0] == "AKIAOLD"
    assert used[-1] == "AKIANEW"
    assert "--profile work" in capsys.readouterr().err


def test_credentials_of_another_account_are_not_taken(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    from dataclasses import replace

    from launcher.aws import open_account
    from launcher.cloud.patience import NoAnswer, PatientAccount

    said: list[str] = []
    account = replace(open_account(), id="999999999999")
    clock = ServiceClock(service)
    patient = PatientAccount(account, said.append, clock)
    service.fail("DescribeTrainingJob", EXPIRED_TOKEN, times=1)
    for _ in range(12):
        with pytest.raises(NoAnswer):
            patient.ask("sagemaker", "describe_training_job", TrainingJobName=JOB)
        clock.sleep(30)
    assert len(said) == 1
    assert "are of the account 123456789012 now, the job is in 999999999999" in said[0]


def test_a_log_that_may_not_be_read_is_said_and_the_job_followed(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    service.seed(JOB, TWICE_INTERRUPTED, **request())
    service.fail("DescribeLogStreams", DENIED)
    assert call(service, "watch", RUN) == 0
    err = capsys.readouterr().err
    assert err.count("logs:GetLogEvents") == 1
    assert "accuracy     0.9502" in err  # SageMaker keeps it


def test_a_job_that_may_not_be_described_ends_the_watch_in_one_sentence(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    service.seed(JOB, TWICE_INTERRUPTED, **request())
    service.fail("DescribeTrainingJob", DENIED, after=3)
    assert call(service, "watch", RUN) == 1
    assert "error: asking SageMaker about the job" in capsys.readouterr().err


def test_a_watch_that_begins_late_says_what_was(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    service.seed(JOB, TWICE_INTERRUPTED, **request())
    service.clock.advance(1400)
    assert call(service, "watch", JOB) == 0
    err = capsys.readouterr().err
    assert err.count("so far: step 60/90") == 1
    assert min(steps_said(err)) > 60
    assert "evaluated at step 20" not in err
    assert "accuracy     0.9502 (epoch 9, step 90)" in err


def test_a_job_that_is_over_is_summed_up(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    service.seed(JOB, TWICE_INTERRUPTED, **request())
    service.run_to_end(JOB)
    assert call(service, "watch", RUN) == 0
    assert "run lines is done" in capsys.readouterr().err


def test_last_lines_that_come_late_are_still_shown(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    script = timeline(
        starting(5), training(60, [*curve(1, 20), "Traceback", Line(59.9, "MemoryError: the last word")]), failed("x"),
        log_delay_s=7,
    )  # fmt: skip
    service.seed(JOB, script, **request())
    assert call(service, "watch", RUN) == 2
    assert "MemoryError: the last word" in capsys.readouterr().err


LIMIT = timeline(downloading(30), training(3000, curve(1, 100, total=1000)), completed(), stop_s=30)


def test_too_little_time_is_said_while_something_can_be_done(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    limits = {"StoppingCondition": {"MaxRuntimeInSeconds": 1800, "MaxWaitTimeInSeconds": 3600}}
    service.seed(JOB, LIMIT, **request(**limits))
    assert call(service, "watch", RUN) == 2
    err = capsys.readouterr().err
    assert err.count("warning: it will not finish before --max-") == 1
    warned = err.index("warning: it will not finish before --max-run (30:00)")
    assert warned < err.index("evaluated at step 30 ")
    assert "python -m launcher.stop lines" in err
    assert "--resume lines" in err
    assert "was stopped: it reached --max-run (30:00); its checkpoints are kept" in err
    assert "--resume lines --max-run LONGER" in err


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (timeline(pending(60), capacity_error()), "--resume lines --instance ml.g4dn.xlarge,ml.OTHER"),
        (timeline(pending(60), max_wait_exceeded()), "--resume lines --max-wait LONGER"),
        (
            timeline(training(60, ["boom"]), failed("AlgorithmError: train.txt:3: no tab: write image, tab, label")),
            "failed: AlgorithmError: train.txt:3: no tab: write image, tab, label",
        ),
        (timeline(phase("Melting", 60), failed("InternalServerError: sorry")), "Melting"),
    ],
)
def test_a_job_that_did_not_go_well_ends_with_2_and_says_how_to_go_on(
    service: Service, capsys: pytest.CaptureFixture[str], script: object, words: str
) -> None:
    service.seed(JOB, script, **request())
    assert call(service, "watch", RUN, "--json") == 2
    out, err = capsys.readouterr()
    assert words in err
    assert "python -m launcher.submit --resume lines" in err
    assert json.loads(out)["exit_code"] == 2


def test_looks_become_rarer_while_nothing_happens(service: Service) -> None:
    service.seed(JOB, timeline(pending(3600), training(60, curve(1, 9)), completed()), **request())
    clock = ServiceClock(service)
    assert watch.main([RUN], clock) == 0
    waiting = clock.slept[3:100]
    assert max(waiting) <= 60
    assert sum(waiting) / len(waiting) > 18


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_the_job_running(monkeypatch: pytest.MonkeyPatch, number: signal.Signals) -> None:
    with service_of(monkeypatch, speed=1) as service:
        service.seed(JOB, timeline(starting(1), training(600, curve(1, 300)), completed()), **request())
        process = subprocess.Popen(
            [sys.executable, "-m", "launcher.watch", RUN, "--json"],
            cwd=ROOT, env=os.environ | service.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        wait_for(lambda: len(service.requests("DescribeTrainingJob")) >= 3)
        time.sleep(0.5)
        process.send_signal(number)
        out, err = process.communicate(timeout=5)
        assert process.returncode == 130
        assert "the job goes on" in err
        assert "python -m launcher.watch lines" in err
        assert "python -m launcher.stop lines" in err
        assert json.loads(out) == {"run": RUN, "job": JOB, "status": "InProgress", "exit_code": 130}
        assert service.writes() == []
        assert service.job(JOB).status == "InProgress"


def test_logs_prints_every_line_of_all_streams(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    service.seed(JOB, TWICE_INTERRUPTED, **request())
    service.run_to_end(JOB)
    service.clock.advance(10)
    capsys.readouterr()
    assert call(service, "logs", RUN, "--raw") == 0
    assert capsys.readouterr().out.splitlines() == service.job(JOB).lines
    assert call(service, "logs", RUN) == 0
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ algo-1 \[ocr\] event=job ", capsys.readouterr().out)
    assert call(service, "logs", RUN, "--json") == 0
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    assert set(first) == {"time", "stream", "text"}


def test_logs_of_all_jobs_of_a_run(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    earlier = "lines-261122090000"
    service.seed(earlier, timeline(training(60, ["first"]), failed("x")), **request())
    service.run_to_end(earlier)
    service.seed(JOB, timeline(training(60, ["second"]), completed()), **request())
    service.run_to_end(JOB)
    assert call(service, "logs", RUN, "--raw") == 0
    assert capsys.readouterr().out == "second\n"
    for more in ([], ["--follow"]):
        assert call(service, "logs", RUN, "--raw", "--all-jobs", *more) == 0
        assert capsys.readouterr().out == "first\nsecond\n"


def test_logs_follow_until_the_end(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    service.seed(JOB, TWICE_INTERRUPTED, **request())
    service.clock.advance(300)
    assert call(service, "logs", RUN, "--follow", "--raw") == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == service.job(JOB).lines
    assert "interrupted: Spot instance interrupted" in err


def test_logs_that_follow_a_job_which_fails_are_2(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    service.seed(JOB, timeline(training(60, ["its last word"]), failed("AlgorithmError: x")), **request())
    assert call(service, "logs", RUN, "--follow", "--raw") == 2
    out, err = capsys.readouterr()
    assert out == "its last word\n"
    assert "AlgorithmError: x" in err
    assert call(service, "logs", RUN, "--raw") == 0  # shown without following, a failed job is no failure


def test_logs_ends_when_nobody_reads_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    with service_of(monkeypatch, speed=1) as service:
        service.seed(JOB, timeline(training(1, curve(1, 300)), completed()), **request())
        service.run_to_end(JOB)
        done = subprocess.run(
            f"{sys.executable} -m launcher.logs {RUN} --raw | head -3", shell=True, cwd=ROOT,
            env=os.environ | service.environment, text=True, capture_output=True, timeout=30,
        )  # fmt: skip
        assert len(done.stdout.splitlines()) == 3
        assert done.stderr == ""


def test_status_of_a_job_under_way(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    service.seed(JOB, TWICE_INTERRUPTED, **request())
    service.clock.advance(1400)
    assert call(service, "status", RUN) == 0
    out = capsys.readouterr().out
    for words in (
        "phase        training",
        "step 60/90",
        "acc 0.",
        "2 times",
        "$0.0",
        "watch        python -m launcher.watch lines",
    ):
        assert words in out
    assert call(service, "status", RUN, "--json") == 0
    state = json.loads(capsys.readouterr().out)
    assert (state["phase"], state["of_steps"], state["status"]) == ("training", 90, "InProgress")


def test_status_of_a_failed_job_is_2(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    service.seed(JOB, timeline(pending(60), capacity_error()), **request())
    assert call(service, "status", RUN) == 0
    service.run_to_end(JOB)
    assert call(service, "status", RUN) == 2
    assert "CapacityError" in capsys.readouterr().out


STOPPABLE = timeline(
    starting(5), training(600, curve(1, 60)), completed(), stop_s=40,
    on_stop=(Line(3, "[ocr] event=checkpoint step=21"), Line(5, "[ocr] event=interrupted step=21 epoch=3")),
)  # fmt: skip


def test_stop_waits_for_the_checkpoint_and_says_how_to_go_on(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    service.make_bucket(BUCKET)
    s3 = service.own_client("s3")
    for key in ("step-000000020/MANIFEST.json", "step-000000021/MANIFEST.json", "step-000000022/model.pdparams"):
        s3.put_object(Bucket=BUCKET, Key=f"ocr/runs/{RUN}/checkpoints/{key}", Body=b"{}")
    s3.put_object(Bucket=BUCKET, Key=f"ocr/runs/{RUN}/checkpoints/best/step-000000090/MANIFEST.json", Body=b"{}")
    service.seed(JOB, STOPPABLE, **request())
    service.clock.advance(300)
    assert call(service, "stop", RUN, "--json") == 0
    out, err = capsys.readouterr()
    assert "checkpoint at step 21" in err
    assert f"the checkpoint of step 21 is in s3://{BUCKET}/ocr/runs/{RUN}/checkpoints/" in err
    assert "python -m launcher.submit --resume lines" in err
    assert json.loads(out)["checkpoint_step"] == 21
    assert [each.operation for each in service.writes()] == ["StopTrainingJob"]
    assert service.job(JOB).status == "Stopped"


def test_stop_no_wait_returns_at_once(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    service.seed(JOB, STOPPABLE, **request())
    service.clock.advance(300)
    assert call(service, "stop", RUN, "--no-wait") == 0
    assert service.job(JOB).status == "Stopping"
    assert call(service, "stop", RUN, "--no-wait") == 0
    assert len(service.requests("StopTrainingJob")) == 1


def test_stopping_what_is_over_changes_nothing(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    service.make_bucket(BUCKET)
    service.seed(JOB, STOPPABLE, **request())
    service.run_to_end(JOB)
    assert call(service, "stop", RUN) == 0
    assert "has completed: there is no checkpoint" in capsys.readouterr().err
    assert service.requests("StopTrainingJob") == []


def test_a_warm_machine_is_paid_said_and_let_go(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    service.make_bucket("my-bucket")
    resources = {"InstanceType": "ml.g4dn.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30}
    warm = {"ResourceConfig": resources | {"KeepAlivePeriodInSeconds": 3600}, "EnableManagedSpotTraining": False}
    stopping = {"StoppingCondition": {"MaxRuntimeInSeconds": 3600}}
    service.seed(JOB, timeline(training(600, curve(1, 60)), completed()), **request(**warm, **stopping))
    service.run_to_end(JOB)
    service.clock.advance(600)
    assert call(service, "watch", RUN, "--json") == 0
    out, err = capsys.readouterr()
    shown = json.loads(out)
    assert shown["kept_seconds"] == pytest.approx(600, abs=30)
    assert shown["cost"] == pytest.approx((600 + shown["kept_seconds"]) * shown["price"]["per_hour"] / 3600, abs=1e-3)
    ends = datetime.fromisoformat(shown["warm_until"]).strftime("%H:%M")
    assert f"machine      stays warm until {ends} UTC, billed; python -m launcher.stop lines ends it" in err
    assert re.search(r"cost +\$\S+ so far at ", err)
    assert call(service, "stop", RUN) == 0
    assert f"the machine of {JOB}, which would have stayed warm until {ends} UTC, is let go" in capsys.readouterr().err
    service.clock.advance(3600)
    assert call(service, "status", RUN, "--json") == 0
    after = json.loads(capsys.readouterr().out)
    assert after["warm_until"] is None
    assert after["kept_seconds"] < 700
    assert call(service, "stop", RUN) == 0
    assert len(service.requests("UpdateTrainingJob")) == 1


def test_stop_reports_a_job_that_failed_instead(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    service.seed(JOB, timeline(pending(5), failed("InternalServerError: gone")), **request())
    service.run_to_end(JOB)
    assert call(service, "stop", RUN, "--json") == 2
    out, err = capsys.readouterr()
    assert "failed: InternalServerError: gone" in err
    assert json.loads(out)["exit_code"] == 2


@pytest.mark.parametrize("verb", ["watch", "logs", "status", "stop", "metrics", "download"])
def test_a_run_that_is_not_there_is_1(service: Service, capsys: pytest.CaptureFixture[str], verb: str) -> None:
    assert call(service, verb, "nothing", "--json") == 1
    out, err = capsys.readouterr()
    assert err.count("\n") == 1
    assert err.startswith("error: there is no run and no job 'nothing'")
    assert json.loads(out)["run"] is None


@pytest.mark.parametrize("verb", ["watch", "logs", "status", "stop", "metrics", "download", "compare"])
def test_a_run_must_be_named(capsys: pytest.CaptureFixture[str], verb: str) -> None:
    import importlib

    assert importlib.import_module(f"launcher.{verb}").main([]) == 1
    assert "RUN is missing: say which run or job is meant" in capsys.readouterr().err


def test_the_scripted_lines_are_event_lines() -> None:
    assert all(parse_event(line) for line in curve(1, 30))


def test_uploading_is_a_phase_of_its_own(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    service.seed(JOB, timeline(training(60, curve(1, 9)), uploading(60), completed()), **request())
    assert call(service, "watch", RUN) == 0
    assert "uploading the model: Uploading generated training model" in capsys.readouterr().err
