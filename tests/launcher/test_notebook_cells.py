"""What the cells of the notebook call."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.notebook import VerbFailed, verb


def test_a_verb_that_fails_has_said_why_in_the_cell_and_ends_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(VerbFailed, match="exit code 1"):
        verb("data_preparation validate", tmp_path / "none")
    said = capsys.readouterr()
    assert said.out.startswith(f"$ python -m data_preparation validate {tmp_path / 'none'}\nerror: ")
    assert said.err == ""
    verb("data_preparation validate", tmp_path / "none", fails=False)


def test_what_needs_paddle_runs_in_a_process_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(VerbFailed) as failed:
        verb("container predit")
    assert "error: unknown command 'predit'" in capsys.readouterr().out
    assert failed.value._render_traceback_() == [str(failed.value)]


def test_an_answer_for_programs_is_returned_and_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("submit", "--instance", "process", "--run", "x", "--show-config")
    assert '"instance"' in verb("launcher", *words, "--json")
    assert '"instance"' not in capsys.readouterr().out
    assert "instance" in verb("launcher", *words)
    assert "instance  " in capsys.readouterr().out
