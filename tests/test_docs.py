"""The documents say what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from contract.hyperparameters import TABLE
from launcher.docs import render
from launcher.flags import KEYS, SUBMIT
from launcher.settings import load_settings
from launcher.sources import gather

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("data_preparation/*.md")])


def test_the_page_of_commands_is_the_parsers_own() -> None:
    assert (ROOT / "docs/cli.md").read_text(encoding="utf-8").strip() == render().strip(), "run `make docs`"
    assert all(f"`{row.flag}`" in render() for row in TABLE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_each_problem_of_paddleocr_names_tests_that_exist() -> None:
    page = (ROOT / "docs/paddleocr-problems.md").read_text(encoding="utf-8")
    problems = re.split(r"^## ", page, flags=re.MULTILINE)[1:]
    assert [problem.partition(".")[0] for problem in problems] == [str(number) for number in range(1, 26)]
    for problem in problems:
        assert all(part in problem for part in ("- **PaddleOCR** ", "- **Here** ", "- **Shown by** ")), problem
        named = re.findall(r"`(tests/\S+\.py)::(\w+)`", problem.partition("- **Shown by** ")[2])
        assert named or "**no test" in problem, problem
        for file, test in named:
            assert re.search(rf"^def {test}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE), test


@pytest.mark.parametrize("page", ["README.md", "README.th.md"])
def test_the_readme_names_files_verbs_and_recipes_that_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for verb in set(re.findall(r"^make (\w+)", text, re.MULTILINE)):
        assert f"\n{verb}:" in makefile
    for script in set(re.findall(r"python (\S+\.py)", text)):
        assert (ROOT / script).is_file()
    for recipe in set(re.findall(r"rec/\w+\.yml", text)):
        assert (ROOT / "configs" / recipe).is_file()


def test_both_readmes_show_the_same_commands() -> None:
    blocks = [
        re.findall(r"```bash\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
        for page in ("README.md", "README.th.md")
    ]
    commands = [[line.split("#")[0].strip() for line in "\n".join(each).splitlines()] for each in blocks]
    assert [line for line in commands[0] if line] == [line for line in commands[1] if line]


def test_every_key_of_the_example_settings_is_read(tmp_path: Path) -> None:
    """Also those that it shows as comments; their values are good ones."""
    text = (ROOT / "configs/launcher.example.yml").read_text(encoding="utf-8")
    shown = re.sub(r"^# (?=[a-z_]+:|  )", "", text, flags=re.MULTILINE)
    (tmp_path / "launcher.yml").write_text(shown, encoding="utf-8")
    keys = set(re.findall(r"^([a-z_]+):", shown, re.MULTILINE))
    assert {"region", "bucket", "role", "instance", "spot", "max_cost", "tags", "epochs"} <= keys <= set(KEYS)
    given = gather(SUBMIT, [], {}, tmp_path)
    assert {key for key in keys if key in SUBMIT.by_key} == {
        key for key, each in given.items() if each.origin == "launcher.yml"
    }
    settings = load_settings([], {}, tmp_path)
    assert settings.cloud is not None
    assert settings.cloud.max_cost == 5
    assert dict(settings.cloud.tags) == {"team": "ocr"}
