"""The compiled part of the input pipeline: built where it can be, with what there is, whole or not at all."""

from __future__ import annotations

import ctypes
import shutil
import sys
from pathlib import Path

import pytest

from container.trainer.pipeline.native import build

CC = shutil.which("cc") or "cc"


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    found = [tmp_path / "first" / "pixels.so", tmp_path / "second" / "pixels.so"]
    monkeypatch.setattr(build, "_places", lambda: found)
    build.library.cache_clear()
    yield found
    build.library.cache_clear()


def test_the_first_compiler_that_can_makes_it_in_the_first_place_that_can_be_written(places: list[Path]):
    places[0].parent.write_text("a file where the folder should be")
    broken = [sys.executable, "-c", "import sys; sys.exit(1)"]
    assert build.build([broken, [CC]]) == places[1]
    assert ctypes.CDLL(str(places[1])).warp
    assert [path.name for path in places[1].parent.iterdir()] == ["pixels.so"]


def test_without_a_compiler_there_is_none_and_nothing_is_left(places: list[Path], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(places[0].parent))
    assert build.library() is None
    assert list(places[0].parent.iterdir()) == []


def test_a_machine_without_a_compiler_is_told_what_that_means(
    places: list[Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("PATH", str(places[0].parent))
    monkeypatch.setattr(build, "COMPILER", places[0].parent / "no-such-list.txt")
    assert build.main() == 1
    assert capsys.readouterr().err.endswith("install a C compiler and run this again\n")


def test_the_name_follows_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    before = [place.name for place in build._places()]
    changed = tmp_path / "pixels.c"
    changed.write_bytes(build.SOURCE.read_bytes() + b"\n")
    monkeypatch.setattr(build, "SOURCE", changed)
    assert [place.name for place in build._places()] != before
