"""The commands in the documents exist, and one path of each document runs."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from container.__main__ import IN_THE_TRAINER
from contract.errors import UserError
from data_preparation import cli
from data_preparation.__main__ import VERBS as DATA_VERBS
from data_preparation.__main__ import script_of
from data_preparation.scripts import create_demo_data
from launcher.command_line import parse_flags
from launcher.docs import render
from launcher.flags import VERBS
from tests.documents import PAGES, ROOT, RUN, blocks, commands, name_of, spoken, text_of

BLOCKS = [block for page in PAGES for block in blocks(page)]
RUNNABLE = [block for block in BLOCKS if block.mark == RUN]

# Programs of others, which nobody here can check.
OTHERS = {".", "aws", "cd", "cp", "docker", "mkdir", "pip", "rm"}
SETUP_FLAGS = set(re.findall(r"^#   bash setup\.sh (--\w+)", text_of(ROOT / "setup.sh"), re.MULTILINE))
TARGETS = set(re.findall(r"^([a-z-]+):", text_of(ROOT / "Makefile"), re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_commands_of_a_page_exist(page: Path) -> None:
    for block in blocks(page):
        for words in commands(block.text):
            check(words)
    for words in spoken(page):
        check(words, whole=False)


@pytest.mark.parametrize("page", [page for page in PAGES if page.name.endswith(".th.md")], ids=name_of)
def test_a_page_in_thai_has_the_commands_of_the_one_in_english(page: Path) -> None:
    english = page.with_name(page.name.replace(".th.md", ".md"))
    thai = [words for block in blocks(page) for words in commands(block.text)]
    assert thai == [words for block in blocks(english) for words in commands(block.text)]


@pytest.mark.parametrize(
    "wrong",
    [
        "python -m launcher sumbit --dataset x",
        "python -m launcher.submit --datset x",
        "python -m data_preparation convert --input-images x",
        "python -m data_preparation validate x | head && make smok",
        "python -m benchmarks.nothing",
        "python -m pytest tests/nothing.py",
        "bash setup.sh --lunch",
        "x=$(python -m container predit)",
        "conda install x",
    ],
)
def test_a_command_that_does_not_exist_is_found(wrong: str) -> None:
    with pytest.raises((AssertionError, UserError)):
        list(map(check, commands(wrong)))


def check(words: list[str], whole: bool = True) -> None:
    """Raises for a verb, flag or script that is not there. whole: all that the command needs is there too."""
    program, *rest = words
    if Path(program).name in ("python", "python.exe"):
        check_python(rest, whole)
    elif program == "make":
        wanted = {word for word in rest if "=" not in word and not word.startswith("-")}
        assert wanted <= TARGETS, f"make {wanted - TARGETS}"
    elif words[:2] == ["bash", "setup.sh"]:
        assert set(rest[1:]) <= SETUP_FLAGS, words
    else:
        assert program in OTHERS, f"{program}: neither ours nor known"


def check_python(words: list[str], whole: bool) -> None:
    if words[0] == "-c":
        ast.parse(words[1])
        return
    if words[0].endswith(".py"):
        script = next(
            (path for path in (ROOT / words[0], ROOT / "data_preparation" / words[0]) if path.is_file()), None
        )
        assert script, words
        verb = next(name for name, module in DATA_VERBS.items() if module == script.stem)
        words = ["-m", "data_preparation", verb, *words[1:]]
    assert words[0] == "-m", words
    room, _, verb = words[1].partition(".")
    rest = words[2:]
    if room == "launcher" and (verb in VERBS or not verb):
        verb, rest = (verb, rest) if verb else (rest[0], rest[1:])
        assert verb in VERBS or verb.isupper(), f"no verb {verb}"
        if verb in VERBS:
            check_flags(verb, rest, whole)
    elif words[1] == "data_preparation":
        if rest and (whole or rest[0] in DATA_VERBS):
            check_data_flags(rest, whole)
    elif words[1] == "container":
        assert not rest or rest[0] in ("train", "fetch-tree", *IN_THE_TRAINER), words
    elif words[1] == "pytest":
        assert all((ROOT / word.partition("::")[0]).exists() for word in rest if word.startswith("tests/")), words
    elif room in ("benchmarks", "launcher", "container"):
        assert (ROOT / words[1].replace(".", "/")).with_suffix(".py").is_file() or words[1].endswith("NAME"), words
    else:
        assert words[1] in ("pip",), words


def check_flags(verb: str, rest: list[str], whole: bool) -> None:
    if "--help" in rest:
        return
    if whole:
        parse_flags(VERBS[verb], rest)
        return
    known = {name for flag in VERBS[verb].flags for name in flag.flags}
    assert {word.partition("=")[0] for word in rest if word.startswith("--")} <= known, (verb, rest)


def check_data_flags(rest: list[str], whole: bool) -> None:
    if "--help" in rest:
        return
    verb, *rest = rest
    assert verb in DATA_VERBS, f"no verb {verb}"
    if whole:
        parser = cli.Parser()
        script_of(verb).add_arguments(parser)
        parser.parse_args(rest)
    else:
        known = (render().partition(f"\n### data {verb}\n")[2]).partition("\n### ")[0]
        assert all(f"`{word.partition('=')[0]}`" in known for word in rest if word.startswith("--")), (verb, rest)


# ---------------------------------------------------------------- one path of each document


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_with_commands_has_a_path_that_is_run(page: Path) -> None:
    """Here, by the test that it names (`<!-- run by tests/FILE.py::TEST -->`), or because CI begins so."""
    marks = [block.mark for block in blocks(page) if block.mark]
    assert marks or not blocks(page), f"{name_of(page)} has commands and none is marked"
    for mark in marks:
        if mark not in (RUN, "<!-- run by .ci/run -->"):
            file, test = re.fullmatch(r"<!-- run by (tests/\S+\.py)::(\w+) -->", mark).groups()
            assert re.search(rf"^def {test}\(", text_of(ROOT / file), re.MULTILINE), mark


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
@pytest.mark.parametrize("block", RUNNABLE, ids=lambda block: block.page)
def test_the_marked_path_runs(block, tmp_path: Path) -> None:
    """As it stands, in a folder with what a reader has: crops, a dataset, an old training folder."""
    lay_out(tmp_path, block.text)
    tools = tmp_path / ".bin"
    tools.mkdir()
    (tools / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')  # a link would leave its environment
    (tools / "python").chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "OCR_"))}
    environment |= {"PATH": f"{tools}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    environment |= {"BROWSER": "true"}  # `--open` opens nothing
    environment |= {"AWS_EC2_METADATA_DISABLED": "true", "AWS_SHARED_CREDENTIALS_FILE": "none", "HOME": str(tmp_path)}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.text],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("documents") / "demo"
    assert create_demo_data.main(["--output-dir", str(folder), "--count", "12", "--kinds", "digits"]) == 0
    return folder


@pytest.fixture(autouse=True)
def _a_readers_folder(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    if "block" in request.fixturenames:
        (tmp_path / ".demo").symlink_to(request.getfixturevalue("demo"))


def lay_out(folder: Path, script: str) -> None:
    """What the block reads and does not make itself."""
    demo = folder / ".demo"
    if "train_data" in script:  # PaddleOCR's own layout
        shutil.copytree(demo / "images", folder / "train_data/rec/images")
        for split, name in (("train", "rec_gt_train.txt"), ("val", "rec_gt_test.txt")):
            shutil.copy(demo / f"{split}.txt", folder / "train_data/rec" / name)
        shutil.copy(demo / "dict.txt", folder / "train_data/dict.txt")
        return
    for dataset in ("mydata", "dataset"):
        if re.search(rf"\b{dataset}\b", script) and not re.search(rf"--output-dir {dataset}(?![\w-])", script):
            shutil.copytree(demo, folder / dataset)
    if "crops" in script:
        shutil.copytree(demo / "images", folder / "crops")
        lines = text_of(demo / "train.txt") + text_of(demo / "val.txt")
        (folder / "labels.txt").write_text(lines.replace("images/", ""), encoding="utf-8")
