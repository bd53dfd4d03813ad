"""What the cells of the notebook call: the verbs with their own flags, and pages and pictures in the cell."""

from __future__ import annotations

import base64
import contextlib
import importlib
import io
import json
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

from contract.starting import EXIT_CTRL_C
from data_preparation.page.markup import Markup, element

CHILD = "container"  # it needs paddle, which this process does without
PICTURES_BYTES = 2_000_000  # in the cell, and so in the notebook when it is saved
GALLERY = """
.readings ul { display: flex; flex-wrap: wrap; gap: 12px; padding: 0; list-style: none }
.readings img { height: 48px; width: auto; max-width: 320px; object-fit: contain }
"""


class VerbFailed(Exception):
    """A verb that ended with another code than 0. It ends the cell, and with it "Run all", with this sentence alone."""

    def _render_traceback_(self) -> list[str]:
        """IPython's hook: people have read above what is wrong."""
        return [f"{self}"]


def verb(command: str, *words: object, fails: bool = True) -> str:
    """Do `python -m COMMAND WORDS…`, show in the cell what it says, and return what it printed on stdout.

    command: the module, a blank and the verb, such as "launcher submit". What --json prints is for programs and not
    shown. Raises VerbFailed, unless told not to.
    """
    module, *arguments = [*command.split(), *map(str, words)]
    print("$", shlex.join(["python", "-m", module, *arguments]), flush=True)
    answer = io.StringIO()
    code = _in_a_child(module, arguments, answer) if module == CHILD else _here(module, arguments, answer)
    if "--json" not in arguments:
        print(answer.getvalue(), end="", flush=True)
    if code == EXIT_CTRL_C:
        raise VerbFailed(f"{command} was stopped: run the cell again to go on")
    if code and fails:
        raise VerbFailed(f"{command} ended with exit code {code}: what it says above is the reason")
    return answer.getvalue()


def _here(module: str, arguments: list[str], answer: IO[str]) -> int:
    """In the kernel, so that the live view finds the cell. Lines for people come on stdout: cells redden stderr."""
    main = importlib.import_module(f"{module}.__main__").main
    with contextlib.redirect_stderr(sys.stdout), contextlib.redirect_stdout(answer):
        return main(arguments)


def _in_a_child(module: str, arguments: list[str], answer: IO[str]) -> int:
    command = [sys.executable, "-m", module, *arguments]
    utf8 = os.environ | {"PYTHONUTF8": "1"}  # a pipe on Windows has the code page
    with tempfile.TemporaryFile() as printed:
        with subprocess.Popen(command, env=utf8, stdout=printed, stderr=subprocess.PIPE) as child:
            assert child.stderr is not None
            for line in child.stderr:
                print(line.decode("utf-8", "replace"), end="", flush=True)
        printed.seek(0)
        answer.write(printed.read().decode("utf-8", "surrogateescape"))  # names of files are any bytes
    return child.returncode


def show_page(path: Path | str, height: int = 640) -> None:
    """A page of ours in the cell, as it stands: it needs no other file and no server.

    As an address of its own (data:), because links inside a `srcdoc` lead to the notebook.
    """
    from IPython.display import HTML, display

    style = f"width: 100%; height: {height}px; border: 1px solid #9aa5b1"
    page = base64.b64encode(Path(path).read_bytes()).decode()
    frame = element("iframe", src=f"data:text/html;charset=utf-8;base64,{page}", style=style)
    display(HTML(element("div", frame)))


def show_readings(answer: str) -> None:
    """The pictures that `container predict --json` has read, each with its text and the confidence."""
    from IPython.display import HTML, display

    from data_preparation.page.pictures import Album, gallery

    album = Album(budget=PICTURES_BYTES)
    pictures = []
    for line in answer.splitlines():
        found = json.loads(line)
        image = Path(found["image"])
        text = element("div", found["text"] or "(nothing)", style="font-weight: bold")
        said = element("div", f"{found['confidence']:.0%} · {image.name}")
        pictures.append(album.picture(image.read_bytes(), f"reads {found['text'] or 'nothing'}", text, said))
    display(HTML(element("div", element("style", Markup(GALLERY)), gallery(*pictures), class_="readings")))
