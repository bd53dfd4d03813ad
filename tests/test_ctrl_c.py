"""Ctrl-C while a command is still importing: exit code 130 and no traceback, whichever way it was started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted(path for path in (ROOT / "data_preparation/scripts").glob("*.py") if path.stem != "__init__")

# Sends SIGINT when the module is first looked for.
INTERRUPTING = """
import os, signal, sys

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["INTERRUPT_AT"]:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a process cannot send itself Ctrl-C alone there")


def interrupted_at(module: str, words: list[str], folder: Path, **options: object) -> subprocess.CompletedProcess[str]:
    (folder / "sitecustomize.py").write_text(INTERRUPTING)
    variables = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", "INTERRUPT_AT": module}
    return subprocess.run(
        [sys.executable, *words], cwd=folder, env=variables, text=True, capture_output=True, **options
    )


@pytest.mark.parametrize("words", [["launcher.submit"], ["launcher.list"], ["launcher"], ["launcher", "stop", "a"]])
def test_of_the_launcher(words: list[str], tmp_path: Path) -> None:
    done = interrupted_at("contract.errors", ["-m", *words], tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize("module", ["contract.errors", "hashlib", "data_preparation.scripts.validate_data"])
def test_of_the_data_tools(module: str, tmp_path: Path) -> None:
    done = interrupted_at(module, ["-m", "data_preparation", "validate", "dataset"], tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_of_a_script_from_its_first_import_on(script: Path, tmp_path: Path) -> None:
    done = interrupted_at("argparse", [str(script), "--help"], tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize("command", ["predict", "check-gpu"])
def test_of_what_the_container_does_for_people(command: str, tmp_path: Path) -> None:
    done = interrupted_at("container.commands", ["-m", "container", command, "model", "crops"], tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize(
    ("module", "words", "said"),
    [
        ("data_preparation.verdict_json", ["-m", "data_preparation", "validate", "dataset"], "interrupted\n"),
        (
            "launcher.cloud.submission",
            ["-m", "launcher.submit", "--instance", "ml.g4dn.xlarge"],
            "stopped; starting again",
        ),
    ],
)
def test_work_is_ended_in_its_own_words(module: str, words: list[str], said: str, tmp_path: Path) -> None:
    done = interrupted_at(module, words, tmp_path)
    assert done.returncode == 130
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_who_was_started_to_ignore_ctrl_c_ignores_it(tmp_path: Path) -> None:
    """As `nohup` and `&` in a script do."""
    words = ["-m", "data_preparation", "validate", "--help"]
    done = interrupted_at(
        "contract.errors", words, tmp_path, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)
    )
    assert (done.returncode, done.stderr) == (0, "")
