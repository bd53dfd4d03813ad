"""The validator and a corpus of bad input: every item gets the right kind at the right line, and nothing breaks."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from data_preparation.scripts.validate_data import main
from tests.data_preparation.folders import REPOSITORY, dataset
from tests.faults.bad_items import UNKNOWN, Item, crop, encoded, items

RECIPE = "rec/rec_mv3_none_bilstm_ctc.yml"
MOST_MEMORY = 512 * 1024  # KiB


@dataclass(frozen=True)
class Verdict:
    """What a validator in a process of its own came to."""

    exit_code: int
    found: dict[str, Any]
    said: str
    peak_kib: int

    @property
    def kinds(self) -> dict[str, set[str]]:
        """Those at each place."""
        kinds = defaultdict(set)
        for each in [*self.found["problems"], *self.found["warnings"]]:
            kinds[each["where"]].add(each["kind"])
        return kinds


# The peak as the kernel counts it from exec on: wait4 would also count what the tests' own process had at the fork.
MEASURED = """
import resource, sys
from pathlib import Path
from data_preparation.__main__ import main
code = main(sys.argv[2:])
own = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
Path(sys.argv[1]).write_text(str(max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)))
sys.exit(code)
"""


def validate(folder: Path, *flags: str) -> Verdict:
    """A hang or a crash fails here."""
    peak = folder.parent / f"{folder.name}.peak"
    command = [sys.executable, "-c", MEASURED, str(peak), "validate", str(folder), "--json", *flags]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=False)
    return Verdict(done.returncode, json.loads(done.stdout), done.stderr.decode(), int(peak.read_text()))


def write_corpus(folder: Path, corpus: list[Item]) -> None:
    (folder / "images").mkdir(parents=True)
    lines = []
    for item in corpus:
        path = folder / "images" / item.name
        if isinstance(item.image, bytes):
            path.write_bytes(item.image)
        elif item.image is not None:
            item.image(path)
        lines.append(f"images/{item.name}\t{item.label}" if item.line is None else item.line)
    (folder / "train.txt").write_bytes("".join(line + "\n" for line in lines).encode())
    (folder / "images/val.png").write_bytes(encoded(crop(500), "PNG"))
    (folder / "val.txt").write_text("images/val.png\tabc\nimages/once.png\tabc\nimages/sound.png\tbca\n")
    characters = sorted(set("".join(item.label for item in corpus)) - {*UNKNOWN, " "})
    (folder / "dict.txt").write_bytes("".join(character + "\n" for character in characters).encode())


@pytest.fixture(scope="module")
def verdict(tmp_path_factory: pytest.TempPathFactory) -> Verdict:
    folder = tmp_path_factory.mktemp("corpus") / "data"
    write_corpus(folder, items())
    return validate(folder, "--config", RECIPE)


def test_every_item_is_told_by_kind_and_line(verdict: Verdict) -> None:
    corpus = items()
    assert len(corpus) > 200
    found = verdict.kinds
    wrong = {
        item.name[:40]: (sorted(item.kinds), sorted(found[f"train.txt:{line}"]))
        for line, item in enumerate(corpus, start=1)
        if item.kinds != found[f"train.txt:{line}"]
    }
    assert wrong == {}
    assert found["val.txt:2"] == {"leak"}
    assert found["val.txt:3"] == {"leak", "contradiction"}


def test_nothing_breaks_and_little_memory_is_used(verdict: Verdict) -> None:
    assert verdict.exit_code == 1
    assert verdict.peak_kib < MOST_MEMORY
    assert "Traceback" not in verdict.said
    assert not [noise for noise in ("libpng", "[ WARN", "[ERROR") if noise in verdict.said]
    assert max(map(len, verdict.said.splitlines())) < 500, "a line of 1 MB is shown shortened"


def test_kinds_are_counted_with_their_severity(verdict: Verdict) -> None:
    lines = [item.kinds for item in items()]
    for kind, about in verdict.found["kinds"].items():
        if kind in ("leak", "contradiction"):  # val.txt has some too
            continue
        assert about["count"] == sum(kind in kinds for kinds in lines), kind
        assert len(about["examples"]) == min(5, about["count"]), kind
    errors = {kind for kind, about in verdict.found["kinds"].items() if about["severity"] == "error"}
    assert errors == {problem["kind"] for problem in verdict.found["problems"]}


LONG_LABELS = ("a" * 26, "ab" * 20, "ab" * 500_000)


def test_labels_that_a_recipe_cannot_take(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = {f"{number}.png": label for number, label in enumerate(("ab", *LONG_LABELS))}
    folder = dataset(tmp_path / "data", names, {"v.png": "ab"})
    assert main([str(folder), "--config", RECIPE, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert {kind: about["count"] for kind, about in found["kinds"].items()} == {"too long": 3, "too wide": 3}
    assert {each["where"] for each in found["problems"]} == {"train.txt:4"}, "the longest is named"
    assert found["overrides"] == [], "no recipe takes a million code points"
    assert all("shorten it or delete its line" in each["remedy"] for each in found["problems"])


def _put(name: str, data: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(data)


def _instead(name: str, make: Callable[[Path], object]) -> Callable[[Path], object]:
    def spoil(folder: Path) -> None:
        (folder / name).unlink()
        make(folder / name)

    return spoil


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2_000_000_000)


LINE = "images/1.png\tก\n"
BAD_FILES: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "no train": (lambda folder: (folder / "train.txt").unlink(), "file", "train.txt"),
    "no val": (lambda folder: (folder / "val.txt").unlink(), "file", "val.txt"),
    "no dictionary": (lambda folder: (folder / "dict.txt").unlink(), "file", "dict.txt"),
    "folder": (_instead("train.txt", Path.mkdir), "file", "train.txt"),
    "pipe": (_instead("train.txt", os.mkfifo), "file", "train.txt"),
    "pipe for a dictionary": (_instead("dict.txt", os.mkfifo), "file", "dict.txt"),
    "link to nowhere": (_instead("val.txt", lambda path: path.symlink_to("none")), "file", "val.txt"),
    "2 GB": (_instead("train.txt", _huge), "file", "train.txt"),
    "empty": (_put("train.txt", b""), "empty", "train.txt"),
    "mark alone": (_put("train.txt", b"\xef\xbb\xbf"), "empty", "train.txt"),
    "UTF-16": (_put("train.txt", LINE.encode("utf-16")), "file", "train.txt:1"),
    "UTF-16, other order": (_put("train.txt", b"\xfe\xff" + LINE.encode("utf-16-be")), "file", "train.txt:1"),
    "UTF-16 without mark": (_put("train.txt", LINE.encode("utf-16-le")), "file", "train.txt:1"),
    "Thai Windows": (_put("train.txt", b"images/1.png\tab\n" + LINE.encode("cp874")), "file", "train.txt:2"),
    "lone surrogate": (_put("val.txt", b"images/v.png\ta\xed\xa0\x80b\n"), "file", "val.txt:1"),
    "overlong": (_put("val.txt", b"images/v.png\ta\xc0\x80b\n"), "file", "val.txt:1"),
    "packed": (_put("train.txt", b"\x1f\x8b\x08\0" + bytes(30)), "file", "train.txt:1"),
    "NULs": (_put("train.txt", bytes(30)), "file", "train.txt:1"),
    "line ends of old Macs": (
        _put("train.txt", b"images/1.png\tab\rimages/2.png\tab\r"),
        "bad character",
        "train.txt:1",
    ),
    "blank dictionary": (_put("dict.txt", b"\n\n \n"), "file", "dict.txt"),
    "dictionary in UTF-16": (_put("dict.txt", "a\nb\n".encode("utf-16")), "file", "dict.txt:1"),
    "dictionary of words": (_put("dict.txt", b"ab\n" * 5000 + b"a\n"), "character", "train.txt:1"),
}


@pytest.mark.timeout(30)
@pytest.mark.parametrize("case", BAD_FILES)
def test_every_bad_file_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str) -> None:
    spoil, kind, where = BAD_FILES[case]
    folder = dataset(tmp_path / "data", {"1.png": "ab", "2.png": "ba"})
    spoil(folder)
    assert main([str(folder), "--json"]) == 1
    out, said = capsys.readouterr()
    found = json.loads(out)["problems"]
    assert (kind, where) in {(each["kind"], each["where"]) for each in found}
    assert len(said.splitlines()) < 40


def test_every_kind_is_in_the_page_of_the_format(verdict: Verdict) -> None:
    """And the page names no kind that nothing raises."""
    page = (REPOSITORY / "docs/data-format.md").read_text(encoding="utf-8")
    tables = page.partition("### Problems\n")[2].partition("### A cleaned copy\n")[0]
    rows = re.findall(r"^\| `([a-z -]+)` \|", tables, re.MULTILINE)
    raised = {kind for item in items() for kind in item.kinds} | {kind for _, kind, _ in BAD_FILES.values()}
    elsewhere = {
        "too long",
        "too wide",
        "leak",
        "near-duplicate",
        "untaught character",
        "shards",
        "refused",
    }  # tested by themselves
    assert sorted(rows) == sorted(raised | elsewhere)
