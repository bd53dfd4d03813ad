"""What Windows does otherwise, as far as it can be had anywhere: code pages, separators, line ends, missing signals."""

from __future__ import annotations

import ast
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from data_preparation.scripts import convert_data, validate_data

ROOT = Path(__file__).parents[1]
ROOMS = ("contract", "data_preparation", "launcher")


@pytest.fixture
def crops(tmp_path: Path) -> Path:
    from PIL import Image

    for number in range(4):
        (tmp_path / "crops/ชุด 1").mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (60 + number, 20), (200, 10 * number, 0)).save(tmp_path / f"crops/ชุด 1/{number}.png")
    return tmp_path / "crops"


def write_labels(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def test_labels_as_windows_writes_them(crops: Path, tmp_path: Path):
    """Byte order mark, CRLF, backslashes, drive letters."""
    lines = [
        f"{folder}ชุด 1\\{number}.png\tน้ำ{number}" for number, folder in enumerate(("", ".\\", "C:\\crops\\", "D:/x/"))
    ]
    labels = write_labels(tmp_path / "labels.txt", "\ufeff" + "\r\n".join(lines) + "\r\n")
    dataset = tmp_path / "dataset"
    arguments = ["--input-images", str(crops), "--input-labels", str(labels), "--output-dir", str(dataset)]
    assert convert_data.main(arguments) == 0
    texts = [(dataset / name).read_bytes() for name in ("train.txt", "val.txt", "dict.txt", "dataset.json")]
    assert not any(b"\r" in text or b"\\" in text or b"\xef\xbb\xbf" in text for text in texts)
    assert sorted(line.partition("\t")[2] for text in texts[:2] for line in text.decode().splitlines()) == [
        f"น้ำ{number}" for number in range(4)
    ]
    assert validate_data.main([str(dataset)]) == 0


@pytest.mark.parametrize("page", ["cp874", "cp1252"])
def test_data_is_utf8_whatever_the_code_page(crops: Path, tmp_path: Path, page: str):
    dataset = tmp_path / "dataset"
    labels = write_labels(
        tmp_path / "labels.txt", "".join(f"ชุด 1/{number}.png\tน้ำ\u200b…{number}\n" for number in range(4))
    )
    commands = [
        ["convert", "--input-images", str(crops), "--input-labels", str(labels), "--output-dir", str(dataset)],
        ["dictionary", "build", str(dataset)],
        ["validate", str(dataset), "--json"],
    ]
    answers = []
    for command in commands:
        done = subprocess.run(
            [sys.executable, "-m", "data_preparation", *command],
            cwd=ROOT,
            env=os.environ | {"PYTHONIOENCODING": page, "PYTHONUTF8": "0"},
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode(page, "replace")
        assert b"Traceback" not in done.stderr
        answers.append(done.stdout.decode("utf-8"))
    assert "\u0e33\n" in answers[1]
    assert json.loads(answers[2])["ok"] is True


def test_the_launcher_too_answers_in_utf8(tmp_path: Path):
    (tmp_path / "launcher.yml").write_text("dataset: ข้อมูล\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "launcher.submit", "--show-config"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
    )
    assert b"Traceback" not in done.stderr
    assert "ข้อมูล" in done.stdout.decode("utf-8"), done


def test_nobody_counts_on_signals_that_windows_lacks(monkeypatch: pytest.MonkeyPatch):
    from launcher.ctrl_c import listen_for_stop
    from launcher.entry import every_stop_is_ctrl_c

    monkeypatch.delattr(signal, "SIGHUP")
    with listen_for_stop(), every_stop_is_ctrl_c():
        pass


def test_what_setup_bat_asks_python_in_a_folder_that_the_code_page_lacks(tmp_path: Path):
    """The lines of Python in setup.bat, in a folder, with output in a code page without its letters."""
    asked = dict(
        re.findall(r'^set "(\w+)=(import .*)"$', (ROOT / "setup.bat").read_text(encoding="utf-8"), re.MULTILINE)
    )
    folder = tmp_path / "R&D งาน"
    (folder / "venv").mkdir(parents=True)
    (folder / "a.lock").write_bytes(b"a==1")

    def ask(name: str, *words: str) -> tuple[int, str]:
        environment = {**os.environ, "PYTHONIOENCODING": "cp1252"}
        command = [sys.executable, "-c", asked[name], *words]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert not done.stderr
        return done.returncode, done.stdout

    assert ask("FITS") == (0, "")
    key = ask("KEY", "a.lock")
    assert key[0] == 0
    assert key == ask("KEY", "a.lock")
    (folder / "a.lock").write_bytes(b"a==2")
    assert key != ask("KEY", "a.lock")
    assert ask("STAYED") == (0, "")  # of a venv/ that was not finished by this script
    assert ask("MARK") == (0, "")
    assert ask("STAYED") == (0, "")
    folder = folder.rename(tmp_path / "moved")
    assert ask("STAYED") == (1, "")


READER = """
import time
try:
    print("reads", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    raise SystemExit(130)
"""


def test_what_the_container_starts_in_its_place_is_waited_for():
    """os.execv returns to the shell at once there, with 0."""
    program = (
        "import sys; from container.__main__ import in_its_place;"
        "raise SystemExit(in_its_place([sys.executable, '-c', sys.argv[1]], platform='win32'))"
    )
    command = [sys.executable, "-c", program, "print('read'); raise SystemExit(7)"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (7, "read\n", "")
    if sys.platform == "win32":  # Ctrl-C cannot be sent to others alone
        return
    command[-1] = READER
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as starter:
        assert starter.stdout is not None
        assert starter.stderr is not None
        assert starter.stdout.readline() == "reads\n"
        os.killpg(starter.pid, signal.SIGINT)
        assert starter.wait() == 130
        assert starter.stderr.read() == ""


def test_text_is_written_with_an_encoding_and_the_same_line_ends_everywhere():
    """Text mode writes CRLF on Windows unless it is told otherwise, and the code page unless it is named."""
    found = []
    for path in (path for room in ROOMS for path in (ROOT / room).rglob("*.py")):
        for call in (
            node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)
        ):
            named = {keyword.arg for keyword in call.keywords}
            if not {"encoding", "newline"} <= named and writes_text(call):
                found.append(f"{path.relative_to(ROOT)}:{call.lineno}")
            if "encoding" not in named and isinstance(call.func, ast.Attribute) and call.func.attr == "read_text":
                found.append(f"{path.relative_to(ROOT)}:{call.lineno}")
    assert found == []


def writes_text(call: ast.Call) -> bool:
    if isinstance(call.func, ast.Attribute) and call.func.attr == "write_text":
        return True
    name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    if name != "open":
        return False
    modes = [argument.value for argument in call.args if isinstance(argument, ast.Constant)]
    return any(mode in ("w", "a", "x") for mode in modes)
