"""What the container promises to anyone who starts it: files, events and exit codes of real, tiny runs."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from contract.events import METRIC_DEFINITIONS
from contract.paths import MODEL_FILES
from tests.container.jobs import ROOT, Base, Finished, draw_dataset

RECIPE = {"config": "configs/rec/demo_digits.yml", "workers": 0, "Global__print_batch_step": 1}
START_SECONDS = 1.5  # of CPU; the aim is 0.5 apart from the dataset checks, which are in it here


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_dataset(tmp_path_factory.mktemp("data") / "digits", train=20, val=6)


@pytest.fixture(scope="module")
def run(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Base, Finished]:
    """`python -m container train`: two epochs of three steps, saved after every step."""
    parameters = RECIPE | {"run_id": "first", "epochs": 2, "batch_size": 8, "save_minutes": 0}
    base = Base(tmp_path_factory.mktemp("ml"), dataset, **parameters)
    finished = base.run("train")
    assert finished.code == 0, finished.errors
    return base, finished


def test_the_model_folder_holds_the_promised_files_and_nothing_else(run: tuple[Base, Finished]):
    base, _ = run
    assert base.model_files() == sorted(MODEL_FILES)
    inference = sorted(path.name for path in (base.folder / "model/inference").iterdir())
    assert inference == ["inference.json", "inference.pdiparams", "inference.yml"]
    assert all(path.stat().st_size for path in (base.folder / "model").rglob("*") if path.is_file())
    assert not (base.folder / "output/failure").exists()


def test_run_json_tells_the_whole_run(run: tuple[Base, Finished]):
    base, finished = run
    report = base.report()
    promised = {"run", "status", "best", "resumed_from", "steps", "seconds", "versions", "dataset", "config"}
    assert promised <= set(report)
    assert set(report["best"]) == {"acc", "cer", "norm_edit_dis", "epoch", "step"}
    assert (report["run"], report["status"], report["steps"]) == ("first", "finished", 6)
    assert report["resumed_from"] is None
    assert report["seconds"] > 0
    assert report["dataset"] | {"sha256": ""} == {"sha256": "", "train": 20, "val": 6, "characters": 10}
    assert report["unusable"] == {"train": {"samples": 0, "lines": []}, "val": {"samples": 0, "lines": []}}
    assert report["export"]["paddleocr_model_name"] == "PP-OCRv3_mobile_rec"
    best = next(event for event in finished.of("eval") if event["step"] == report["best"]["step"])
    assert {name: best[name] for name in ("acc", "cer")} == pytest.approx(
        {name: report["best"][name] for name in ("acc", "cer")}, rel=1e-5
    )


def test_config_yml_is_a_recipe_with_the_hyperparameters_in_it(run: tuple[Base, Finished]):
    base, _ = run
    text = (base.folder / "model/config.yml").read_text()
    config = yaml.safe_load(text)
    assert config["Global"]["epoch_num"] == 2
    assert config["Train"]["loader"]["batch_size_per_card"] == 8
    assert re.search(r"#   Global.epoch_num: \d+ -> 2 \(hyperparameter epochs\)", text)


def test_predictions_and_metrics_cover_the_run(run: tuple[Base, Finished], dataset: Path):
    base, finished = run
    rows = list(csv.DictReader((base.folder / "model/predictions.csv").open(encoding="utf-8")))
    assert [f"{row['image']}\t{row['label']}" for row in rows] == (dataset / "val.txt").read_text().splitlines()
    metrics = [json.loads(line) for line in (base.folder / "model/metrics.jsonl").read_text().splitlines()]
    shown = [(event["event"], event["step"]) for event in finished.events if event["event"] in ("train", "eval")]
    assert [(event["event"], event["step"]) for event in metrics] == shown


def test_scores_in_depth_are_those_of_the_predictions(run: tuple[Base, Finished]):
    base, _ = run
    rows = list(csv.DictReader((base.folder / "model/predictions.csv").open(encoding="utf-8")))
    scores = base.report()["scores"]
    assert scores["samples"] == len(rows) == 6
    assert scores["edits"] == sum(int(row["edits"]) for row in rows)
    assert scores["characters"] == sum(len(row["label"]) for row in rows)
    assert scores["by_script"]["digits"]["count"] == scores["characters"]
    assert sum(row["right"] for row in scores["by_length"]) == sum(int(row["correct"]) for row in rows)


def test_checkpoints_are_laid_out_as_promised(run: tuple[Base, Finished]):
    base, finished = run
    assert [path.name for path in base.checkpoints()] == ["step-000000005", "step-000000006"]
    best = [path.name for path in (base.folder / "checkpoints/best").iterdir()]
    assert f"step-{base.report()['best']['step']:09d}" in best
    for folder in [*base.checkpoints(), *(base.folder / "checkpoints/best").iterdir()]:
        files = {path.name: path.stat().st_size for path in folder.iterdir()}
        assert set(files) == {"model.pdparams", "model.pdopt", "state.json", "MANIFEST.json"}
        manifest = json.loads((folder / "MANIFEST.json").read_text())["files"]
        assert {name: entry["size"] for name, entry in manifest.items()} == {
            name: size for name, size in files.items() if name != "MANIFEST.json"
        }
        state = json.loads((folder / "state.json").read_text())
        assert state["format"] == 1
        assert folder.name == f"step-{state['step']:09d}"
        assert {"epoch", "samples", "seed", "best", "schedule", "dictionary_sha256", "recipe_sha256"} <= set(state)
    assert [event["step"] for event in finished.of("checkpoint")] == [1, 2, 3, 4, 5, 6]


def test_event_lines_parse_and_every_metric_regex_reads_them(run: tuple[Base, Finished]):
    _, finished = run
    assert [event["step"] for event in finished.of("train")] == [1, 2, 3, 4, 5, 6]
    assert {"step", "epoch", "loss", "lr", "samples_per_s", "reader_share"} <= set(finished.of("train")[0])
    assert {"step", "acc", "cer", "norm_edit_dis"} <= set(finished.of("eval")[0])
    assert finished.events[-1]["event"] == "done"
    for definition in METRIC_DEFINITIONS:
        event, field = re.search(r"event=(\w+) .*b(\w+)=", definition["Regex"]).groups()
        found = [match for match in (re.search(definition["Regex"], line) for line in finished.lines) if match]
        assert [float(match[1]) for match in found] == [each[field] for each in finished.of(event)]


def test_a_checkpoint_opens_in_stock_paddle(run: tuple[Base, Finished]):
    """PaddleOCR's own load_model takes it, and every array arrives."""
    base, _ = run
    script = """
import sys
from pathlib import Path
import paddle, yaml
from container.tree import locate_tree
from container.trainer.network import build_network
from container.trainer.paddleocr_tree import enter_tree
from container.trainer.sampling import Schedule
enter_tree(locate_tree(print))
from ppocr.utils.save_load import load_model
checkpoint, model = map(Path, sys.argv[1:])
config = yaml.safe_load((model / "config.yml").read_text())
config["Global"]["character_dict_path"] = str(model / "dict.txt")
network = build_network(config, Schedule(samples=20, batch_size=8, epochs=2, seed=5))
config["Global"]["checkpoints"] = str(checkpoint / "model")
load_model(config, network.model, network.optimizer, "rec")
weights = paddle.load(str(checkpoint / "model.pdparams"))
own = network.model.state_dict()
assert set(weights) - {"StructuredToParameterName@@"} == set(own)
assert all((own[name].numpy() == weights[name].numpy()).all() for name in own)
moments = paddle.load(str(checkpoint / "model.pdopt"))
network.optimizer.set_state_dict(moments)
own = network.optimizer.state_dict()
assert set(own) >= set(moments) - {"master_weights"}, sorted(set(moments) - set(own))
assert all((own[name].numpy() == moments[name].numpy()).all() for name in moments if hasattr(moments[name], "numpy"))
assert own["LR_Scheduler"]["last_epoch"] == 6
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(base.checkpoints()[-1]), str(base.folder / "model")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_predict_reads_what_the_validation_read(run: tuple[Base, Finished], dataset: Path):
    base, _ = run
    rows = list(csv.DictReader((base.folder / "model/predictions.csv").open(encoding="utf-8")))
    images = [dataset / row["image"] for row in rows]
    done = predict(base.folder / "model", *images)
    assert done.returncode == 0, done.stderr
    expected = [[str(image), row["prediction"], row["confidence"]] for image, row in zip(images, rows, strict=True)]
    assert [line.split("\t") for line in done.stdout.splitlines()] == expected


def test_predict_goes_on_after_an_image_that_cannot_be_read(run: tuple[Base, Finished], dataset: Path, tmp_path: Path):
    base, _ = run
    sound = (dataset / "images/val0.png").read_bytes()
    (tmp_path / "a.png").write_bytes(sound)
    (tmp_path / "b.png").write_bytes(sound[:100])
    (tmp_path / "c.JPG").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("not an image, and not asked for")
    done = predict(base.folder / "model", tmp_path, tmp_path / "gone.png", tmp_path / "a.png", "--json")
    assert done.returncode == 1
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["image"] for row in rows] == [str(tmp_path / "a.png")] * 2
    assert rows[0] == rows[1]
    assert set(rows[0]) == {"image", "text", "confidence"}
    assert [line for line in done.stderr.splitlines() if line.startswith("error: ")] == [
        f"error: {tmp_path}/b.png is cut short",
        f"error: {tmp_path}/c.JPG is empty",
        f"error: {tmp_path}/gone.png cannot be read (No such file or directory)",
    ]
    assert done.stderr.splitlines()[-1] == "3 of 5 images could not be read"


@pytest.mark.parametrize(
    ("part", "kept", "said"),
    [
        ("inference/inference.pdiparams", 5000, "inference cannot be opened ("),
        ("dict.txt", 4, "the exported model has 12 classes and the dictionary makes 4"),
    ],
)
def test_predict_refuses_a_model_of_which_a_part_is_cut_short(
    run: tuple[Base, Finished], dataset: Path, tmp_path: Path, part: str, kept: int, said: str
):
    base, _ = run
    model = shutil.copytree(base.folder / "model", tmp_path / "model")
    (model / part).write_bytes((model / part).read_bytes()[:kept])
    done = predict(model, dataset / "images/val0.png")
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_predict_refuses_what_is_no_model_before_it_imports_paddle(tmp_path: Path):
    for arguments, said in [
        ((tmp_path, tmp_path), "config.yml is missing: name the folder model/ of a run"),
        ((tmp_path / "gone", tmp_path), "config.yml is missing"),
        ((Path(__file__), tmp_path), "is a file: name the folder model/ of a run (unpack model.tar.gz first)"),
        ((tmp_path,), "required: IMAGE; python -m container predict --help lists the flags"),
    ]:
        done = predict(*arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert len(done.stderr.splitlines()) == 1
        assert said in done.stderr


def predict(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "container", "predict", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_three_samples_train_without_arguments_and_another_folder_validates(dataset: Path, tmp_path: Path):
    """`docker run image`: no `train`. A train set smaller than a batch; a validation channel with only train.txt."""
    small = draw_dataset(tmp_path / "small", train=3, val=1)
    other = shutil.copytree(dataset, tmp_path / "other")
    (other / "val.txt").unlink()
    base = Base(tmp_path / "ml", small, **RECIPE, epochs=2, batch_size=32)
    (base.folder / "input/data/validation").symlink_to(other)
    child = base.start()
    output, errors = child.communicate()
    assert child.returncode == 0, errors
    finished = Finished(0, output.splitlines())
    assert [event["step"] for event in finished.of("train")] == [1, 2]
    assert [event["step"] for event in finished.of("eval")] == [1, 2]
    assert base.report()["dataset"] | {"sha256": ""} == {"sha256": "", "train": 3, "val": 20, "characters": 10}
    rows = list(csv.DictReader((base.folder / "model/predictions.csv").open(encoding="utf-8")))
    assert [f"{row['image']}\t{row['label']}" for row in rows] == (other / "train.txt").read_text().splitlines()
    assert base.model_files() == sorted(MODEL_FILES)


def test_patience_ends_a_run_as_success(dataset: Path, tmp_path: Path):
    """And the validation channel's val.txt goes before its train.txt."""
    base = Base(tmp_path / "ml", dataset, **RECIPE, epochs=60, batch_size=32, patience=2, learning_rate=0)
    (base.folder / "input/data/validation").symlink_to(draw_dataset(tmp_path / "other", train=5, val=3, seed=9))
    finished = base.run()
    assert finished.code == 0, finished.errors
    report = base.report()
    assert report["status"] == "finished"
    assert report["dataset"]["val"] == 3
    evaluated = [event["step"] for event in finished.of("eval")]
    assert len([step for step in evaluated if step > report["best"]["step"]]) == 2
    assert report["steps"] == evaluated[-1] < 60
    assert finished.events[-1]["event"] == "done"
    assert base.run().code == 0, "started again, it exports again"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_trainer_starts_soon_after_the_supervisor(dataset: Path, tmp_path: Path):
    seconds = []
    for attempt in range(3):
        base = Base(tmp_path / f"ml{attempt}", dataset, **RECIPE, epochs=1)
        child = base.start("train")
        try:
            while not (trainer := Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()):
                assert child.poll() is None
                time.sleep(0.002)
            seconds.append(cpu_seconds(child.pid))
        finally:
            child.kill()  # and with it, through the lifeline, the trainer
            child.communicate()
        assert trainer
    print(f"supervisor start to trainer start: {min(seconds):.2f} s of CPU")
    assert min(seconds) < START_SECONDS


def cpu_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
