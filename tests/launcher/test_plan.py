"""What is decided and refused before anything is written."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from contract.errors import UserError
from contract.events import METRIC_DEFINITIONS
from contract.recipe import CONFIGS, find_recipe
from launcher import submit
from launcher.plan import build_request, describe_plan, plan_run
from launcher.platforms.platform import platform_of
from launcher.settings import load_settings
from tests.launcher.running import RECIPE, ROOT, call, make_dataset


def plan(tmp_path: Path, *flags: str):
    return plan_run(load_settings(call(tmp_path, *flags), {}, tmp_path))


def snapshot(folder: Path) -> list[tuple[str, int]]:
    return sorted((str(path), path.stat().st_mtime_ns) for path in folder.rglob("*"))


def test_dry_run_prints_plan_and_request_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = call(tmp_path, "--dry-run", "--json", "--epochs", "3", "-o", "Optimizer.lr.name=Const")
    before = snapshot(tmp_path)
    assert submit.main(arguments) == 0
    assert snapshot(tmp_path) == before
    answer = json.loads(capsys.readouterr().out)
    assert answer["plan"]["command"][1:] == ["-m", "container", "train"]
    assert answer["request"]["HyperParameters"] == {
        "config": RECIPE,
        "run_id": "r",
        "epochs": "3",
        "Optimizer.lr.name": "Const",
    }
    assert set(answer["request"]) == {
        "TrainingJobName",
        "HyperParameters",
        "InputDataConfig",
        "CheckpointConfig",
        "OutputDataConfig",
        "ResourceConfig",
        "Environment",
    }
    assert answer["request"]["CheckpointConfig"]["S3Uri"] == (tmp_path / "out/r/checkpoints").as_uri()


def test_dry_run_without_json_puts_the_request_on_stdout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert submit.main(call(tmp_path, "--dry-run")) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["TrainingJobName"] == "r"
    assert "run          r (new)" in captured.err


def test_the_request_is_a_pure_function_of_the_settings(tmp_path: Path) -> None:
    assert build_request(plan(tmp_path)) == build_request(plan(tmp_path))


@pytest.mark.parametrize("name", [f"configs/{RECIPE}", RECIPE, str(CONFIGS / RECIPE)])
def test_a_shipped_recipe_travels_by_name(tmp_path: Path, name: str) -> None:
    assert plan(tmp_path, "--config", name).hyperparameters["config"] == RECIPE


def test_a_recipe_of_the_dataset_travels_by_name_and_an_own_one_by_path(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "dataset")
    shutil.copy(CONFIGS / RECIPE, dataset / "mine.yml")
    shutil.copy(CONFIGS / RECIPE, tmp_path / "own.yml")
    (tmp_path / "rec").mkdir()
    shutil.copy(CONFIGS / RECIPE, tmp_path / RECIPE)
    assert plan(tmp_path, "--config", "mine.yml").hyperparameters["config"] == "mine.yml"
    assert plan(tmp_path, "--config", "own.yml").hyperparameters["config"] == str(tmp_path / "own.yml")
    assert plan(tmp_path, "--config", f"./{RECIPE}").hyperparameters["config"] == str(tmp_path / RECIPE)
    assert plan(tmp_path, "--config", RECIPE).recipe == CONFIGS / RECIPE


def test_a_recipe_of_the_dataset_that_has_the_name_of_a_shipped_one_travels_by_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = make_dataset(tmp_path / "dataset")
    for name in (RECIPE, f"configs/{RECIPE}"):
        own = dataset / name
        own.parent.mkdir(parents=True)
        own.write_text((CONFIGS / RECIPE).read_text().replace("demo_digits", "mine"))
        monkeypatch.chdir(tmp_path)
        for given in (f"./dataset/{name}", str(own)):
            planned = plan(tmp_path, "--config", given)
            assert planned.recipe == own
            assert planned.hyperparameters["config"] == str(own)
            assert find_recipe(planned.hyperparameters["config"], dataset) == own  # what the container does
    assert plan(tmp_path, "--config", RECIPE).recipe == CONFIGS / RECIPE


def test_a_job_needs_linux_or_macos_a_dry_run_does_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for platform in ("linux", "darwin"):
        assert plan_run(load_settings(call(tmp_path), {}, tmp_path), platform=platform).run == "r"
    before = snapshot(tmp_path)
    assert submit.main([*call(tmp_path), "--json"], platform="win32") == 1
    captured = capsys.readouterr()
    assert captured.err == "error: --instance process needs Linux or macOS: on Windows use WSL\n"
    assert json.loads(captured.out)["status"] == "refused"
    assert submit.main([*call(tmp_path), "--dry-run"], platform="win32") == 0
    assert json.loads(capsys.readouterr().out)["TrainingJobName"] == "r"
    assert snapshot(tmp_path) == before


def test_a_dry_run_and_a_refusal_import_nothing_that_windows_lacks(tmp_path: Path) -> None:
    code = (
        "import json, sys\n"
        "for name in ('fcntl', 'pty', 'termios', 'resource', 'pwd'): sys.modules[name] = None\n"
        "from launcher.submit import main\n"
        "arguments = json.loads(sys.argv[1])\n"
        "assert main([*arguments, '--dry-run'], platform='win32') == 0\n"
        "assert main([*arguments, '--json'], platform='win32') == 1\n"
    )
    command = [sys.executable, "-c", code, json.dumps(call(tmp_path))]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_channels_that_may_be_given(tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    (weights / "deep").mkdir(parents=True)
    (weights / "deep/best.pdparams").write_text("")
    make_dataset(tmp_path / "other")
    settings = load_settings(
        call(tmp_path, "--pretrained", "weights"), {"OCR_VALIDATION": str(tmp_path / "other")}, tmp_path
    )
    planned = plan_run(settings)
    assert planned.channels == {
        "training": tmp_path / "dataset",
        "validation": tmp_path / "other",
        "pretrained": weights,
    }
    channels = build_request(planned)["InputDataConfig"]
    assert channels[2]["ChannelName"] == "pretrained"
    assert channels[2]["DataSource"]["FileDataSource"]["FileUri"] == weights.as_uri()
    assert f"pretrained   {weights}" in describe_plan(planned)


@pytest.mark.parametrize(
    ("instance", "words"),
    [
        ("g4dn.xlarge", "unknown instance 'g4dn.xlarge': use --instance process (without Docker), local"),
        ("ml.g4dn.xlarge,local", "name either ml types, or local alone"),
    ],
)
def test_an_instance_that_is_none_is_refused_in_one_sentence(
    tmp_path: Path, instance: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert submit.main(call(tmp_path, "--instance", instance)) == 1
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("instance", ["local", "local_gpu"])
def test_a_job_in_an_image_has_the_request_of_a_cloud_job(tmp_path: Path, instance: str) -> None:
    planned = replace(plan(tmp_path, "--instance", instance), image="paddleocr-sagemaker:cpu-0")
    request = build_request(planned)
    assert request["AlgorithmSpecification"]["TrainingImage"] == "paddleocr-sagemaker:cpu-0"
    assert request["AlgorithmSpecification"]["TrainingInputMode"] == "File"
    names = [definition["Name"] for definition in request["AlgorithmSpecification"]["MetricDefinitions"]]
    assert names == [definition["Name"] for definition in METRIC_DEFINITIONS]
    assert set(request) - {"AlgorithmSpecification"} == set(build_request(plan(tmp_path)))
    assert planned.command == ("train",)
    assert "AlgorithmSpecification" not in build_request(plan(tmp_path))


def test_where_a_job_runs_is_said(tmp_path: Path) -> None:
    def where(*flags: str) -> str:
        line = next(line for line in describe_plan(plan(tmp_path, *flags)).splitlines() if line.startswith("where"))
        return line.removeprefix("where").strip()

    assert where() == "this machine, without Docker or AWS"
    assert where("--instance", "local").startswith("SageMaker local mode on this machine, image")
    assert where("--instance", "local", "--interrupt-after", "9s").startswith("Docker on this machine, image ")


def test_each_platform_is_chosen_and_each_fits_the_loop(tmp_path: Path) -> None:
    def chosen(*flags: str) -> str:
        return type(platform_of(plan(tmp_path, *flags))).__name__

    assert chosen("--interrupt-after", "9s") == "ProcessPlatform"
    for instance in ("local", "local_gpu"):
        assert chosen("--instance", instance) == "LocalModePlatform"
        assert chosen("--instance", instance, "--interrupt-after", "9s") == "DockerPlatform"


def test_a_recipe_that_no_image_has_travels_in_a_channel_of_its_own(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "dataset")
    shutil.copy(CONFIGS / RECIPE, dataset / "mine.yml")
    shutil.copy(CONFIGS / RECIPE, tmp_path / "own.yml")
    own = plan(tmp_path, "--instance", "local", "--config", "own.yml")
    assert own.hyperparameters["config"] == "/opt/ml/input/data/recipe/own.yml"
    channels = {each["ChannelName"]: each["DataSource"] for each in build_request(own)["InputDataConfig"]}
    assert channels["recipe"]["FileDataSource"]["FileUri"] == (tmp_path / "own.yml").as_uri()
    for name in ("mine.yml", RECIPE):
        planned = plan(tmp_path, "--instance", "local", "--config", name)
        assert planned.hyperparameters["config"] == name
        assert not planned.sends_recipe


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--instance", "proces"], "unknown instance 'proces'"),
        (["--dataset", "nowhere"], "there is no dataset"),
        (["--config", "rec/demo_digit.yml"], "did you mean 'rec/demo_digits.yml'"),
        (["--config", "./none.yml"], "no such file"),
        (["-o", "Global.epochnum=3"], "unknown recipe key 'Global.epochnum': did you mean 'Global.epoch_num'"),
        (["-o", "Global.epoch_num=many"], "Global.epoch_num must be a whole number"),
        (["-o", "Optimizer.name=Adamm"], "unknown optimizer 'Adamm'"),
        (["--output", "dataset"], "is inside the training folder"),
        (["--output", "dataset/runs"], "is inside the training folder"),
        (["--env", "SAGEMAKER_BASE_DIR=/x"], "leave it out"),
        (["--env", "OCR_CHECKPOINTS=/x"], "leave it out"),
        (["--validation", "nowhere"], "neither val.txt nor train.txt"),
        (["--pretrained", "nowhere"], "not a folder"),
        (["--pretrained", "file"], "not a folder"),
        (["--pretrained", "dataset"], "it holds no .pdparams files"),
        (["--pretrained", "two"], "it holds 2 .pdparams files: name a folder with one"),
        (["--output", "file"], "is a file"),
        (["--output", "file/below"], "is a file"),
        (["--checkpoint-uri", "file"], "is a file"),
        (["--resume", "q"], "there is no run 'q'"),
    ],
)
def test_refused_before_anything_is_written(
    tmp_path: Path, flags: list[str], words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    (tmp_path / "two").mkdir()
    for name in ("a", "b"):
        (tmp_path / f"two/{name}.pdparams").write_text("")
    arguments = call(tmp_path, *flags)
    before = snapshot(tmp_path)
    assert submit.main([*arguments, "--json"]) == 1
    captured = capsys.readouterr()
    assert words in captured.err
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    answer = json.loads(captured.out)
    assert (answer["status"], answer["exit_code"]) == ("refused", 1)
    assert words in answer["reason"]
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    ("place", "meets"),
    [
        ("out/r/model", "the run's folder"),
        ("out/r/model/deep", "the run's folder"),
        ("out/r", "the run's folder"),
        ("out/r/saved", "the run's folder"),
        ("out/r/checkpoints/deep", "the run's folder"),
        ("out", "the run's folder"),
        ("dataset", "the training folder"),
        ("dataset/images", "the training folder"),
        ("data/val", "the validation folder"),
        ("data", "the validation folder"),
        ("weights/saved", "the pretrained folder"),
    ],
)
def test_checkpoints_are_kept_apart_from_what_is_read_and_from_the_model(
    tmp_path: Path, place: str, meets: str, capsys: pytest.CaptureFixture[str]
) -> None:
    make_dataset(tmp_path / "data/val")
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights/best.pdparams").write_text("")
    channels = ["--validation", str(tmp_path / "data/val"), "--pretrained", str(tmp_path / "weights")]
    arguments = call(tmp_path, *channels, "--checkpoint-uri", str(tmp_path / place))
    before = snapshot(tmp_path)
    assert submit.main(arguments) == 1
    error = capsys.readouterr().err
    assert f"would mix checkpoints with {meets}" in error
    assert error.count("\n") == 1
    assert snapshot(tmp_path) == before


@pytest.mark.skipif(os.name == "nt", reason="makes links")
def test_a_link_is_the_folder_that_it_leads_to(tmp_path: Path) -> None:
    make_dataset(tmp_path / "dataset")
    (tmp_path / "link").symlink_to(tmp_path / "dataset")
    for flags in (["--output", "link"], ["--checkpoint-uri", "link/saved"], ["--dataset", "link", "--output", "link"]):
        with pytest.raises(UserError, match="the training folder"):
            plan(tmp_path, *flags)


@pytest.mark.parametrize("place", ["out/r/checkpoints", "out/other", "out/r2", "dataset2", "saved"])
def test_checkpoints_may_be_in_their_usual_place_or_anywhere_apart(tmp_path: Path, place: str) -> None:
    assert plan(tmp_path, "--checkpoint-uri", place).checkpoints == tmp_path / place


def test_a_run_that_continues_promises_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "out/r").mkdir(parents=True)
    assert plan(tmp_path).start == "continues from its newest sound checkpoint, if there is one"


@pytest.mark.parametrize("name", ["train.txt", "dict.txt"])
def test_a_dataset_without_its_files(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = call(tmp_path)
    (tmp_path / "dataset" / name).unlink()
    assert submit.main(arguments) == 1
    assert f"{name} is missing" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_an_output_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").mkdir(mode=0o500)
    assert submit.main(call(tmp_path)) == 1
    assert "cannot be written" in capsys.readouterr().err


def test_nothing_named_asks_for_the_instance_then_the_dataset(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert submit.main([]) == 1
    assert "--instance process" in capsys.readouterr().err
    assert submit.main(["--instance", "process"]) == 1
    assert "--dataset" in capsys.readouterr().err
