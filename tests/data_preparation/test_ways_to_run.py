"""The scripts run by path from two places, as modules and as verbs, and their help is quick."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from data_preparation.__main__ import VERBS, main
from tests.data_preparation.folders import REPOSITORY, dataset, run_python

HEAVY = ("numpy", "cv2", "PIL", "rich", "yaml", "boto3", "botocore")


@pytest.mark.parametrize("verb", VERBS)
def test_every_way_shows_the_help(verb: str) -> None:
    script = VERBS[verb]
    room = REPOSITORY / "data_preparation"
    for done in (
        run_python(f"scripts/{script}.py", "--help", cwd=room),
        run_python(f"data_preparation/scripts/{script}.py", "--help"),
        run_python("-m", f"data_preparation.scripts.{script}", "--help"),
        run_python("-m", "data_preparation", verb, "--help"),
    ):
        assert done.returncode == 0, done.stderr
        assert "example" in done.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_help_imports_nothing_heavy(verb: str) -> None:
    program = (
        "import sys\nfrom data_preparation.__main__ import main\n"
        f"try:\n    main(['{verb}', '--help'])\nexcept SystemExit:\n    pass\n"
        f"print('imported', [name for name in {HEAVY} if name in sys.modules])"
    )
    assert "imported []" in run_python("-c", program).stdout


def test_an_unknown_verb_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convrt"]) == 1
    assert "invalid choice: 'convrt'" in capsys.readouterr().err
    assert main([]) == 1


@pytest.mark.skipif(os.name == "nt", reason="a pipe that nobody reads is another error there")
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_reader_that_has_gone_changes_nothing_else(tmp_path: Path, stream: str) -> None:
    folder = dataset(tmp_path / "data", {"a.png": "one"}, {"b.png": "two"})
    command = [sys.executable, "-m", "data_preparation", "validate", str(folder), "--json"]
    reader, writer = os.pipe()
    os.close(reader)
    other = "stderr" if stream == "stdout" else "stdout"
    with open(tmp_path / other, "wb") as kept:
        done = subprocess.run(command, cwd=REPOSITORY, check=False, **{stream: writer, other: kept})
    os.close(writer)
    assert done.returncode == 0
    said = (tmp_path / other).read_text()
    if stream == "stderr":
        assert json.loads(said)["ok"] is True
    else:
        assert f"ok: {folder} is fit to train" in said


CLOSED = pytest.mark.parametrize("closed", ["2>&-", ">&-", "<&- >&- 2>&-"])


@pytest.mark.skipif(os.name == "nt", reason="needs a shell")
@CLOSED
def test_closed_streams_cost_no_work_and_no_verdict(tmp_path: Path, closed: str) -> None:
    good = dataset(tmp_path / "good", {"a.png": "one"}, {"b.png": "two"})
    bad = dataset(tmp_path / "bad", {"a.png": "one"}, {"b.png": ""})
    out, err = tmp_path / "out", tmp_path / "err"
    for folder, code in ((good, 0), (bad, 1)):
        done = in_a_shell(f"validate {folder} --json --workers 2 >{out} 2>{err} {closed}")
        assert done.returncode == code
        if closed == "2>&-":
            assert json.loads(out.read_text())["ok"] is (code == 0)
        elif closed == ">&-":
            assert ("ok: " if code == 0 else "error: ") in err.read_text()
            assert "Traceback" not in err.read_text()
    assert in_a_shell(f"pack {good} --output-dir {tmp_path / 'packed'} {closed}").returncode == 0
    assert (tmp_path / "packed/shards").is_dir()
    done = in_a_shell(f"dictionary build {good} >{out} {closed}")
    assert done.returncode == 0
    if closed == "2>&-":
        assert out.read_text() == "e\nn\no\nt\nw\n"  # nothing for people in it


def in_a_shell(command: str) -> subprocess.CompletedProcess[bytes]:
    program = shlex.join([sys.executable, "-m", "data_preparation"])
    return subprocess.run(f"{program} {command}", shell=True, cwd=REPOSITORY, check=False)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse names that are no UTF-8")
def test_a_name_that_is_no_utf8_is_printed_as_it_is(tmp_path: Path) -> None:
    folder = dataset(tmp_path / "data", {"a.png": "one"}, {"b.png": "two"})
    page = os.fsencode(tmp_path) + b"/p\xe9.html"
    command = [sys.executable, "-m", "data_preparation", "report", folder, "--output", page]
    done = subprocess.run(command, cwd=REPOSITORY, check=False, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == page + b"\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_a_full_stdout_is_one_sentence(tmp_path: Path) -> None:
    folder = dataset(tmp_path / "data", {"a.png": "one"}, {"b.png": "two"})
    command = [sys.executable, "-m", "data_preparation", "validate", str(folder), "--json"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, cwd=REPOSITORY, check=False, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert "error: stdout cannot be written (No space left on device): make room" in done.stderr
    assert "Traceback" not in done.stderr


def test_no_name_steers_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = dataset(tmp_path / "a\u202eb\x1b[31m", {"a.png": "one"}, {"b.png": "two"})
    assert main(["validate", str(folder)]) == 0
    assert "a\\u202eb\\x1b[31m is fit to train" in capsys.readouterr().err


def test_an_address_that_is_none_is_refused_before_images_are_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = dataset(tmp_path / "data", {"a.png": "one"}, {"b.png": "two"})
    assert main(["upload", str(folder), "--bucket", "My Bucket", "--region", "eu-north-1"]) == 1
    said = capsys.readouterr().err
    assert "s3://My Bucket/ocr: write an address in S3 as s3://BUCKET/folder/" in said
    assert "checking" not in said


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["demo", "--output-dir", "new", "--count", "9" * 5000], "9' is not a whole number of at least 1"),
        (["split", "data", "--seed", "9" * 5000], "9' is not a whole number of at least 0"),
        (["validate", "data", "--config", ""], "--config is empty: name a recipe or leave it out"),
        (
            ["validate", "data", "--config", "rec/demo_digits.yml", "-o", "Train.dataset.transforms=" + "[" * 3000],
            "Train.dataset.transforms must be a list, not '[[[",
        ),
        (
            ["validate", "data", "--config", "rec/demo_digits.yml", "-o", "Global.checkpoints=[["],
            "Global.checkpoints must be YAML, not '[['",
        ),
        (["validate", "data", "--config", "deep.yml"], "deep.yml: the recipe cannot be read ("),
        (["download", "http://bucket/crops", "--output-dir", "new"], "write an address in S3 as s3://BUCKET/folder/"),
        (["dictionary", "build", "data", "--output", "data/train.txt"], "train.txt exists and is no dictionary: name"),
    ],
    ids=lambda each: each[0] if isinstance(each, list) else "",
)
def test_odd_words_are_one_sentence(
    words: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = dataset(tmp_path / "data", {"a.png": "one"}, {"b.png": "two"})
    (tmp_path / "deep.yml").write_text("[" * 3000)
    labels = (folder / "train.txt").read_bytes()
    assert main(words) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert sentence in err
    assert err.splitlines()[-1].startswith("error: ")
    assert (folder / "train.txt").read_bytes() == labels
    assert not (tmp_path / "new").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no such pipes there")
@pytest.mark.parametrize("kind", ["pipe", "loop"])
@pytest.mark.parametrize(
    "words",
    [["report", "data", "--output"], ["dictionary", "build", "data", "--output"], ["pack", "data", "--output-dir"]],
)
def test_nothing_takes_the_place_of_what_is_neither_file_nor_folder(
    words: list[str], kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As root it would be that of /dev/null."""
    monkeypatch.chdir(tmp_path)
    dataset(tmp_path / "data", {"a.png": "one"}, {"b.png": "two"})
    place = tmp_path / "place"
    if kind == "pipe":
        os.mkfifo(place)
    else:
        place.symlink_to(place)
    assert main([*words, "place"]) == 1
    assert "place is" in capsys.readouterr().err
    assert place.is_symlink() or place.is_fifo()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "place"]
