"""The commands of the quick start do what it says, with its folders, and both languages have the same."""

from __future__ import annotations

import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest

from tests.data_preparation.folders import REPOSITORY, crops

ROOM = REPOSITORY / "data_preparation"


def commands(page: str) -> list[list[str]]:
    """The words of every command that runs a script."""
    blocks = re.findall(r"```bash\n(.*?)```", (ROOM / page).read_text(encoding="utf-8"), re.DOTALL)
    lines = [line for line in "".join(blocks).splitlines() if line.startswith("python scripts/")]
    return [shlex.split(line, comments=True)[1:] for line in lines]


def test_both_languages_have_the_same_commands() -> None:
    assert commands("QUICKSTART.md") == commands("QUICKSTART.th.md")
    assert all((ROOM / script).is_file() for script, *_ in commands("QUICKSTART.md"))


def test_the_commands_do_what_the_quick_start_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crops(tmp_path / "input/images", [f"{number}.png" for number in range(6)])
    (tmp_path / "input/labels").mkdir()
    lines = "".join(f"{number}.png\tคำที่ {number % 2}\n" for number in range(6))
    (tmp_path / "input/labels/labels.txt").write_text(lines, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for script, *words in commands("QUICKSTART.md"):
        if any(name in script for name in ("dictionary", "s3")):
            continue  # those need a PaddleOCR tree, or AWS
        words = [word for word in words if word != "--open"]
        assert import_module(f"data_preparation.scripts.{Path(script).stem}").main(words) == 0, script
    made = {path.relative_to(tmp_path / "output").as_posix() for path in (tmp_path / "output").glob("*/*.txt")}
    assert {"mydata/train.txt", "mydata/dict.txt", "cleaned/train.txt"} <= made
    assert (tmp_path / "output/report.html").is_file()
    assert (tmp_path / "output/cleaned/fixes.csv").is_file()


@pytest.mark.parametrize("folder", ["input/images", "input/labels", "output"])
def test_the_folders_exist_in_a_clone_and_git_leaves_what_is_in_them(folder: str) -> None:
    assert (ROOM / folder / ".gitignore").read_text() == "*\n!.gitignore\n"
