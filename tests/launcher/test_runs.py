"""list, metrics, compare and download: what has become of runs."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from contract.paths import MODEL_FILES
from launcher.cloud.table import as_table
from tests.launcher.following import BUCKET, JOB, RUN, TWICE_INTERRUPTED, call, request, service_of
from tests.launcher.running import ROOT
from tests.service import (
    CONNECTION_RESET,
    Service,
    capacity_error,
    completed,
    curve,
    downloading,
    failed,
    interrupted,
    max_runtime_exceeded,
    timeline,
    training,
)

ON_DEMAND = {"EnableManagedSpotTraining": False, "StoppingCondition": {"MaxRuntimeInSeconds": 3600}}
KEY = f"ocr/runs/{RUN}/output/{JOB}/output/model.tar.gz"


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    with service_of(monkeypatch) as service:
        service.make_bucket(BUCKET)
        yield service


def seed(service: Service, run: str = RUN, name: str = JOB, script: object = TWICE_INTERRUPTED, **more: object) -> None:
    service.seed(name, script, **request(run, **more))
    service.run_to_end(name)
    service.clock.advance(10)


def pack(files: dict[str, bytes], extra: tuple[tarfile.TarInfo, ...] = ()) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
        for entry in extra:
            tar.addfile(entry)
    return out.getvalue()


def model_files(acc: float = 0.95, size: int = 100) -> dict[str, bytes]:
    run = {"run": RUN, "status": "finished", "best": {"acc": acc, "cer": 0.0124, "epoch": 9, "step": 90}}
    names = [name if name != "inference" else "inference/inference.pdiparams" for name in MODEL_FILES]
    return {name: os.urandom(size) for name in names} | {"run.json": json.dumps(run).encode()}


def store(service: Service, content: bytes, key: str = KEY) -> None:
    service.own_client("s3").put_object(Bucket=BUCKET, Key=key, Body=content)


# ---------------------------------------------------------------- metrics


def test_metrics_joins_all_jobs_of_a_run_with_every_step_once(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    first = timeline(
        training(300, curve(1, 33, total=90)), interrupted(60), training(300, curve(21, 47, total=90, resumed=20)),
        max_runtime_exceeded(),
    )  # fmt: skip
    seed(service, name="lines-261122090000", script=first)
    seed(service, script=timeline(training(300, curve(41, 90, total=90, resumed=40)), completed()))
    capsys.readouterr()
    assert call(service, "metrics", RUN) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [int(row["step"]) for row in rows] == list(range(1, 91))
    assert {row["job"] for row in rows[:40]} == {"lines-261122090000"}
    assert {row["job"] for row in rows[40:]} == {JOB}
    assert [row["step"] for row in rows if row["acc"]] == [str(step) for step in range(10, 91, 10)]
    assert call(service, "metrics", RUN, "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["resumed"], shown["best"]["step"], len(shown["rows"])) == ([20, 40], 90, 90)


def test_metrics_writes_a_table_and_a_picture(
    service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed(service)
    table, picture = tmp_path / "curve.csv", tmp_path / "curve.png"
    assert call(service, "metrics", RUN, "--csv", str(table), "--plot", str(picture)) == 0
    assert capsys.readouterr().out == ""
    assert len(table.read_text().splitlines()) == 91
    with Image.open(picture) as image:
        assert image.size == (1200, 800)
        colours = {colour for _, colour in image.convert("RGB").getcolors(1 << 24)}
    assert {(37, 99, 235), (21, 128, 61), (194, 65, 12)} <= colours, "loss, accuracy and CER are drawn"


def test_metrics_of_a_run_without_a_step_is_refused(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    seed(service, script=timeline(downloading(10), capacity_error()))
    assert call(service, "metrics", RUN) == 1
    assert "has logged no step yet: `python -m launcher.status lines`" in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_2(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    seed(service)
    assert call(service, "metrics", RUN, "--csv", "/nowhere/x.csv") == 2
    assert "error: /nowhere/x.csv: No such file or directory: name another file" in capsys.readouterr().err


@pytest.mark.parametrize("steps", [1, 2, 5000])
def test_any_curve_can_be_drawn(steps: int) -> None:
    from datetime import datetime, timezone

    from launcher.cloud.curve import Curve
    from launcher.cloud.plot import draw_curve

    now = datetime.now(timezone.utc)
    rows = tuple(
        {
            "step": step,
            "loss": float("nan") if step % 7 == 3 else 9.0 / step,
            "acc": 0.5,
            "cer": 1.7,
            "job": "j",
            "time": now,
        }
        for step in range(1, steps + 1)
    )
    with Image.open(io.BytesIO(draw_curve(Curve(rows, (1,), steps, 1), "run"))) as image:
        assert image.format == "PNG"


def test_a_best_score_of_an_earlier_job_counts(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    """The last job only got worse; what it exports, and says, is the best of the run."""
    worse = [
        "[ocr] event=job run=lines epochs=9 steps=90 batch_size=64",
        "[ocr] event=resume step=80 epoch=9 samples=0",
        "[ocr] event=eval step=90 epoch=9 acc=0.5 cer=0.3 norm_edit_dis=0.6",
        "[ocr] event=done step=90 acc=0.930517 cer=0.0173709 norm_edit_dis=0.976",
    ]
    seed(service, name="lines-261122090000", script=timeline(training(300, curve(1, 80, total=90)), failed("x")))
    seed(service, script=timeline(training(60, worse), completed()))
    capsys.readouterr()
    assert call(service, "status", RUN) == 0
    assert "accuracy     0.9305\n" in capsys.readouterr().out
    assert call(service, "compare", RUN, JOB, "--json") == 0
    whole, last = (run["best"] for run in json.loads(capsys.readouterr().out)["runs"])
    assert (whole["step"], "step" in last) == (80, False)
    assert whole["acc"] == pytest.approx(last["acc"], abs=1e-5)


# ---------------------------------------------------------------- list


def test_list_shows_runs_and_no_strangers(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    seed(service, name="lines-261122090000", script=timeline(training(300, curve(1, 20)), failed("AlgorithmError: x")))
    seed(service)
    service.seed("other-261122100000", HyperParameters={"epochs": "3"})
    service.seed("somebody-elses", **request())
    service.clock.advance(3600)
    service.seed(
        "words-261122120000",
        **request("words", EnableManagedSpotTraining=False, StoppingCondition={"MaxRuntimeInSeconds": 3600}),
    )
    assert call(service, "list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["run", "words", "lines"]
    assert re.fullmatch(r"lines +Completed +ml.g4dn.xlarge Spot +0.9502 +\$0\.\d{4} +\S+ \S+", lines[2])
    assert call(service, "list", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["run"], row["jobs"]) for row in rows] == [("words", 1), ("lines", 2)]
    assert rows[1]["best"]["acc"] == pytest.approx(0.9502, abs=1e-4)


def test_list_says_when_a_score_is_not_the_best_one(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    seed(service, script=timeline(training(300, curve(1, 20, total=90)), max_runtime_exceeded()))
    capsys.readouterr()
    assert call(service, "list") == 0
    assert re.search(r"lines +Stopped .* last 0\.\d{4} ", capsys.readouterr().out)


def test_list_pages_and_limits(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(12):
        service.seed(f"run-{number}-2611221000{number:02}", **request(f"run-{number}"))
        service.clock.advance(60)
    assert call(service, "list", "--json", "--limit", "5") == 0
    assert [row["run"] for row in json.loads(capsys.readouterr().out)] == [
        f"run-{number}" for number in range(11, 6, -1)
    ]
    assert call(service, "list", "--json", "--contains", "run-1-") == 0
    assert [row["run"] for row in json.loads(capsys.readouterr().out)] == ["run-1"]


@pytest.mark.parametrize("limit", ["0", "-3", "many", "１"])
def test_a_limit_is_a_number(capsys: pytest.CaptureFixture[str], limit: str) -> None:
    from launcher.list import main

    assert main(["--limit", limit]) == 1
    assert "--limit" in capsys.readouterr().err


def test_an_account_without_runs_is_no_error(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(service, "list") == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "there are no runs in ap-southeast-1" in err


# ---------------------------------------------------------------- compare


def seed_two(service: Service) -> None:
    seed(service)
    other = timeline(training(600, curve(1, 40)), completed(), spot_saving=0.0)
    parameters = {"HyperParameters": {"run_id": "words", "config": "rec/demo_digits.yml", "epochs": "4", "amp": "true"}}
    seed(service, "words", "words-261122120000", other, **ON_DEMAND, **parameters)


def test_compare_says_what_differs_and_what_it_cost(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    seed_two(service)
    capsys.readouterr()
    assert call(service, "compare", RUN, "words", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["differences"] == {"amp": [None, "true"], "epochs": ["9", "4"], "spot": ["yes", "no"]}
    costs = [run["cost"] for run in shown["runs"]]
    assert costs[0] == pytest.approx(326 * 0.9205 / 3600, abs=1e-3)
    assert costs[1] == pytest.approx(600 * 0.9205 / 3600, abs=1e-2)
    assert [run["steps"] for run in shown["runs"]] == [90, 40]


@pytest.mark.parametrize("width", [80, 160])
def test_compare_fits_the_terminal(service: Service, capsys: pytest.CaptureFixture[str], width: int) -> None:
    from launcher.aws import open_account
    from launcher.compare import as_text, differences, gather_run

    seed_two(service)
    runs = [gather_run(open_account(), name) for name in (RUN, "words")]
    for number in range(9):
        more = runs[number % 2] | {"run": f"a-run-with-a-long-name-{number}"}
        more["settings"] = more["settings"] | {"epochs": str(number), "Optimizer.lr.learning_rate": f"0.000{number}"}
        runs.append(more)
    text = as_text(runs, differences(runs), width)
    assert max(map(len, text.splitlines()[:-1])) <= width
    for run in runs:
        assert run["run"] in text.replace("\n", " ")
    assert text.count("accuracy") == (6 if width == 80 else 3)


@pytest.mark.parametrize("names", [[RUN], [RUN, RUN]])
def test_one_run_cannot_be_compared(service: Service, capsys: pytest.CaptureFixture[str], names: list[str]) -> None:
    assert call(service, "compare", *names) == 1
    assert "name two runs or more" in capsys.readouterr().err


def test_a_table_folds_and_never_cuts() -> None:
    text = as_table(["a", "b"], [["x" * 30, "y" * 30]], 40)
    assert max(map(len, text.splitlines())) <= 40
    assert (text.count("x"), text.count("y")) == (30, 30)


# ---------------------------------------------------------------- download


def test_download_brings_a_verified_model(service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seed(service)
    files = model_files()
    store(service, pack(files))
    capsys.readouterr()
    assert call(service, "download", RUN, "--output", str(tmp_path), "--json") == 0
    out, err = capsys.readouterr()
    model = tmp_path / RUN / "model"
    assert {str(path.relative_to(model)) for path in model.rglob("*") if path.is_file()} == set(files)
    assert all((model / name).read_bytes() == content for name, content in files.items())
    result = json.loads(out)
    assert result["artifacts"]["model"] == str(model)
    assert (result["best"]["acc"], result["job"], result["exit_code"]) == (0.95, JOB, 0)
    assert "accuracy     0.9500 (epoch 9, step 90)" in err
    assert f"look         python -m launcher.report {tmp_path / RUN}\n" in err

    gets = len(service.requests("GetObject"))
    assert call(service, "download", RUN, "--output", str(tmp_path)) == 0
    assert len(service.requests("GetObject")) == gets
    assert "it had come already" in capsys.readouterr().err


def test_a_newer_model_takes_the_place_of_the_older(service: Service, tmp_path: Path) -> None:
    seed(service)
    store(service, pack(model_files(0.5)))
    assert call(service, "download", RUN, "--output", str(tmp_path)) == 0
    newer = "lines-261122110000"
    seed(service, name=newer)
    store(service, pack(model_files(0.9)), KEY.replace(JOB, newer))
    assert call(service, "download", RUN, "--output", str(tmp_path)) == 0
    assert json.loads((tmp_path / RUN / "model/run.json").read_text())["best"]["acc"] == 0.9


def test_a_job_that_left_no_model_does_not_hide_the_earlier_one(
    service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed(service)
    store(service, pack(model_files(0.5)))
    seed(service, name="lines-261122110000", script=timeline(training(60, curve(1, 5)), max_runtime_exceeded()))
    service.own_client("s3").delete_object(Bucket=BUCKET, Key=KEY.replace(JOB, "lines-261122110000"))
    for service.hides_missing in (False, True):
        assert call(service, "download", RUN, "--output", str(tmp_path)) == 0
        assert f"/{JOB}/output/model.tar.gz" in capsys.readouterr().err


def test_a_download_goes_on_where_it_was_cut(
    service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed(service)
    content = pack(model_files(size=400_000))
    store(service, content)
    archive = tmp_path / RUN / "model.tar.gz"
    assert call(service, "download", RUN, "--output", str(tmp_path)) == 0
    archive.rename(archive.with_name("model.tar.gz.part"))
    shutil.copy(archive.with_name("model.tar.gz.source"), archive.with_name("model.tar.gz.part.source"))
    with archive.with_name("model.tar.gz.part").open("r+b") as part:
        part.truncate(1_000_000)
    service.fail("GetObject", CONNECTION_RESET, times=2)
    assert call(service, "download", RUN, "--output", str(tmp_path)) == 0
    assert archive.read_bytes() == content


def test_a_download_that_ended_before_its_note_is_known_again(service: Service, tmp_path: Path) -> None:
    seed(service)
    store(service, pack(model_files()))
    archive = tmp_path / RUN / "model.tar.gz"
    assert call(service, "download", RUN, "--output", str(tmp_path)) == 0
    shutil.rmtree(tmp_path / RUN / "model")
    archive.with_name("model.tar.gz.source").rename(archive.with_name("model.tar.gz.part.source"))
    gets = len(service.requests("GetObject"))
    assert call(service, "download", RUN, "--output", str(tmp_path)) == 0
    assert len(service.requests("GetObject")) == gets


@pytest.mark.parametrize("mine", ["model.tar.gz", "model/best_accuracy.pdparams", "job.log"])
def test_a_model_of_this_machine_is_not_replaced(
    service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str], mine: str
) -> None:
    seed(service)
    store(service, pack(model_files()))
    if mine == "job.log":  # trained here under the name of a run that had been downloaded
        assert call(service, "download", RUN, "--output", str(tmp_path)) == 0
    file = tmp_path / RUN / mine
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("a week of training")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    capsys.readouterr()
    assert call(service, "download", RUN, "--output", str(tmp_path)) == 1
    err = capsys.readouterr().err
    assert "holds a model that was not downloaded" in err
    assert len(err.splitlines()) == 1
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_run_id_that_is_a_path_leads_nowhere(service: Service, tmp_path: Path) -> None:
    """A job of somebody else may have any hyperparameters."""
    seed(service, "../../escaped", name="their-job")
    store(service, pack(model_files()), service.job("their-job").artifact.removeprefix(f"s3://{BUCKET}/"))
    home = tmp_path / "a/b/c"
    assert call(service, "download", "their-job", "--output", str(home)) == 0
    assert [path.parent for path in tmp_path.rglob("model.tar.gz")] == [home / "their-job"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (pack({"run.json": b"{}"}), "is no complete model"),
        (b"no archive at all", "the archive is damaged"),
        (pack(model_files())[:-4] + b"\0\0\0\0", "the archive is damaged"),
        (pack(model_files())[:300], "the archive is damaged"),
        (pack(model_files() | {"../../evil": b"x"}), "has no place in a model"),
        (gzip.compress(b"", mtime=0), "is no complete model|damaged"),
    ],
)
def test_what_is_no_model_replaces_nothing(
    service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, words: str
) -> None:
    seed(service)
    store(service, pack(model_files()))
    assert call(service, "download", RUN, "--output", str(tmp_path)) == 0
    before = {path: path.read_bytes() for path in (tmp_path / RUN / "model").rglob("*") if path.is_file()}
    store(service, content)
    capsys.readouterr()
    assert call(service, "download", RUN, "--output", str(tmp_path)) == 2
    err = capsys.readouterr().err
    assert re.search(words, err)
    assert "nothing was replaced" in err
    assert {path: path.read_bytes() for path in (tmp_path / RUN / "model").rglob("*") if path.is_file()} == before
    assert not list(tmp_path.rglob("evil"))
    store(service, pack(model_files(0.7)))
    assert call(service, "download", RUN, "--output", str(tmp_path)) == 0, "the damaged copy is not kept"


def test_a_run_without_a_model_is_refused(service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seed(service)
    service.own_client("s3").delete_object(Bucket=BUCKET, Key=KEY)
    assert call(service, "download", RUN, "--output", str(tmp_path)) == 1
    assert "lines has no model yet" in capsys.readouterr().err
    assert not (tmp_path / RUN).exists()


def test_a_model_does_not_come_home_to_s3(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(service, "download", RUN, "--output", "s3://my-bucket/x/") == 1
    assert "a folder of this machine" in capsys.readouterr().err


# ---------------------------------------------------------------- all verbs


@pytest.mark.parametrize("verb", ["watch", "logs", "status", "stop", "list", "download", "metrics", "compare"])
def test_help_needs_no_aws(verb: str) -> None:
    code = (
        "import sys, runpy; sys.argv = ['x', '--help']\n"
        f"try: runpy.run_module('launcher.{verb}', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "heavy = {'boto3', 'botocore', 'yaml', 'rich', 'numpy', 'PIL', 'docker', 'sagemaker'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"python -m launcher.{verb}" in done.stdout


def test_without_credentials_each_says_so_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from launcher import status
    from tests.launcher.aws_stand_in import use_no_aws

    use_no_aws(monkeypatch)
    monkeypatch.setenv("AWS_REGION", "ap-southeast-1")
    assert status.main([RUN]) == 1
    assert "no AWS credentials are found" in capsys.readouterr().err


# ---------------------------------------------------------------- a full disk


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux only")
@pytest.mark.parametrize("words", [["list"], ["list", "--json"], ["compare", RUN, "words"], ["metrics", RUN]])
def test_an_answer_that_cannot_be_written_is_2(service: Service, words: list[str]) -> None:
    seed(service)
    seed(service, "words", "words-261122110000")
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "launcher", *words], cwd=ROOT, env=os.environ | service.environment, stdout=full,
            stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: stdout cannot be written (No space left on device)")
    assert "Traceback" not in done.stderr
