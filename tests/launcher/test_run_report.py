"""The run report: what it says of every kind of run, and how it behaves in a real browser."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest

from contract.dataset import Sample, read_labels
from data_preparation.scripts.pack_dataset import main as main_of_pack
from launcher.report import main
from launcher.run_report.commands import package_code
from tests.chromium import Chromium
from tests.data_preparation.folders import dataset
from tests.documents import blocks, commands
from tests.launcher.following import BUCKET, JOB, RUN, TWICE_INTERRUPTED, call, request, service_of
from tests.launcher.run_folders import history, trained, write_log, write_model
from tests.launcher.running import ROOT
from tests.service import Service, capacity_error, curve, timeline, training

HOSTILE = [
    "<script>document.title='owned'</script>",
    "<img src=http://127.0.0.1:9/x onerror=alert(1)>",
    "\"'><b>&amp;",
    "\u202eevil\u202c",
    "a\u200bb\u00a0c\x07\x1b[31m",
    "e" + "\u0301" * 60,
    "العربية",
    "น้ำ ที่",
    "long " * 3000,
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def words(folder: Path) -> Path:
    """A dataset whose validation has 60 words."""
    return dataset(folder / "words", {"t.png": "abc"}, {f"{n}.png": f"word {n:02}" for n in range(60)})


@pytest.fixture(scope="module")
def home(folder: Path, words: Path) -> Path:
    """The folder of a run that was interrupted twice, whose model reads 3 for 8 and nothing of one word."""
    home = folder / "out/first"
    write_model(home / "model", read_labels(words / "val.txt").samples, read_three_for_eight)
    return home


def read_three_for_eight(label: str) -> str:
    return "" if label == "word 59" else label.replace("8", "3")


@pytest.fixture(scope="module")
def page(folder: Path, home: Path, words: Path) -> Path:
    assert main([str(home), "--dataset", str(words), "--output", str(folder / "page.html")]) == 0
    return folder / "page.html"


@pytest.fixture(scope="module")
def hostile(folder: Path) -> Path:
    """The page of a run whose files and folder are attacks wherever they can be."""
    home = folder / "<img src=x> \u202e&/run"
    samples = [Sample(f"images/{text[:40]}.png", text, line) for line, text in enumerate(HOSTILE, start=1)]
    bad = HOSTILE[0] + HOSTILE[3]
    write_model(
        home / "model",
        samples,
        lambda label: label[::-1],
        versions={"paddle": bad, "python": bad, "networks": bad, "device": bad},
        gpu=[{"name": bad, "device": 0}],
        dataset={"sha256": bad},
        pretrained={"file": bad, "head": bad, "new_characters": bad},
        config={
            "name": bad,
            "changes": [{"key": bad, "before": bad, "after": {"\x07" * 999: [bad]}, "reason": bad}] * 999,
        },
        export={"crops": 1, "paddleocr_model_name": '"); __import__("os").system("x'},
    )
    (home / "model/config.yml").write_text(f"# {bad}\n" + ("\x07" * 99 + "\n") * 999, encoding="utf-8")
    write_log(home / "job.log", [[*trained(10, 700), ("failed", {"reason": bad})]])
    assert main([str(home), "--output", str(folder / "hostile.html")]) == 0
    return folder / "hostile.html"


def section(page: Path, ident: str) -> str:
    """The text of one section, or of what stands before them."""
    text = page.read_text(encoding="utf-8")
    pattern = "<header>.*?</header>" if ident == "top" else rf'<section id="{ident}".*?</section>'
    found = re.search(pattern, text, re.DOTALL)
    assert found, ident
    return " ".join(re.sub(r"<[^>]*>", " ", found.group()).split())


# ---------------------------------------------------------------- what it says


def test_a_finished_run(page: Path) -> None:
    top = section(page, "top")
    assert "Finished: the model reads 88.3 % of the validation crops exactly" in top
    assert "Best at step 450 epoch 5 Steps 500" in top
    assert "Time of training 1:12:02" in top
    course = section(page, "curves")
    assert "taken up again 2 times, at step 120, 230" in course
    assert "Samples a second 800 median Waiting for data 2 %" in course
    text = page.read_text(encoding="utf-8")
    assert text.count('class="mark-line" x1="24.000%"') == text.count('class="mark-line" x1="46.000%"') == 2
    assert "Accuracy and CER on the validation set; Accuracy 9.5 % at step 50, 95 % at step 500" in text
    assert "5–8 88.3 % 53 of 60 3.1 %" in section(page, "scores")
    assert "10 characters of dict.txt that no training label has 1 2 3 4 5 6 7 8 9 §" in section(page, "scores")
    assert "8 3 6 46.2 % U+0038 digit eight U+0033 digit three" in section(page, "confusions")
    assert "8 6 0 % below 90 % 3 6×" in section(page, "characters")
    assert "Global.epoch_num 8 5 hyperparameter epochs" in section(page, "recipe")
    assert "1 more decision that changed nothing" in section(page, "recipe")
    assert "nothing was billed" in section(page, "cost")
    assert "0 Tesla T4 72 % 98 % 5,120 of 15,360 MB 66 °C not told" in section(page, "machine")
    assert "2 samples could not be used" in section(page, "data")
    assert "train.txt:7, train.txt:31" in section(page, "data")


def test_the_worst_crops_come_first_and_are_pictures(page: Path) -> None:
    worst = section(page, "worst")
    assert "7 of 60 validation crops are read wrong. These are the 7 worst" in worst
    read = re.findall(r"written (.*?) read (.*?) \d+ edits?, confidence (\d+ %)", worst)
    assert read[:2] == [("word 59", "nothing", "90 %"), ("word 08", "word 03", "91 %")]
    assert page.read_text(encoding="utf-8").count('src="data:image/webp;base64,') == 7


def test_a_packed_dataset_shows_the_same(page: Path, home: Path, words: Path, tmp_path: Path) -> None:
    packed, other = tmp_path / "packed", tmp_path / "page.html"
    assert main_of_pack([str(words), "--output-dir", str(packed)]) == 0
    assert main([str(home), "--dataset", str(packed), "--output", str(other)]) == 0
    assert other.read_bytes() == page.read_bytes()


def test_without_the_dataset_the_page_says_how_to_name_it(home: Path, tmp_path: Path) -> None:
    assert main([str(home), "--output", str(tmp_path / "page.html"), "--config-file", "/dev/null"]) == 0
    worst = section(tmp_path / "page.html", "worst")
    assert "The dataset is not at hand . With the folder of the dataset the page has their pictures:" in worst
    assert f"python -m launcher report {home} --dataset DATASET" in worst
    assert "images/59.png word 59 nothing 7 90 %" in worst


def test_pictures_of_another_dataset_are_not_shown(home: Path, tmp_path: Path) -> None:
    other = dataset(tmp_path / "other", {"t.png": "abc"}, {"59.png": "another word"})
    assert main([str(home), "--dataset", str(other), "--output", str(tmp_path / "page.html")]) == 0
    assert "is another dataset, or it has changed since" in section(tmp_path / "page.html", "worst")
    assert "<img" not in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_run_of_this_machine_finds_its_dataset_itself(words: Path, tmp_path: Path) -> None:
    """Only one that has a log: what a downloaded file names is nobody's folder here."""
    home = tmp_path / "mine"
    changes = [{"key": "Eval.dataset.data_dir", "before": "./x", "after": str(words), "reason": "the val samples"}]
    write_model(home / "model", read_labels(words / "val.txt").samples, str.upper, config={"changes": changes})
    for has_log, pictures in ((False, 0), (True, 50)):
        if has_log:
            write_log(home / "job.log", [[*trained(10, 500), ("done", {"step": 500})]])
        assert main([str(home)]) == 0
        assert (home / "report.html").read_text(encoding="utf-8").count("<img") == pictures


def test_what_is_to_be_copied_is_what_the_documents_show(
    words: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_model(Path("output/first/model"), read_labels(words / "val.txt").samples, str)
    assert main(["first"]) == 0
    found = re.findall(
        r'<div class="code"><pre>(.*?)</pre>', Path("output/first/report.html").read_text("utf-8"), re.DOTALL
    )
    shown = [unescape(re.sub(r"<[^>]*>", "", code)) for code in found]
    documents = (ROOT / "docs/using-the-model.md").read_text(encoding="utf-8") + (ROOT / "README.md").read_text("utf-8")
    assert len(shown) == 2
    for code in shown:
        assert code.replace(f"{tmp_path}/", "") in documents


def test_the_commands_of_its_document_run(words: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("webbrowser.open", lambda _: True)
    shutil.copytree(words, "mydata")
    for model in ("output/first/model", "path/to/a/model"):
        write_model(Path(model), read_labels(words / "val.txt").samples, str.upper)
    (block,) = blocks(ROOT / "docs/run-report.md")
    for command in commands(block.text):
        assert command[:4] == ["python", "-m", "launcher", "report"]
        assert main(command[4:]) == 0


def test_a_name_of_a_model_that_is_code_is_not_shown(hostile: Path) -> None:
    assert package_code(Path("m"), "en_PP-OCRv5_mobile_rec")
    assert package_code(Path("m"), '"); x("') is None
    assert "__import__" not in hostile.read_text(encoding="utf-8")
    assert "run.json has none that is one" in section(hostile, "use")


# ---------------------------------------------------------------- runs that did not end well


def test_a_run_that_failed_has_the_curve_of_all_its_attempts(tmp_path: Path) -> None:
    home = tmp_path / "broken"
    first = [("job", {"steps": 500, "epochs": 5}), *trained(10, 120), ("checkpoint", {"step": 100})]
    second = [("resume", {"step": 100, "epoch": 1}), *trained(110, 180), ("failed", {"reason": "the disk is full"})]
    write_log(home / "job.log", [first, second])
    assert main([str(home)]) == 0
    page = home / "report.html"
    assert "Failed the disk is full There is no model here" in section(page, "top")
    assert "Steps 180 of 500 Taken up again 1 time" in section(page, "top")
    assert re.findall(r'scope="row" class="number">(\d+)<', page.read_text("utf-8")) == [
        str(n) for n in range(10, 181, 10)
    ]
    assert 'id="worst"' not in page.read_text("utf-8")


def test_a_run_that_was_killed_has_not_ended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = tmp_path / "killed"
    write_log(home / "job.log", [[*trained(10, 30), ("done", {"step": 30})], trained(40, 60)])
    (home / "job.log").open("a").write('[ocr] event=train step=70 loss=0.1\n[ocr] event=failed reason="to')
    assert main([str(home), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown == {"run": "killed", "status": "unfinished", "page": str(home / "report.html"), "exit_code": 0}
    assert "Not ended, as far as is known" in section(home / "report.html", "top")
    assert "Steps 70" in section(home / "report.html", "top")


def test_checkpoints_alone_are_enough(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for step in (100, 200):
        checkpoint = tmp_path / f"saved/checkpoints/step-{step:09}"
        checkpoint.mkdir(parents=True)
        (checkpoint / "state.json").write_text(json.dumps({"history": history(step), "resumes": [40]}))
    (tmp_path / "saved/checkpoints/step-000000300").mkdir()
    (tmp_path / "saved/checkpoints/step-000000300/state.json").write_text('{"history": [')
    assert main([str(tmp_path / "saved")]) == 0
    assert "note: not used: " in capsys.readouterr().err
    assert "Accuracy 95 % CER 5 %" in section(tmp_path / "saved/report.html", "top")
    assert "at step 40" in section(tmp_path / "saved/report.html", "curves")


def test_a_model_of_an_earlier_start_is_called_so(words: Path, tmp_path: Path) -> None:
    home = tmp_path / "goes-on"
    write_model(home / "model", read_labels(words / "val.txt").samples, str, steps=300, status="stopped")
    write_log(home / "job.log", [[*trained(10, 420), ("interrupted", {"step": 420})]])
    assert main([str(home / "model")]) == 0, "the folder of the model means its run"
    top = section(home / "report.html", "top")
    assert "Stopped before its end The model is of step 300" in top
    assert "Steps 420" in top
    assert {path.name for path in (home / "model").iterdir()} >= {"run.json"}
    assert not (home / "model/report.html").exists()


def test_a_model_alone_has_its_page_in_the_current_folder(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(home / "model", tmp_path / "a-model")
    assert main(["./a-model"]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'report.html'}\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-model", "report.html"]


def test_a_file_of_an_older_version_lacks_sections_and_nothing_is_made_up(tmp_path: Path) -> None:
    model = tmp_path / "old/model"
    model.mkdir(parents=True)
    (model / "run.json").write_text('{"run": "old", "status": "finished", "best": {"acc": 0.5}, "config": {}}')
    assert main([str(tmp_path / "old")]) == 0
    text = (tmp_path / "old/report.html").read_text("utf-8")
    assert re.findall(r'<section id="(\w+)"', text) == ["curves", "use", "cost", "machine", "data"]
    assert "GPU" not in section(tmp_path / "old/report.html", "machine")


# ---------------------------------------------------------------- SageMaker


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Service]:
    monkeypatch.chdir(tmp_path)
    with service_of(monkeypatch) as service:
        service.make_bucket(BUCKET)
        yield service


def test_a_downloaded_run_says_what_it_cost_and_what_spot_saved(
    service: Service, words: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    service.seed(JOB, TWICE_INTERRUPTED, **request())
    service.run_to_end(JOB)
    home = tmp_path / "output" / RUN
    write_model(home / "model", read_labels(words / "val.txt").samples, str.upper)
    (home / "model.tar.gz.source").write_text("{}")
    assert call(service, "report", RUN) == 0
    page = home / "report.html"
    cost = section(page, "cost")
    assert cost.startswith("Cost An estimate: the time that SageMaker has billed")
    assert re.search(r"Cost \$0\.08\d+ an estimate Saved by Spot \$0\.19\d+ against", cost)
    assert re.search(rf"{JOB} Completed ml.g4dn.xlarge, Spot \d+:\d\d 5:\d\d 2 70 % \$0\.08", cost)
    assert "AWS Pricing API" in cost
    assert service.requests("DescribeTrainingJob")
    assert not service.requests("GetLogEvents"), "the model has the whole curve"

    for name in [name for name in service.environment if name.startswith("AWS_")]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    capsys.readouterr()
    assert main([RUN]) == 0
    assert "note: the page lacks what the run cost: " in capsys.readouterr().err
    assert "SageMaker could not be asked what it cost" in section(page, "cost")


def test_a_run_on_sagemaker_that_failed_has_its_page_from_its_logs(service: Service, tmp_path: Path) -> None:
    script = timeline(training(300, curve(1, 30, total=90)), capacity_error())
    service.seed(JOB, script, **request())
    service.run_to_end(JOB)
    service.clock.advance(60)
    assert call(service, "report", RUN) == 0
    page = tmp_path / "output" / RUN / "report.html"
    assert "Failed CapacityError" in section(page, "top")
    assert "Steps 30 of 90" in section(page, "top")
    assert "config rec/demo_digits.yml" in section(page, "recipe")


def test_a_run_that_is_nowhere_is_one_sentence(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(service, "report", "nobody") == 1
    error = capsys.readouterr().err
    assert "output/nobody holds no run, and SageMaker was asked in vain: there is no run and no job 'nobody'" in error
    assert error.count("\n") == 1


# ---------------------------------------------------------------- damaged files


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("run.json", '{\n "run": "r",\n "sta', "run.json:3: is no JSON (Unterminated string"),
        ("run.json", "[1]", "run.json:1: is no JSON object"),
        ("run.json", "[" * 100_000, "run.json:1: is no JSON that can be read"),
        ("run.json", '{"steps": ' + "9" * 5000 + "}", "run.json:1: is no JSON that can be read"),
        ("run.json", '{"steps": 1e400}', "run.json: 'steps' is not a whole number"),
        ("run.json", '{"steps": true}', "run.json: 'steps' is not a whole number"),
        ("run.json", '{"best": {"acc": "much"}}', "run.json: 'best.acc' is not a number"),
        ("run.json", '{"scores": {"by_length": {"a": 1}}}', "run.json: 'scores.by_length' is not a list"),
        ("run.json", '{"scores": {"by_script": {"Thai": 4}}}', "run.json: 'scores.by_script.Thai' is not an object"),
        ("run.json", '{"config": {"changes": [{"key": 4}]}}', "run.json: 'config.changes.0.key' is not a text"),
        ("run.json", b'{"run":\n "\xff"}', "run.json:2: is no UTF-8 text"),
        ("metrics.jsonl", '{"event": "train", "step": 1}\n{"ev', "metrics.jsonl:2: is no JSON"),
        ("metrics.jsonl", '{"event": "train", "step": 1, "loss": []}', "metrics.jsonl:1: 'loss' is not a number"),
        ("metrics.jsonl", '{"event": "train", "step": -1}', "metrics.jsonl:1: 'step' is not a whole number"),
        ("predictions.csv", "image,label\n", "predictions.csv:1: has no column 'prediction'"),
        ("predictions.csv", "HEAD\na,b,c,0.5,0,1\na,b\n", "predictions.csv:3: has too few columns"),
        ("predictions.csv", "HEAD\na,b,c,nan,0,1\n", "predictions.csv:2: the confidence 'nan' is not between"),
        ("predictions.csv", "HEAD\na,b,c,0.5,0,many\n", "predictions.csv:2: the edits 'many' are no whole number"),
        ("predictions.csv", "HEAD\n" + "x" * 200_000 + ",b,c,0.5,0,1\n", "predictions.csv:1: is no CSV (field larger"),
        ("predictions.csv", b"HEAD\n\xff,b,c,0.5,0,1\n", "predictions.csv:1: is no CSV"),
    ],
)
def test_a_damaged_file_is_one_sentence_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: str | bytes, said: str
) -> None:
    model = tmp_path / "r/model"
    write_model(model, [Sample("a.png", "abc", 1)], str)
    data = content.encode() if isinstance(content, str) else content
    (model / name).write_bytes(data.replace(b"HEAD", b"image,label,prediction,confidence,correct,edits"))
    assert main([str(tmp_path / "r")]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "r/report.html").exists()


def test_what_is_no_run_and_what_is_no_place_for_a_page(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    precious = tmp_path / "train.txt"
    precious.write_text("a.png\tlabel\n")
    for words, code, said in (
        ([f"{tmp_path}"], 1, "is the folder of no run and of no model: it has neither job.log, checkpoints/ nor"),
        ([f"{home}", "--output", f"{precious}"], 1, "exists and is no page: name another file"),
        (["x" * 300], 1, "cannot be read (File name too long): name another run"),
        ([f"{home}", "--output", "y" * 300], 1, "cannot be read (File name too long): name another file"),
        ([f"{home}", "--output", f"{precious}/page.html"], 2, "cannot be written (Not a directory): name another"),
        ([f"{home}", "--output", f"{tmp_path}"], 1, "is a folder: name a file in it"),
        ([f"{home}", "--output", f"{tmp_path}/none/page.html"], 2, "cannot be written (No such file or directory)"),
        ([f"{home}", "--dataset", f"{tmp_path}/none"], 1, "is no dataset: it has neither val.txt nor train.txt"),
    ):
        assert main(words) == code
        error = capsys.readouterr().err
        assert said in error
        assert error.count("\n") == 1
    assert precious.read_text() == "a.png\tlabel\n"
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    assert main([str(home), "--output", str(tmp_path / "a page.html"), "--open"]) == 0
    assert opened == [(tmp_path / "a page.html").as_uri()]


# ---------------------------------------------------------------- in a browser


def test_in_a_browser_nothing_of_a_run_runs_or_is_fetched(browser: Chromium, hostile: Path) -> None:
    assert hostile.stat().st_size < 3_000_000
    body = hostile.read_text(encoding="utf-8").partition("</title>")[2]
    assert not [each for each in "\u202e\u202c\u200b\x07\x1b" if each in body]
    browser.show(hostile)
    assert browser.complaints() == []
    assert browser.requests() == [hostile.as_uri()]
    assert browser.ask("document.title") == "Run report: run"
    assert browser.ask("document.querySelectorAll('script').length") == 1
    text = browser.ask("document.body.innerText")
    assert HOSTILE[0] in text
    assert "Failed" in text
    assert "\u202e" not in text


def test_a_narrow_screen_does_not_scroll_sideways(browser: Chromium, page: Path, hostile: Path) -> None:
    for each in (page, hostile):
        for width in (360, 1280):
            browser.show(each, width=width)
            browser.ask("document.querySelectorAll('details').forEach(each => each.open = true)")
            assert browser.ask("document.documentElement.scrollWidth") == width
            assert browser.beyond() == []


def test_everything_is_reached_by_keyboard(browser: Chromium, page: Path) -> None:
    browser.show(page)
    browser.press("Tab")
    browser.press("Enter")
    assert browser.ask("document.activeElement.id") == "content"
    seen = []
    while not (seen and seen[-1].startswith("config.yml")):
        browser.press("Tab")
        seen.append(
            browser.ask("document.activeElement.getAttribute('aria-label') || document.activeElement.innerText")
        )
        assert browser.ask("getComputedStyle(document.activeElement).outlineStyle") != "none", seen
        assert len(seen) < 60, seen
    assert {"The figures", "Crops by length of their label", "Characters and their readings", "below 90 %"} <= set(seen)
    browser.press("Enter")
    assert browser.ask("document.activeElement.parentElement.open")


@pytest.mark.parametrize(("dark", "width"), [(False, 1280), (True, 360)])
def test_axe_finds_nothing(browser: Chromium, page: Path, dark: bool, width: int) -> None:
    browser.show(page, dark=dark, width=width)
    faults = browser.faults()
    assert not faults, "\n".join(faults)


def test_axe_finds_nothing_where_the_worst_crops_are_a_table(browser: Chromium, home: Path, tmp_path: Path) -> None:
    assert main([str(home), "--output", str(tmp_path / "page.html")]) == 0
    browser.show(tmp_path / "page.html")
    faults = browser.faults()
    assert not faults, "\n".join(faults)


def test_lines_of_curves_have_other_colours_in_the_dark(browser: Chromium, page: Path) -> None:
    strokes = set()
    for dark in (False, True):
        browser.show(page, dark=dark)
        strokes.add(browser.ask("getComputedStyle(document.querySelector('.line-1')).stroke"))
    assert len(strokes) == 2


def test_a_screen_reader_is_told_what_each_part_is(browser: Chromium, page: Path) -> None:
    browser.show(page)
    assert browser.nameless() == []
    images = [node["name"] for node in browser.tree() if node["role"] in ("image", "img")]
    assert [name for name in images if name.startswith("Loss of training; Loss ")]
    assert "the crop that is number 1 of the worst" in images
