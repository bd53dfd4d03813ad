"""The documents say what is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from contract.events import EVENTS, METRIC_DEFINITIONS
from contract.hyperparameters import TABLE
from contract.machine import GIB
from contract.memory import largest_batch, sample_bytes
from contract.paths import MODEL_FILES
from contract.recipe import CONFIGS, load_recipe
from data_preparation.__main__ import VERBS as DATA_VERBS
from launcher.cloud.expected import SHOWN
from launcher.cloud.instances import instance_facts
from launcher.cloud.prices import TABLE as PRICES
from launcher.command_line import _SAID
from launcher.docs import render
from launcher.flags import KEYS, SUBMIT, VERBS
from launcher.messages import PAGE as TROUBLESHOOTING
from launcher.messages import sentences, with_messages
from launcher.settings import load_settings
from launcher.sources import gather
from tests.documents import PAGES, ROOT, anchors, links, name_of, text_of

HOSTS = {"arxiv.org", "aws.amazon.com", "github.com"}  # of others; nothing here asks them


def test_the_page_of_commands_is_the_parsers_own() -> None:
    assert (ROOT / "docs/cli.md").read_text(encoding="utf-8").strip() == render().strip(), "run `make docs`"
    assert all(f"`{row.flag}`" in render() for row in TABLE)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    """To files and headings that are there, or to few hosts of others."""
    for target in links(page):
        address = urlsplit(target)
        if address.scheme:
            assert (address.scheme, address.hostname) in {("https", host) for host in HOSTS}, target
            continue
        file = (page.parent / address.path).resolve() if address.path else page
        assert file.exists(), f"{name_of(page)} links to {target}"
        if address.fragment:
            assert address.fragment in anchors(file), f"{name_of(page)} links to {target}"


def test_every_page_is_reached_from_the_readme() -> None:
    reached, new = set(), {ROOT / "README.md"}
    while new:
        reached |= new
        found = {(page.parent / urlsplit(target).path).resolve() for page in new for target in links(page)}
        new = {page for page in found if page.suffix == ".md"} - reached
    assert {name_of(page) for page in set(PAGES) - reached} == {".github/copilot-instructions.md"}


def test_both_readmes_list_the_same_pages_in_the_same_order() -> None:
    listed = [
        re.findall(r"\]\(([^)]+)\)", "".join(re.findall(r"^- \*\*.+?(?=^## |^- )", text, re.MULTILINE | re.DOTALL)))
        for text in (text_of(ROOT / name).partition("\n## ")[0] + "\n## " for name in ("README.md", "README.th.md"))
    ]
    assert listed[0] == listed[1]
    pages = {name_of(page) for page in PAGES if page.parts[-2] in ("docs", "iam", "data_preparation")}
    assert pages <= set(listed[0])


# ---------------------------------------------------------------- everything is told somewhere


def test_every_message_is_on_the_page_of_troubleshooting() -> None:
    page = text_of(TROUBLESHOOTING)
    said = [sentence for _, sentence in sentences()] + [re.sub(r"\\\d", "…", ours) for _, ours in _SAID]
    missing = [sentence for sentence in said if sentence not in page]
    assert not missing, f"run `make docs`: {missing[:5]}"
    assert with_messages(page) == page, "run `make docs`: the page has messages that nobody says any more"


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        ("contract/dataset.py", "…:…: the file is not UTF-8: save it as UTF-8"),  # a plain raise
        ("container/diagnosis.py", "the machine's memory is full (…): …, or a bigger instance"),  # made by a function
        ("contract/shards.py", "copy shards/ once more from where it is whole, or pack the images again"),  # a constant
        (
            "contract/check.py",
            "the space ' ' (U+0020) … and the recipe leaves it out; add -o Global.use_space_char=true",
        ),
        ("setup.sh", "venv/ is there but is no virtual environment: move it away and run this again."),
    ],
)
def test_messages_are_found_however_they_are_made(file: str, sentence: str) -> None:
    assert (file, sentence) in set(sentences())


def test_every_verb_event_metric_and_file_of_the_model_is_documented() -> None:
    made = {"docs/cli.md", "docs/troubleshooting.md"}  # from the source, so they have all
    prose = "".join(text_of(page) for page in PAGES if name_of(page) not in made)
    assert {verb for verb in VERBS if not re.search(rf"\blauncher[ .]{verb}\b", prose)} == set()
    assert {verb for verb in DATA_VERBS if not re.search(rf"\bdata_preparation {verb}\b", prose)} == set()
    architecture, using = text_of(ROOT / "docs/architecture.md"), text_of(ROOT / "docs/using-the-model.md")
    table = architecture.partition("## Event lines")[2].partition("\n## ")[0]
    rows = " ".join(line.split("|")[1] for line in table.splitlines() if line.startswith("| `"))
    assert set(re.findall(r"`(\w+)`", rows)) == set(EVENTS)
    assert all(f"`{metric['Name']}`" in table for metric in METRIC_DEFINITIONS)
    files = using.partition("## What is in `model/`")[2]
    assert all(re.search(rf"`{re.escape(name)}/?`", files) for name in MODEL_FILES)
    told = "".join(line.split("|")[1] for line in files.partition("| key of `run.json`")[2].splitlines() if "|" in line)
    assert set(re.findall(r"`(\w+)`", told)) == {"run", *keys_of_run_json()}


def keys_of_run_json() -> set[str]:
    source = ast.parse(text_of(ROOT / "container/trainer/run_facts.py"))
    made = next(
        node.value for node in ast.walk(source) if isinstance(node, ast.Return) and isinstance(node.value, ast.Dict)
    )
    return {key.value for key in made.keys}


def test_every_variable_that_a_job_or_its_launcher_reads_is_documented() -> None:
    within = {"OCR_LIFELINE_FD", "OCR_RANK_FILES"}  # from one process of ours to another
    read = {
        name
        for room in ("contract", "container", "data_preparation", "launcher")
        for path in (ROOT / room).rglob("*.py")
        for name in re.findall(r"\"(OCR_[A-Z_]+|PADDLEOCR_HOME)\"", text_of(path))
    }
    told = set(re.findall(r"\b[A-Z]+_[A-Z_]+\b", " ".join(map(text_of, PAGES))))
    assert read - within <= told


def test_files_that_pages_name_exist() -> None:
    made = {"requirements/gpu-cu126.lock", "launcher/NAME.py", "container/trainer/pipeline/native/built/"}
    rooms = "contract|container|launcher|data_preparation|tests|benchmarks|requirements|image"
    for page in PAGES:
        for file in set(re.findall(rf"`((?:{rooms})/[\w./-]*)`", text_of(page))) - made:
            assert (ROOT / file).exists(), f"{name_of(page)} names {file}"
        for recipe in re.findall(r"`(rec/[\w./-]+\.yml)`", text_of(page)):
            assert (CONFIGS / recipe).is_file(), f"{name_of(page)} names {recipe}"


def test_hours_on_a_cpu_follow_from_what_was_measured() -> None:
    measured = re.findall(
        r"^\| `(\S+?)` \|(?:[^|]*\|){5} ([\d.]+) \|", text_of(ROOT / "docs/configuration-guide.md"), re.MULTILINE
    )
    assert len(measured) == 7
    for recipe, seconds in measured:
        hours = float(seconds) * 1_000_000 / 3600
        row = f"| `{recipe}` | {seconds} | {hours:.1f} | {hours / 2:.1f} h |"
        assert row in text_of(ROOT / "docs/cost-guide.md")


def test_the_figures_of_the_cost_guide_are_those_of_the_code() -> None:
    page = text_of(ROOT / "docs/cost-guide.md")
    prices = yaml.safe_load(text_of(PRICES))
    assert str(prices["dated"]) in page
    rows = re.findall(r"^\| `(ml\.\S+)` \| ([\d.]+) \| (\S+) \| (.+) \|$", page, re.MULTILINE)
    assert {name: float(price) for name, price, _, _ in rows} == prices["per_hour"]
    for name, price, each, machine in rows:
        facts = instance_facts(name)
        assert machine == str(facts)
        assert each == (f"{float(price) / facts.gpus + 1e-9:.2f}" if facts.gpus else "–")
    cards = [int(SHOWN * memory * GIB) for memory in (16, 24, 48)]
    for path in (CONFIGS / "rec").rglob("*.yml"):
        recipe = load_recipe(path)
        batch = recipe["Train"]["loader"]["batch_size_per_card"]
        fits = [largest_batch(card, sample_bytes(recipe, 100, half=True) or 0) for card in cards]
        row = f"| `{path.name}` | {batch} | {' | '.join(map(str, fits))} |"
        assert row in page or path.name == "demo_digits.yml"


def test_the_problem_log_has_dates_and_tests_that_exist() -> None:
    problems = re.split(r"^## ", text_of(ROOT / "docs/problem-log.md"), flags=re.MULTILINE)[1:]
    dates = [problem.partition(":")[0] for problem in problems]
    assert dates == sorted(dates, reverse=True)
    assert all(re.fullmatch(r"20\d\d-\d\d-\d\d", date) for date in dates)
    for problem in problems:
        assert all(f"- **{part}** " in problem for part in ("Problem", "Cause", "Cure", "Shown by")), problem
        shown = problem.partition("- **Shown by** ")[2]
        named = re.findall(r"`(tests/\S+?\.py)(?:::(\w+))?`", shown)
        assert named or "**no test**" in shown, problem
        for file, test in named:
            assert re.search(rf"^def {test}", text_of(ROOT / file), re.MULTILINE), (file, test)


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
