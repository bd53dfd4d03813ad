"""Runs on this machine with a scripted container: attempts, interruptions, stops, and what is left afterwards."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from launcher import report, submit
from launcher.pack import pack_model
from tests.launcher.running import ROOT, SCRIPTED, call, container_pid, is_alive, log_of, run, start, wait_for

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and process groups")

SLOW = "--steps 1000 --pause 0.02"


def test_a_run_leaves_what_is_promised_and_nothing_else(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "--json") == 0
    out = tmp_path / "out/r"
    assert sorted(path.name for path in out.iterdir()) == ["checkpoints", "job.log", "model", "model.tar.gz"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["r"]
    answer = json.loads(capfd.readouterr().out)  # exactly one object
    assert (answer["run"], answer["status"], answer["exit_code"]) == ("r", "finished", 0)
    assert answer["best"]["acc"] == 0.9
    assert answer["artifacts"] == {
        "model": str(out / "model"),
        "model_tar": str(out / "model.tar.gz"),
        "checkpoints": str(out / "checkpoints"),
        "log": str(out / "job.log"),
        "inference": str(out / "model/inference"),
    }


def test_the_job_sees_sagemakers_files(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "--epochs", "7", "-o", "Optimizer.lr.name=Const", "--env", "LABEL=ไทย") == 0
    line = next(line for line in log_of(tmp_path).splitlines() if line.startswith("scripted container"))
    assert json.loads(line[line.index("{") :]) == {
        "config": "rec/demo_digits.yml",
        "run_id": "r",
        "epochs": "7",
        "Optimizer.lr.name": "Const",
    }


def test_the_same_run_resumes_and_resume_wants_it_to_exist(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "--resume", "r") == 1
    assert run(tmp_path, container="--steps 40 --fail 9") == 2
    assert run(tmp_path, "--resume", "r", "--json", container="--steps 40") == 0
    captured = capfd.readouterr()
    assert json.loads(captured.out)["resumed_from"] == 10
    assert "r (continues from its newest sound checkpoint, if there is one)" in captured.err
    assert f"look         python -m launcher.report {tmp_path / 'out/r'}\n" in captured.err
    assert report.main([str(tmp_path / "out/r")]) == 0
    page = (tmp_path / "out/r/report.html").read_text(encoding="utf-8")
    assert "The run was taken up again 1 time, at step 10." in page
    assert "Loss 1 at step 1, 0.025 at step 40" in page
    assert "resuming from step 10" in captured.err


@pytest.mark.parametrize("when", ["0.5s", "15steps"])
def test_interrupted_like_spot_then_started_again(tmp_path: Path, when: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "--interrupt-after", when, "--json", container="--steps 60 --pause 0.03") == 0
    log = log_of(tmp_path)
    stopped = re.findall(r"event=interrupted step=(\d+)", log)
    assert len(stopped) == 1
    assert re.findall(r"event=resume step=(\d+)", log) == stopped
    assert log.count("launcher: ") == log.count("Z container of run r started") * 2 == 4
    captured = capfd.readouterr()
    assert "interrupted a" in captured.err
    assert "starting again" in captured.err
    assert json.loads(captured.out)["resumed_from"] == int(stopped[0])
    if when == "15steps":
        assert int(stopped[0]) >= 15


def test_one_interruption_per_attempt_in_the_order_given(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    flags = ["--interrupt-after", "12steps", "--interrupt-after", "0.4s", "--interrupt-after", "9000steps"]
    assert run(tmp_path, *flags, container="--steps 60 --pause 0.03") == 0
    said = [line for line in capfd.readouterr().err.splitlines() if "interrupt" in line]
    assert [line for line in said if line.startswith(("interrupted a", "the job ended"))] == [
        "interrupted at step 12 (SIGTERM, 120 s of grace)",
        "interrupted after 0.4 s (SIGTERM, 120 s of grace)",
        "the job ended before the interruption at step 9000",
    ]


def test_a_deaf_container_is_killed_after_the_grace(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    flags = ["--interrupt-after", "25steps", "--grace", "0.3s"]
    assert run(tmp_path, *flags, container="--steps 60 --pause 0.03 --deaf") == 0
    log = log_of(tmp_path)
    assert "killed (SIGKILL): the grace is over" in log
    resumed = int(re.findall(r"event=resume step=(\d+)", log)[0])
    assert resumed in (20, 30, 40)  # the last checkpoint before the kill
    assert "event=interrupted" not in log


def test_a_refused_job_leaves_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "--json", container="--refuse line-3-has-no-tab") == 1
    assert not (tmp_path / "out").exists()
    captured = capfd.readouterr()
    answer = json.loads(captured.out)
    assert (answer["run"], answer["status"], answer["reason"]) == ("r", "refused", "line-3-has-no-tab")
    assert set(answer["artifacts"].values()) == {None}
    assert captured.err.rstrip().endswith("error: line-3-has-no-tab")


def test_a_refused_job_keeps_a_run_that_was_there(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path) == 0
    assert run(tmp_path, container="--refuse no") == 1
    assert (tmp_path / "out/r/model/run.json").exists()
    assert run(tmp_path, "--fresh", container="--refuse no") == 1
    assert (tmp_path / "out/r/model/run.json").exists()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["r"]


@pytest.mark.parametrize(
    ("flags", "container", "kept"),
    [
        (["--interrupt-after", "5steps"], "", ["step-000000005"]),
        (["--interrupt-after", "5steps", "--checkpoint-uri", "saved"], "", ["step-000000005"]),
        (["--interrupt-after", "3steps", "--grace", "0s"], "--deaf", []),  # killed before it had saved anything
    ],
)
def test_exit_1_after_training_is_a_failure_and_deletes_nothing(
    tmp_path: Path,
    flags: list[str],
    container: str,
    kept: list[str],
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    container += " --steps 500 --pause 0.02 --refuse-again train.txt:3-has-no-label"
    assert run(tmp_path, "--json", *flags, container=container) == 2
    checkpoints = tmp_path / ("saved" if "saved" in flags else "out/r/checkpoints")
    found = sorted(path.name for path in checkpoints.iterdir())
    assert len(found) == len(kept)
    assert (tmp_path / "out/r/model").is_dir()
    assert "event=train" in log_of(tmp_path)
    captured = capfd.readouterr()
    answer = json.loads(captured.out)
    assert (answer["status"], answer["exit_code"], answer["reason"]) == ("failed", 2, "train.txt:3-has-no-label")
    assert answer["artifacts"]["checkpoints"] == (str(checkpoints) if kept else None)
    assert answer["artifacts"]["model"] is None
    assert "--run r" in captured.err.splitlines()[-1]
    assert run(tmp_path, *flags[-2:], container="--steps 20") == 0  # and it goes on from there


def test_exit_1_without_a_reason_is_a_failure(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "--json", container="--exit 1") == 2
    answer = json.loads(capfd.readouterr().out)
    assert answer["status"] == "failed"
    assert "ended with exit code 1 without saying why" in answer["reason"]
    assert (tmp_path / "out/r/job.log").exists()


def test_a_refused_start_keeps_checkpoints_that_it_did_not_make(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "saved/step-000000010").mkdir(parents=True)
    assert run(tmp_path, "--checkpoint-uri", str(tmp_path / "saved"), container="--refuse no") == 1
    assert (tmp_path / "saved/step-000000010").is_dir()
    assert (tmp_path / "out/r/job.log").exists()


def test_fresh_moves_the_old_run_aside(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path) == 0
    for number in (1, 2):
        assert run(tmp_path, "--fresh") == 0
        assert f"is now in {tmp_path}/out/r.old-{number}" in capfd.readouterr().err
        assert (tmp_path / f"out/r.old-{number}/model/run.json").exists()
    assert "event=resume" not in log_of(tmp_path)


def test_a_failed_job_says_why_and_how_to_go_on(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "--json", container="--fail 3") == 2
    captured = capfd.readouterr()
    answer = json.loads(captured.out)
    assert (answer["status"], answer["exit_code"]) == ("failed", 2)
    assert answer["reason"] == "the disk is full: free space and start the run again"
    assert answer["artifacts"]["model"] is None
    assert answer["artifacts"]["log"] == str(tmp_path / "out/r/job.log")
    assert "--run r" in captured.err.splitlines()[-1]


@pytest.mark.parametrize("container", ["--no-model", "--torn-model"])
def test_exit_0_without_a_model_is_a_failure(tmp_path: Path, container: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "--json", container=container) == 2
    assert json.loads(capfd.readouterr().out)["artifacts"]["model"] is None
    assert not (tmp_path / "out/r/model.tar.gz").exists()


def test_a_model_of_an_earlier_start_is_none_of_this_one(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    older = f"{tmp_path}/out/r/model and {tmp_path}/out/r/model.tar.gz: of an earlier start"
    assert run(tmp_path) == 0
    for container, code in (("--steps 80 --fail 3", 2), ("--no-model", 2), ("--refuse no", 1)):
        capfd.readouterr()
        assert run(tmp_path, "--json", container=container) == code
        captured = capfd.readouterr()
        artifacts = json.loads(captured.out)["artifacts"]
        assert (artifacts["model"], artifacts["model_tar"], artifacts["inference"]) == (None, None, None)
        assert artifacts["checkpoints"] == str(tmp_path / "out/r/checkpoints")
        assert older in captured.err
    assert run(tmp_path, "--json") == 0
    captured = capfd.readouterr()
    assert json.loads(captured.out)["artifacts"]["model_tar"] == str(tmp_path / "out/r/model.tar.gz")
    assert "earlier start" not in captured.err


def test_the_best_so_far_is_one_that_this_start_has_written(tmp_path: Path) -> None:
    for container, is_new in ((SLOW, False), (f"{SLOW} --export-on-stop", True), (SLOW, False)):
        log = tmp_path / "out/r/job.log"
        log.unlink(missing_ok=True)
        launcher = start(tmp_path, "--json", container=container)
        container_pid(tmp_path)
        launcher.send_signal(signal.SIGINT)
        out, err = launcher.communicate(timeout=30)
        assert json.loads(out)["artifacts"]["model"] == (str(tmp_path / "out/r/model") if is_new else None)
        assert ("(the best so far)" in err) == is_new
    assert f"older        {tmp_path}/out/r/model: of an earlier start" in err


def test_a_container_stopped_from_outside_ends_with_2(tmp_path: Path) -> None:
    launcher = start(tmp_path, "--json", container=SLOW)
    os.kill(container_pid(tmp_path), signal.SIGTERM)
    out, err = launcher.communicate(timeout=30)
    assert launcher.returncode == 2
    assert json.loads(out)["status"] == "stopped"
    assert "--run r" in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_saves_and_ends_with_130(tmp_path: Path, number: signal.Signals) -> None:
    launcher = start(tmp_path, "--json", container=SLOW)
    container = container_pid(tmp_path)
    launcher.send_signal(number)
    out, err = launcher.communicate(timeout=30)
    assert launcher.returncode == 130
    assert "event=interrupted" in log_of(tmp_path)  # the container heard SIGTERM
    assert not is_alive(container)
    assert (json.loads(out)["status"], json.loads(out)["exit_code"]) == ("stopped", 130)
    assert "python -m launcher.submit" in err.splitlines()[-1]
    assert "--run r" in err.splitlines()[-1]


def test_a_second_ctrl_c_kills(tmp_path: Path) -> None:
    launcher = start(tmp_path, container=f"{SLOW} --deaf")
    container = container_pid(tmp_path)
    launcher.send_signal(signal.SIGINT)
    wait_for(lambda: "stopping: " in log_of(tmp_path))
    assert is_alive(container)
    launcher.send_signal(signal.SIGINT)
    launcher.communicate(timeout=30)
    assert launcher.returncode == 130
    assert not is_alive(container)


def test_a_killed_launcher_takes_its_container_along_and_frees_the_run(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    launcher = start(tmp_path, container=SLOW)
    container = container_pid(tmp_path)
    launcher.kill()
    launcher.communicate(timeout=30)
    assert run(tmp_path) == 0  # at once: it waits for the dying container
    assert not is_alive(container)


def test_one_launcher_per_run(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch) -> None:
    monkeypatch.setattr("launcher.run_folder.LOCK_WAIT_S", 0.2)
    launcher = start(tmp_path, container=SLOW)
    container_pid(tmp_path)
    assert run(tmp_path) == 1
    assert "is in use: another launcher runs r" in capfd.readouterr().err
    assert run(tmp_path, "--fresh") == 1
    launcher.send_signal(signal.SIGINT)
    launcher.communicate(timeout=30)
    assert "event=interrupted" in log_of(tmp_path)


def test_the_log_has_every_line_as_it_came(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, container="--steps 300 --pause 0 --say ก้าวหน้า") == 0
    log = log_of(tmp_path)
    assert re.findall(r"event=train step=(\d+)", log) == [str(step) for step in range(1, 301)]
    assert "\nก้าวหน้า\n" in log
    assert run(tmp_path) == 0
    assert log_of(tmp_path).startswith(log)  # appended


def test_a_process_that_keeps_the_output_open_does_not_hold_the_job(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch
) -> None:
    monkeypatch.setattr("launcher.platforms.container_process.DRAIN_S", 0.5)
    started = time.monotonic()
    assert run(tmp_path, container="--leave-a-child") == 0
    assert time.monotonic() - started < 20  # it keeps the output open for 30


def test_checkpoints_in_a_folder_of_their_own(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "--checkpoint-uri", str(tmp_path / "saved"), "--json") == 0
    assert sorted(path.name for path in (tmp_path / "out/r").iterdir()) == ["job.log", "model", "model.tar.gz"]
    assert (tmp_path / "saved/step-000000020").is_dir()
    assert json.loads(capfd.readouterr().out)["artifacts"]["checkpoints"] == str(tmp_path / "saved")
    assert run(tmp_path, "--fresh", "--checkpoint-uri", str(tmp_path / "saved")) == 1
    assert "--fresh would continue" in capfd.readouterr().err


def test_the_archive_holds_the_model_and_is_the_same_every_time(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    archive = tmp_path / "out/r/model.tar.gz"
    assert run(tmp_path) == 0
    first = archive.read_bytes()
    with tarfile.open(archive) as tar:
        assert tar.getnames() == ["dict.txt", "inference", "inference/inference.json", "run.json"]
        assert all((entry.uid, entry.mtime, entry.uname) == (0, 0, "") for entry in tar.getmembers())
    for path in (tmp_path / "out/r/model").rglob("*"):
        os.utime(path, (1, 1))
    pack_model(tmp_path / "out/r/model", archive)
    assert archive.read_bytes() == first


def test_a_full_disk_is_a_failure_and_leaves_no_archive(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "model.tar.gz")

    monkeypatch.setattr("tarfile.TarFile.add", full)
    assert run(tmp_path) == 2
    captured = capfd.readouterr()
    assert "No space left on device" in captured.err
    assert not list((tmp_path / "out/r").glob("*.tar.gz*"))
    assert not list((tmp_path / "out/r").glob(".*"))
    assert f"model        {tmp_path}/out/r/model" in captured.err


def test_a_closed_pipe_on_stderr_does_not_end_the_job(tmp_path: Path) -> None:
    launcher = start(tmp_path, container="--steps 30 --pause 0.02")
    launcher.stderr.close()
    launcher.wait(timeout=30)
    assert launcher.returncode == 0
    assert (tmp_path / "out/r/model.tar.gz").exists()


@pytest.mark.parametrize(
    ("flags", "container", "code"),
    [
        (["--json"], "--steps 20", 0),
        (["--json"], "--fail 9", 2),
        (["--json"], "--refuse no", 1),
        (["--json", "--epochs", "x"], "", 1),
        (["--dry-run"], "", 0),
        (["--show-config"], "", 0),
    ],
)
def test_a_closed_pipe_on_stdout_leaves_the_exit_code(
    tmp_path: Path, flags: list[str], container: str, code: int
) -> None:
    launcher = start(tmp_path, *flags, container=container)
    launcher.stdout.close()
    err = launcher.stderr.read()
    assert launcher.wait(timeout=30) == code
    assert "Traceback" not in err
    assert "BrokenPipe" not in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux only")
def test_an_answer_that_cannot_be_written_is_not_taken_for_success(tmp_path: Path) -> None:
    done = started_by_a_shell(tmp_path, ">/dev/full", "--json")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: stdout cannot be written (No space left on device)")
    assert (tmp_path / "out/r/model.tar.gz").exists()


@pytest.mark.parametrize("closed", ["2>&-", "<&- 2>&-"])
@pytest.mark.parametrize(
    ("flags", "code", "status"), [(["--json"], 0, "finished"), (["--json", "--debug", "--epochs", "x"], 1, "refused")]
)
def test_a_closed_stderr_leaves_the_answer(
    tmp_path: Path, closed: str, flags: list[str], code: int, status: str
) -> None:
    done = started_by_a_shell(tmp_path, closed, *flags)
    assert (done.returncode, done.stderr) == (code, "")
    assert json.loads(done.stdout)["status"] == status


def test_a_closed_stdout_leaves_the_exit_code(tmp_path: Path) -> None:
    done = started_by_a_shell(tmp_path, ">&-", "--json")
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert "run r is done" in done.stderr


def started_by_a_shell(tmp_path: Path, redirection: str, *flags: str) -> subprocess.CompletedProcess[str]:
    """submit as a shell starts it, with the scripted container."""
    code = (
        f"import sys; from launcher.submit import main; "
        f"sys.exit(main({call(tmp_path, *flags)!r}, {(sys.executable, str(SCRIPTED))!r}))"
    )
    return subprocess.run(
        ["sh", "-c", f'"$@" {redirection}', "sh", sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        text=True,
        capture_output=True,
        check=False,
    )


def test_nothing_of_the_private_folder_stays(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    assert run(tmp_path) == 0
    assert not list((tmp_path / "tmp").iterdir())
    assert (tmp_path / "dataset/train.txt").exists()  # links are removed, not what they point to


def test_a_missing_command_is_a_failure_not_a_crash(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert submit.main(call(tmp_path), ("no-such-program",)) == 2
    assert "no-such-program" in capfd.readouterr().err


def test_nothing_of_docker_or_aws_is_needed(tmp_path: Path) -> None:
    code = (
        "import json, sys\n"
        "for name in ('docker', 'requests', 'boto3', 'botocore', 'sagemaker'): sys.modules[name] = None\n"
        "from launcher.submit import main\n"
        "sys.exit(main(json.loads(sys.argv[1]), json.loads(sys.argv[2])))\n"
    )
    command = [sys.executable, "-c", code, json.dumps(call(tmp_path)), json.dumps([sys.executable, str(SCRIPTED)])]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out/r/model.tar.gz").exists()


def test_several_hosts_are_started_stopped_and_told_apart(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    flags = ("--instance-count", "2", "--interrupt-after", "4steps")
    assert run(tmp_path, *flags, container="--steps 40 --say hello") == 0
    lines = log_of(tmp_path).splitlines()
    assert lines.count("hello") == 2
    assert lines.count("algo-2: hello") in (1, 2), "the first interruption may come before its word"
    assert any(line.startswith("[ocr] event=interrupted") for line in lines)
    assert any(line.startswith("algo-2: [ocr] event=interrupted") for line in lines)
    assert sorted(path.name for path in (tmp_path / "out/r").iterdir()) == [
        *("checkpoints", "job.log", "model", "model.tar.gz")
    ]


def test_one_host_that_fails_fails_the_job(tmp_path: Path) -> None:
    assert run(tmp_path, "--instance-count", "2", container="--fail-on algo-2") == 2


def test_docker_platforms_have_one_host(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "--instance", "local", "--instance-count", "2") == 1
    assert "--instance-count 2: local is one container: give 1, or try 2 of them out" in capfd.readouterr().err
