"""What people see while a job runs."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Progress as Bar

from launcher.cloud.logs import LogLine
from launcher.cloud.view import CellJobView
from launcher.follow import PlainView, TerminalView, event_of
from launcher.notebook_view import CellView
from launcher.progress import Progress, clock, describe_event
from launcher.summary import continue_command
from tests.launcher.running import ROOT, SCRIPTED, call, container_pid, hear_hangups, log_of


def train(step: int, **more: object) -> dict[str, object]:
    return {"event": "train", "step": step, "epoch": 1, "loss": 0.5, "samples_per_s": 100.0, **more}


def test_the_eta_is_this_attempts_own_pace() -> None:
    progress = Progress()
    progress.update({"event": "job", "steps": 110, "epochs": 11, "batch_size": 10}, now=0)
    progress.update(train(10), now=100)
    assert progress.eta_s == pytest.approx(100 * 10 / 100)  # nothing measured yet: the trainer's samples/s
    progress.update(train(20), now=120)
    assert progress.eta_s == pytest.approx(90 * 2)
    progress.begin_attempt()
    progress.update(train(50), now=500)
    progress.update(train(60), now=510)
    assert progress.eta_s == pytest.approx(50)
    progress.update(train(110), now=600)
    progress.update({"event": "phase", "name": "exporting", "step": 110}, now=601)
    assert (progress.eta_s, progress.status) == (None, "exporting")


def test_the_eta_counts_evaluations_and_is_not_said_when_no_training_is_left() -> None:
    progress = Progress()
    progress.update({"event": "job", "steps": 100, "epochs": 10, "batch_size": 10}, now=0)
    progress.update({"event": "phase", "name": "evaluating", "step": 20}, now=1)  # one that a stop had cut short
    assert progress.eta_s is None  # the pace is not known yet, and an evaluation says nothing about it
    progress.update({"event": "eval", "step": 20, "acc": 0.1}, now=30)
    progress.update(train(30), now=40)
    progress.update(train(40), now=50)
    progress.update({"event": "phase", "name": "evaluating", "step": 40}, now=50)
    assert progress.eta_s == pytest.approx(60)
    progress.update({"event": "eval", "step": 40, "acc": 0.5}, now=70)
    assert progress.eta_s == pytest.approx(60 * 3)
    progress.update({"event": "phase", "name": "exporting", "step": 40}, now=71)  # patience: the end comes early
    assert progress.eta_s is None
    progress.begin_attempt()
    assert progress.eta_s is None  # the step is not known yet


def test_the_status_follows_the_events() -> None:
    progress = Progress()
    seen = [progress.status]
    progress.hear(0)
    seen.append(progress.status)
    for event in (
        {"event": "job", "steps": 9},
        {"event": "resume", "step": 3, "epoch": 1},
        train(4),
        {"event": "phase", "name": "evaluating", "step": 4},
        {"event": "eval", "step": 4, "acc": 0.5},
        {"event": "phase", "name": "exporting", "step": 4},
        {"event": "interrupted", "step": 4},
    ):
        progress.update(event, 0)
        seen.append(progress.status)
    assert seen == [
        *("starting", "checking data", "training", "resuming"),
        *("training", "evaluating", "training", "exporting", "interrupted"),
    ]


def test_plain_lines_are_few_and_readable(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    stream = io.StringIO()
    view = PlainView(stream)
    view.line("a line of the container")
    for step in range(1, 101):  # ten steps a second
        now[0] += 0.1
        view.line(f"[ocr] event=train step={step} epoch=1 loss=0.41 lr=0.0005 samples_per_s=812 reader_share=0.02")
    view.line("[ocr] event=eval step=100 acc=0.5 cer=0.25 norm_edit_dis=0.75")
    lines = stream.getvalue().splitlines()
    assert lines[0] == "a line of the container"
    assert lines[1] == "step 1 · epoch 1 · loss 0.41 · 812 samples/s"
    assert lines[-1] == "evaluated at step 100 · accuracy 0.5000 · CER 0.2500"
    assert len(lines) <= 4


def test_the_use_of_all_gpus_is_one_figure_beside_the_training() -> None:
    stream = io.StringIO()
    view = PlainView(stream)
    for device, use in ((0, 90), (1, 71.5)):
        view.line(f"[ocr] event=gpu device={device} utilization={use} memory_used_mb=9216 memory_total_mb=15360")
    assert stream.getvalue() == ""
    view.line("[ocr] event=train step=1 epoch=1 loss=0.41 lr=0.0005 samples_per_s=812 reader_share=0.02")
    assert stream.getvalue() == "step 1 · epoch 1 · loss 0.41 · 812 samples/s · GPU 81 %\n"


def test_a_torn_event_line_is_an_ordinary_line() -> None:
    assert event_of('[ocr] event=failed reason="the dis') is None
    assert event_of("[ocr] event=train step=1e") is None
    assert event_of("[ocr] event=train step=12") == {"event": "train", "step": 12}


def test_an_event_that_says_little_is_described_all_the_same() -> None:
    assert describe_event({"event": "new", "name": "x"}, Progress()) == "new · name x"
    assert describe_event({"event": "interrupted", "step": 0}, Progress()) == "stopped"
    assert describe_event(train(1, loss=float("nan")), Progress(loss=float("nan"), step=1)) == "step 1 · loss nan"
    assert (clock(65), clock(7389)) == ("1:05", "2:03:09")


def test_a_reason_is_left_to_the_container_and_the_summary() -> None:
    plain, stream = io.StringIO(), io.StringIO()
    bar = Bar(console=Console(file=stream, width=120))
    for view in (PlainView(plain), TerminalView(stream, bar)):
        view.line("checking")
        view.line("error: no.txt is missing")
        view.line('[ocr] event=failed reason="no.txt is missing"')
        view.close(well=False)
    assert plain.getvalue() == "checking\nerror: no.txt is missing\n"
    assert stream.getvalue().count("no.txt is missing") == 1
    assert "checking" in stream.getvalue()  # the rest of the tail


def test_the_command_that_continues() -> None:
    argv = ("--instance", "process", "--run", "x", "--fresh", "--interrupt-after=3s", "--epochs", "3", "-o", "A.b=c d")
    assert continue_command(argv, "x") == (
        "python -m launcher.submit --instance process --epochs 3 -o 'A.b=c d' --run x"
    )


def test_the_bar_says_what_happens_now() -> None:
    stream = io.StringIO()
    bar = Bar(console=Console(file=stream, force_terminal=True))
    view = TerminalView(stream, bar)
    shown = []
    for line in (
        "[ocr] event=job steps=60",
        "[ocr] event=train step=30 epoch=1",
        "[ocr] event=phase name=evaluating step=30",
        "[ocr] event=eval step=30 acc=0.5 cer=0.2 norm_edit_dis=0.8",
        "[ocr] event=phase name=exporting step=60",
    ):
        view.line(line)
        shown.append((bar.tasks[0].description, bar.tasks[0].completed))
    assert shown == [("training", 0), ("training", 30), ("evaluating", 30), ("training", 30), ("exporting", 60)]
    assert "phase" not in stream.getvalue()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_terminal_gets_a_bar(tmp_path: Path) -> None:
    launcher, terminal = start_on_terminal(tmp_path, steps=60)
    shown = b""
    try:
        while piece := os.read(terminal, 4096):
            shown += piece
    except OSError:  # Linux: EIO at the end
        pass
    assert os.waitstatus_to_exitcode(os.waitpid(launcher, 0)[1]) == 0
    text = shown.decode()
    assert "training" in text
    assert "60/60" in text
    assert "evaluated at step 10" in text
    assert "scripted container" not in text  # in job.log
    assert "run r is done" in text


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_terminal_that_is_closed_stops_the_job_with_a_checkpoint(tmp_path: Path) -> None:
    launcher, terminal = start_on_terminal(tmp_path, steps=1000)
    container_pid(tmp_path)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(launcher, 0)[1]) == 130
    assert "event=interrupted" in log_of(tmp_path)


def start_on_terminal(tmp_path: Path, steps: int) -> tuple[int, int]:
    """submit as the only process of a new terminal: its process id and the terminal's other end."""
    import pty

    command = (sys.executable, str(SCRIPTED), "--steps", str(steps), "--pause", "0.02")
    code = f"import sys; from launcher.submit import main; sys.exit(main({call(tmp_path)!r}, {command!r}))"
    pid, terminal = pty.fork()
    if pid == 0:
        hear_hangups()
        os.environ.update({"PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "140"})
        os.execv(sys.executable, [sys.executable, "-c", code])
    return pid, terminal


class Place:
    """What a cell shows at one place, and how often it was changed."""

    def __init__(self, data: dict[str, object]) -> None:
        self.data, self.changes = data, 0

    def update(self, data: dict[str, object], **_more: object) -> None:
        self.data, self.changes = data, self.changes + 1


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> list[Place]:
    """The places of a notebook's cell."""
    places: list[Place] = []

    def display(data: dict[str, object], **_more: object) -> Place:
        places.append(Place(data))
        return places[-1]

    monkeypatch.setattr("IPython.display.display", display)
    return places


def test_a_cell_shows_figures_and_one_curve_over_an_interruption(cell: list[Place]) -> None:
    stream = io.StringIO()
    view = CellView(stream)
    words, picture = cell
    view.begin_attempt()
    view.line("a line of the container")
    view.line("[ocr] event=job steps=60 train=9 val=9 epochs=2 batch_size=1")
    for step in (10, 20, 30):
        view.line(f"[ocr] event=train step={step} epoch=1 loss=0.5 lr=0.1 samples_per_s=9 reader_share=0")
    view.begin_attempt()
    view.line("[ocr] event=resume step=20 epoch=1")
    view.line("[ocr] event=eval step=60 epoch=2 acc=0.5 cer=0.2 norm_edit_dis=0.8")
    view.close(well=True)
    assert "done  step 60/60  epoch 2/2  loss 0.5  acc 0.500  CER 0.200" in str(words.data["text/plain"])
    assert bytes(picture.data["image/png"]).startswith(b"\x89PNG")  # type: ignore[arg-type]
    assert picture.changes == 2  # the first at once, then not before it is worth its time, and at the end
    assert stream.getvalue().splitlines() == [
        "job: 9 training and 9 validation samples · 60 steps · 2 epochs · batch 1",
        "resuming from step 20 (epoch 1)",
        "evaluated at step 60 · accuracy 0.5000 · CER 0.2000",
    ]


def test_a_cell_shows_what_a_job_on_sagemaker_said_before_it_was_watched(cell: list[Place]) -> None:
    view = CellJobView(io.StringIO())
    view.phase, view.money = "training", "$0.12 so far"
    view.begin_attempt()
    for text in ("[ocr] event=job steps=60", "[ocr] event=train step=10 loss=0.5"):
        view.remember(LogLine(1000, "job/algo-1", text))
    view.caught_up()
    view.close(well=True)
    words, picture = cell
    assert str(words.data["text/plain"]).split("  ") == ["training", "step 10/60", "loss 0.5", "$0.12 so far"]
    assert "image/png" in picture.data


def test_a_cell_goes_on_with_the_curve_of_an_earlier_start(cell: list[Place], tmp_path: Path) -> None:
    log = tmp_path / "job.log"
    log.write_text("launcher: T container of run x started (process 1)\n[ocr] event=train step=10 loss=0.5\n")
    alone, joined = CellView(io.StringIO()), CellView(io.StringIO())
    joined.recall(log)
    for view in (alone, joined):
        view.begin_attempt()
        view.line("[ocr] event=resume step=10 epoch=1")
        view.line("[ocr] event=train step=20 epoch=1 loss=0.4")
        view.close(well=True)
    pictures = [place.data["image/png"] for place in cell[1::2]]
    assert len(pictures) == 2
    assert pictures[0] != pictures[1]
