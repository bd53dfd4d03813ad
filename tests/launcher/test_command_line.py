"""What the command line promises before it does anything: speed, imports, verbs, documentation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from launcher.__main__ import GROUPS, overview
from launcher.__main__ import main as launcher
from launcher.docs import render
from launcher.flags import VERBS, Verb
from tests.launcher.running import ROOT

HEAVY = ("boto3", "sagemaker", "docker", "paddle", "numpy", "cv2", "rich", "yaml")
EVERY_VERB = pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)


def python(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, text=True, capture_output=True)


@EVERY_VERB
def test_help_imports_nothing_heavy(verb: Verb, tmp_path: Path) -> None:
    """So it takes little CPU: benchmarks/command_line.py says how little."""
    result = python("-X", "importtime", "-m", f"launcher.{verb.name}", "--help", folder=tmp_path)
    assert result.returncode == 0
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in result.stderr.splitlines()}
    assert "launcher" in imported
    assert not imported & set(HEAVY)


@EVERY_VERB
def test_help_names_every_flag(verb: Verb, tmp_path: Path) -> None:
    text = python("-m", "launcher", verb.name, "--help", folder=tmp_path).stdout
    for flag in verb.flags:
        for name in flag.flags:
            assert name in text


def test_the_documentation_has_every_flag_and_ignores_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    narrow = render()
    monkeypatch.setenv("COLUMNS", "200")
    assert render() == narrow
    for verb in VERBS.values():
        section = narrow.partition(f"\n## {verb.name}\n")[2].partition("\n## ")[0]
        for flag in verb.flags:
            for name in flag.flags:
                assert f"`{name}`" in section


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
@pytest.mark.parametrize("words", [["launcher.docs"], ["launcher"], ["launcher.submit", "--show-config"]])
def test_a_page_ends_quietly_when_its_reader_goes(words: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    result = subprocess.run(
        [sys.executable, "-m", *words], cwd=ROOT, stdout=write, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(write)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux only")
def test_the_documentation_does_not_end_quietly_on_a_full_disk() -> None:
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            [sys.executable, "-m", "launcher.docs"], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert result.returncode != 0


def test_only_verbs_that_exist_are_offered(capsys: pytest.CaptureFixture[str]) -> None:
    assert launcher([]) == 0
    offered = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    assert sorted(offered) == sorted(VERBS)
    assert offered[:3] == ["submit", "build", "push"]
    assert launcher(["submi"]) == 1
    assert "did you mean 'submit'" in capsys.readouterr().err


def needed(verb: Verb) -> list[str]:
    """The words without a name that a verb must be given."""
    return ["some-run" for flag in verb.flags if flag.positional]


@EVERY_VERB
def test_debug_shows_the_traceback(verb: Verb, capsys: pytest.CaptureFixture[str]) -> None:
    assert launcher([verb.name, *needed(verb), "--bad"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: unknown flag --bad")
    assert error.count("\n") == 1
    assert launcher([verb.name, *needed(verb), "--bad", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


@EVERY_VERB
def test_a_mistake_is_an_object_on_stdout_with_json(verb: Verb, capsys: pytest.CaptureFixture[str]) -> None:
    assert launcher([verb.name, *needed(verb), "--bad", "--json"]) == 1
    shown = json.loads(capsys.readouterr().out)
    assert shown["exit_code"] == 1
    assert "--bad" in shown["reason"]


@pytest.mark.parametrize(
    "words",
    [["submit", "--instance", "process", "--dataset", "x" * 300], ["report", "x" * 300]],
    ids=lambda words: words[0],
)
def test_what_the_system_refuses_is_one_sentence(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert launcher([*words, "--json"]) == 1
    out, err = capsys.readouterr()
    assert "(File name too long)" in err
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert json.loads(out)["exit_code"] == 1


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
@pytest.mark.parametrize("closed", ["2>&-", ">&-", "<&- >&- 2>&-"])
def test_closed_streams_change_no_verdict(closed: str, tmp_path: Path) -> None:
    for words, code in ((["launcher.submit", "--show-config"], 0), (["launcher.submit", "--bad", "--json"], 1)):
        command = f"{sys.executable} -m {' '.join(words)} >out 2>err {closed}"
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        assert subprocess.run(command, shell=True, cwd=tmp_path, env=environment, check=False).returncode == code
        out, err = ((tmp_path / name).read_text() for name in ("out", "err"))
        assert "Traceback" not in err
        if closed == "2>&-":
            assert json.loads(out)["exit_code"] == 1 if code else "instance" in out


def test_the_overview_has_every_verb_once() -> None:
    assert sorted(name for _, names in GROUPS for name in names) == sorted(VERBS)
    assert all(f"  {name:10} {verb.summary}" in overview() for name, verb in VERBS.items())
