"""Where a setting comes from, and what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from contract.errors import UserError
from contract.hyperparameters import TABLE
from launcher.command_line import build_parser
from launcher.flags import KEYS, SUBMIT, VERBS
from launcher.image_settings import load_image_settings
from launcher.interruption import Interruption, parse_duration, parse_interruption
from launcher.settings import Settings, check_run, load_settings, new_run_id, show_config


def load(folder: Path, *argv: str, **environment: str) -> Settings:
    return load_settings(list(argv), environment, folder)


def test_flag_beats_environment_beats_file_beats_builtin(tmp_path: Path) -> None:
    assert load(tmp_path).config == "rec/rec_mv3_none_bilstm_ctc.yml"
    (tmp_path / "launcher.yml").write_text("config: rec/file.yml\n")
    assert load(tmp_path).config == "rec/file.yml"
    assert load(tmp_path, OCR_CONFIG="rec/env.yml").config == "rec/env.yml"
    assert load(tmp_path, "--config", "rec/flag.yml", OCR_CONFIG="rec/env.yml").config == "rec/flag.yml"
    assert load(tmp_path, OCR_CONFIG="").config == "rec/file.yml"  # an empty variable is not set


def test_a_flag_that_is_given_twice_means_its_last_value(tmp_path: Path) -> None:
    settings = load(tmp_path, "--epochs", "3", "--run=a", "--epochs=4", "--run-id", "b", "--amp", "bf16", "--amp=false")
    assert (dict(settings.hyperparameters), settings.run) == ({"epochs": "4", "amp": "false"}, "b")


def test_every_hyperparameter_is_a_flag_a_key_and_a_variable(tmp_path: Path) -> None:
    known = {option for action in build_parser(SUBMIT)._actions for option in action.option_strings}
    for row in TABLE:
        assert row.flag in known
    (tmp_path / "launcher.yml").write_text("epochs: 3\nlearning_rate: 1e-4\namp: false\n")
    settings = load(tmp_path, OCR_BATCH_SIZE="8")
    assert dict(settings.hyperparameters) == {
        "epochs": "3",
        "batch_size": "8",
        "learning_rate": "1e-4",
        "amp": "false",
    }


def test_overrides_and_env_merge_key_by_key(tmp_path: Path) -> None:
    (tmp_path / "launcher.yml").write_text(
        "override:\n  Optimizer.lr.name: Const\n  Train.dataset.transforms.2.RecResizeImg.image_shape: [3, 32, 320]\n"
        "env: {A: 1, B: 'x=y'}\n"
    )
    settings = load(tmp_path, "-o", "Optimizer.lr.name=Cosine", "--env", "A=2")
    assert dict(settings.overrides) == {
        "Optimizer.lr.name": "Cosine",
        "Train.dataset.transforms.2.RecResizeImg.image_shape": "[3,32,320]",
    }
    assert dict(settings.env) == {"A": "2", "B": "x=y"}


def test_all_verbs_read_one_file_and_one_environment(tmp_path: Path) -> None:
    (tmp_path / "launcher.yml").write_text("dataset: data\nbase_image: file:1\nnetwork: none\nrepository: mine\n")
    environment = {"OCR_NETWORK": "default", "OCR_RUN": "a-run"}
    assert load(tmp_path, **environment).dataset == tmp_path / "data"
    assert load(tmp_path, **environment).run == "a-run"
    for verb, repository in (("build", ""), ("push", "mine")):
        image = load_image_settings(verb, ["--base-image", "flag:1"], environment, tmp_path)
        assert (image.base_image, image.network, image.repository) == ("flag:1", "default", repository)
        assert load_image_settings(verb, [], {}, tmp_path).base_image == "file:1"
        assert load_image_settings(verb, [], {}, tmp_path).network == "none"


def test_a_key_means_the_same_in_every_verb() -> None:
    for verb in VERBS.values():
        for flag in (flag for flag in verb.flags if flag.saved):  # RUN is one word of one call, or several
            same = KEYS[flag.key]
            assert (flag.flags, flag.metavar, flag.many, flag.saved, flag.variable) == (
                *(same.flags, same.metavar, same.many, same.saved, same.variable),
            )


@pytest.mark.parametrize("verb", ["build", "push"])
def test_a_mistake_in_a_setting_of_another_verb_is_told(verb: str, tmp_path: Path) -> None:
    (tmp_path / "launcher.yml").write_text("datset: data\n")
    with pytest.raises(UserError, match="unknown key 'datset': did you mean 'dataset'"):
        load_image_settings(verb, [], {}, tmp_path)


def test_folders_of_the_file_start_at_the_file(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/launcher.yml").write_text("dataset: data\n")
    settings = load(tmp_path, "--config-file", "sub/launcher.yml", "--output", "out")
    assert settings.dataset == tmp_path / "sub/data"
    assert settings.output == tmp_path / "out"


def test_values_of_the_file_are_what_is_written(tmp_path: Path) -> None:
    (tmp_path / "launcher.yml").write_text("run: 2024_1\nseed: 010\ninterrupt_after: [20s, 120steps]\n")
    settings = load(tmp_path)
    assert settings.run == "2024_1"  # YAML 1.1 would read 20241
    assert dict(settings.hyperparameters)["seed"] == "010"
    assert settings.interruptions == (Interruption(seconds=20), Interruption(step=120))


def test_the_image_of_a_job_is_a_flag_a_key_and_a_variable(tmp_path: Path) -> None:
    assert load(tmp_path).image_uri == ""
    (tmp_path / "launcher.yml").write_text("image_uri: file:1\n")
    assert load(tmp_path).image_uri == "file:1"
    assert load(tmp_path, OCR_IMAGE_URI="env:1").image_uri == "env:1"
    assert load(tmp_path, "--image-uri", "flag:1", OCR_IMAGE_URI="env:1").image_uri == "flag:1"


def test_show_config_has_every_value_and_its_origin(tmp_path: Path) -> None:
    (tmp_path / "launcher.yml").write_text("dataset: data\n")
    settings = load(tmp_path, "--epochs", "4", "--show-config", "--json", OCR_OUTPUT="elsewhere")
    shown = json.loads(show_config(settings))
    assert set(shown) == {flag.key for flag in SUBMIT.flags}
    assert shown["dataset"] == {"value": "data", "origin": "launcher.yml"}
    assert shown["output"] == {"value": "elsewhere", "origin": "environment OCR_OUTPUT"}
    assert shown["epochs"] == {"value": "4", "origin": "flag --epochs"}
    assert shown["grace"] == {"value": "120s", "origin": "built-in"}
    assert shown["patience"] == {"value": None, "origin": "not set"}
    table = show_config(load(tmp_path, "--epochs", "4"))
    assert re.search(r"^epochs +4 +flag --epochs$", table, re.MULTILINE)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--epoch", "3"], "unknown flag --epoch: did you mean '--epochs'"),
        (["--epoch=3"], "unknown flag --epoch: did you mean '--epochs'"),
        (["submit"], "'submit' belongs to no flag"),
        (["--epochs"], "--epochs needs a value: see"),
        (["--fresh=yes"], "--fresh is a switch and takes no value, such as 'yes'"),
        (["-o"], "-o/--override needs a value"),
        (["--dataset", ""], "--dataset is empty: give it a value or leave it out"),
        (["--env", "A=1", "--env", ""], "--env is empty"),
        (["--epochs="], "--epochs is empty"),
        (["--run", "x" * 64], "a run's name has at most 63 characters"),
        (["--run", "ก"], "write it with a–z, A–Z, 0–9"),
        (["--epochs", "3.5"], "epochs must be a whole number"),
        (["--amp", "yes"], "amp=yes is not available"),
        (["-o", "Global.epoch_num"], "KEY=VALUE"),
        (["-o", "=3"], "KEY=VALUE"),
        (["-o", "epochs=3"], "use --epochs 3"),
        (["-o", "Global=1"], "-o needs a dotted key of the recipe, such as Global.seed=1, not 'Global'"),
        (["--env", "A"], "KEY=VALUE"),
        (["--interrupt-after", "20"], "20s or 120steps"),
        (["--grace", "120"], "--grace: a duration"),
        (["--run", "a/b"], "cannot name a run"),
        (["--run", "a", "--resume", "b"], "name two runs"),
        (["--fresh"], "name the run with --run"),
        (["--fresh", "--resume", "a"], "give one of them"),
        (["--dataset", "s3://bucket/x"], "takes a folder"),
        (["--checkpoint-uri", "s3://bucket/x"], "takes a folder"),
        (["--config-file", "nowhere.yml"], "cannot be read"),
    ],
)
def test_a_wrong_flag_is_one_sentence(tmp_path: Path, argv: list[str], words: str) -> None:
    with pytest.raises(UserError) as caught:
        load(tmp_path, *argv)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("datset: x\n", "unknown key 'datset': did you mean 'dataset'"),
        ("json: true\n", "unknown key 'json'"),
        ("- a\n", "one `key: value` per line"),
        ("dataset: [a, b]\n", "dataset must be a single value"),
        ("a: [\n", "not valid YAML"),
        ("epochs: 3\nrun: a\nepochs: 4\n", "launcher.yml:3: epochs is already set in line 1"),
        ("checkpoint-uri: a\ncheckpoint_uri: b\n", "launcher.yml:2: checkpoint_uri is already set in line 1"),
        ("override:\n  A.b: 1\n  A.c: 1\n  A.b: 2\n", "launcher.yml:4: A.b is already set in line 2"),
        ("env: {A: 1, A: 2}\n", "launcher.yml:1: A is already set in line 1"),
    ],
)
def test_a_wrong_file_is_one_sentence(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "launcher.yml").write_text(text)
    with pytest.raises(UserError) as caught:
        load(tmp_path)
    assert words in str(caught.value)
    assert "launcher.yml" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("OCR_EPOCH", "unknown environment variable OCR_EPOCH: did you mean 'OCR_EPOCHS'?"),
        ("OCR_DATASETS", "unknown environment variable OCR_DATASETS: did you mean 'OCR_DATASET'?"),
    ],
)
def test_a_mistyped_variable_is_one_sentence(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        load(tmp_path, **{name: "3"})
    assert words == str(caught.value)
    load(tmp_path, **{name: ""})  # an empty variable is not set


def test_variables_that_are_no_settings_are_left_alone(tmp_path: Path) -> None:
    load(tmp_path, OCR_CACHE="/cache", OCR_CHECKPOINTS="/c", OCR_LIFELINE_FD="3", TESSERACT_OCR_X="1", OCR="1")


@pytest.mark.parametrize("run", ["a", "2024", "rec-v1.2_b", "a--b", "x" * 63])
def test_names_of_runs(run: str) -> None:
    assert check_run(run) == run


@pytest.mark.parametrize("run", ["-a", ".a", "a-", "a b", "../a", "a/b", "ก", "a\n", "a.", "x" * 64, f"a{'-' * 62}b"])
def test_names_that_are_no_runs(run: str) -> None:
    with pytest.raises(UserError):
        check_run(run)


def test_a_new_run_is_named_after_recipe_and_date() -> None:
    name = new_run_id("configs/rec/rec_mv3_none_bilstm_ctc.yml")
    assert re.fullmatch(r"rec-mv3-none-bilstm-ctc-20\d{6}-[a-z]{4}", name)
    for config in ("ก.yml", "x" * 200 + ".yml", "-.yml"):
        check_run(new_run_id(config))


def test_durations_and_interruptions() -> None:
    assert [parse_duration(text) for text in ("20s", "1.5m", "12h", "2d")] == [20, 90, 43200, 172800]
    assert parse_interruption("120steps").is_due(0, 120)
    assert not parse_interruption("120steps").is_due(1e9, 119)
    assert parse_interruption("0.5s").is_due(0.5, 0)
