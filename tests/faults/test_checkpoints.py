"""Checkpoints under every kind of damage, and a process that dies at every step of publishing one."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from container.checkpoints import (
    FORMAT,
    MANIFEST,
    OPTIMIZER,
    STATE,
    WEIGHTS,
    best_checkpoint,
    choose_checkpoint,
    damage,
    publish,
)


def save(folder: Path, step: int, extra: int = 0) -> Path:
    """Publish a checkpoint whose files say their step."""

    def write(staging: Path) -> None:
        (staging / WEIGHTS).write_bytes(f"weights of {step}".encode() * 100 + bytes(extra))
        (staging / OPTIMIZER).write_bytes(f"moments of {step}".encode() * 200)
        (staging / STATE).write_text(json.dumps({"format": FORMAT, "step": step}))

    return publish(folder, step, write)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# ---------------------------------------------------------------- damage


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def manifest(change: Callable[[dict], object]) -> Callable[[Path], None]:
    def spoil(checkpoint: Path) -> None:
        content = json.loads((checkpoint / MANIFEST).read_text())
        change(content)
        (checkpoint / MANIFEST).write_text(json.dumps(content) + "\n")

    return spoil


def state(change: Callable[[dict], object]) -> Callable[[Path], None]:
    """Another state under a manifest that vouches for it, as another version might have written it."""

    def spoil(checkpoint: Path) -> None:
        content = json.loads((checkpoint / STATE).read_text())
        change(content)
        data = json.dumps(content).encode()
        (checkpoint / STATE).write_bytes(data)
        entry = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        manifest(lambda content: content["files"].update({STATE: entry}))(checkpoint)

    return spoil


def rename_to_outside(content: dict) -> None:
    content["files"]["../outside"] = content["files"][WEIGHTS]


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "weights cut": (lambda path: truncate(path / WEIGHTS), "model.pdparams has another size"),
    "optimizer cut": (lambda path: truncate(path / OPTIMIZER), "model.pdopt has another size"),
    "weights emptied": (lambda path: os.truncate(path / WEIGHTS, 0), "model.pdparams has another size"),
    "a bit of the weights": (lambda path: flip(path / WEIGHTS), "model.pdparams has another sha256"),
    "a bit of the optimizer": (lambda path: flip(path / OPTIMIZER), "model.pdopt has another sha256"),
    "a bit of the state": (lambda path: flip(path / STATE), "state.json has another sha256"),
    "weights deleted": (lambda path: (path / WEIGHTS).unlink(), "model.pdparams is missing"),
    "optimizer deleted": (lambda path: (path / OPTIMIZER).unlink(), "model.pdopt is missing"),
    "state deleted": (lambda path: (path / STATE).unlink(), "state.json is missing"),
    "manifest deleted": (lambda path: (path / MANIFEST).unlink(), "MANIFEST.json is missing"),
    "manifest cut": (lambda path: truncate(path / MANIFEST), "MANIFEST.json or state.json is not one"),
    "manifest emptied": (lambda path: (path / MANIFEST).write_text(""), "MANIFEST.json or state.json is not one"),
    "manifest of noise": (
        lambda path: (path / MANIFEST).write_bytes(bytes(range(256))),
        "MANIFEST.json or state.json is not one",
    ),
    "manifest a list": (
        lambda path: (path / MANIFEST).write_text("[1, 2]\n"),
        "MANIFEST.json or state.json is not one",
    ),
    "files a list": (manifest(lambda content: content.update(files=["model.pdparams"])), "manifest"),
    "files a number": (manifest(lambda content: content.update(files=3)), "MANIFEST.json or state.json is not one"),
    "another size": (
        manifest(lambda content: content["files"][WEIGHTS].update(size=1)),
        "model.pdparams has another size",
    ),
    "no size": (
        manifest(lambda content: content["files"][WEIGHTS].pop("size")),
        "MANIFEST.json or state.json is not one",
    ),
    "optimizer unlisted": (manifest(lambda content: content["files"].pop(OPTIMIZER)), "lacks model.pdopt"),
    "a file outside": (manifest(rename_to_outside), "the manifest names '../outside'"),
    "another format": (manifest(lambda content: content.update(format=99)), "format 99, this version reads 1"),
    "no format": (manifest(lambda content: content.pop("format")), "MANIFEST.json or state.json is not one"),
    "a state of another step": (state(lambda content: content.update(step=19)), "step 19"),
    "a state of another format": (state(lambda content: content.update(format=2)), "format 2"),
    "a state without its step": (state(lambda content: content.pop("step")), "state.json is not one"),
    "a folder for weights": (lambda path: [(path / WEIGHTS).unlink(), (path / WEIGHTS).mkdir()], "model.pdparams"),
}


@pytest.mark.parametrize("case", DAMAGES)
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(tmp_path: Path, case: str):
    spoil, reason = DAMAGES[case]
    save(tmp_path, 10)
    newest = save(tmp_path, 20)
    spoil(newest)
    assert reason in (damage(newest) or "sound")
    said: list[str] = []
    chosen = choose_checkpoint(tmp_path, said.append)
    assert chosen
    assert chosen.step == 10
    assert len(said) == 1
    assert said[0].startswith("checkpoint step-000000020 is damaged (")
    assert newest.exists(), "what is damaged is left for people to look at"


def test_a_thousand_bit_flips_and_cuts_are_all_seen(tmp_path: Path):
    """One flipped bit, or a cut at any place, in any of the four files."""
    checkpoint = save(tmp_path, 10)
    originals = {path: path.read_bytes() for path in sorted(checkpoint.iterdir())}
    draw = random.Random(1)
    unseen = []
    for turn in range(1000):
        path = draw.choice(list(originals))
        data = bytearray(originals[path])
        place = draw.randrange(len(data))
        if turn % 3:
            data[place] ^= 1 << draw.randrange(8)
        else:
            del data[place:]
        path.write_bytes(data)
        if damage(checkpoint) is None:
            unseen.append((path.name, place, turn % 3))
        path.write_bytes(originals[path])
    assert unseen == []
    assert damage(checkpoint) is None


def test_no_checkpoint_is_chosen_when_all_are_damaged_or_none_exists(tmp_path: Path):
    said: list[str] = []
    assert choose_checkpoint(tmp_path / "never made", said.append) is None
    truncate(save(tmp_path, 1) / WEIGHTS)
    assert choose_checkpoint(tmp_path, said.append) is None
    assert len(said) == 2
    assert said[1] == "no sound checkpoint is left: the run starts from the beginning"


def test_other_names_are_no_checkpoints(tmp_path: Path):
    save(tmp_path, 3)
    for name in ("step-5", "step-000000009.bak", "step-000000008.sagemaker-uploading", "latest"):
        (tmp_path / name).mkdir()
    (tmp_path / "step-000000007").write_text("a file")
    chosen = choose_checkpoint(tmp_path, print)
    assert chosen
    assert chosen.step == 3


# ---------------------------------------------------------------- best/


def test_the_best_model_stands_in_when_every_newer_one_is_damaged(tmp_path: Path):
    save(tmp_path / "best", 15)
    save(tmp_path, 10)
    truncate(save(tmp_path, 20) / WEIGHTS)
    chosen = choose_checkpoint(tmp_path, print)
    assert chosen
    assert chosen.path == tmp_path / "best/step-000000015"


def test_of_two_of_one_step_the_plain_one_is_used(tmp_path: Path):
    save(tmp_path / "best", 20)
    save(tmp_path, 20)
    chosen = choose_checkpoint(tmp_path, print)
    assert chosen
    assert chosen.path == tmp_path / "step-000000020"


def test_the_best_checkpoint_is_the_newest_sound_one_under_best(tmp_path: Path):
    assert best_checkpoint(tmp_path, print) is None
    save(tmp_path / "best", 5)
    flip(save(tmp_path / "best", 9) / OPTIMIZER)
    save(tmp_path, 30)
    best = best_checkpoint(tmp_path, print)
    assert best
    assert best.step == 5


# ---------------------------------------------------------------- publishing


def test_the_two_newest_stay(tmp_path: Path):
    for step in (1, 2, 3, 9, 10):
        save(tmp_path, step)
    assert names(tmp_path) == ["step-000000009", "step-000000010"]


def test_a_damaged_checkpoint_does_not_count_among_the_two_that_stay(tmp_path: Path):
    save(tmp_path, 1)
    truncate(save(tmp_path, 2) / WEIGHTS)
    save(tmp_path, 3)
    assert names(tmp_path) == ["step-000000001", "step-000000003"]


def test_leftovers_are_removed_by_the_next_start(tmp_path: Path):
    save(tmp_path, 1)
    for name in (".tmp-000000002-123", ".tmp-old-step-000000000-7", "best/.tmp-000000002-9"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / WEIGHTS).write_bytes(b"half")
    choose_checkpoint(tmp_path, print)
    assert names(tmp_path) == ["best", "step-000000001"]
    assert names(tmp_path / "best") == []


def test_publishing_a_step_again_replaces_it_as_a_whole(tmp_path: Path):
    first = save(tmp_path, 7)
    before = {path.name: path.stat().st_ino for path in first.iterdir()}
    assert save(tmp_path, 7) == first
    assert damage(first) is None
    assert not {path.stat().st_ino for path in first.iterdir()} & set(before.values()), "no file is rewritten"
    assert [path.name for path in tmp_path.iterdir()] == [first.name]


def test_publishing_a_damaged_step_again_repairs_it(tmp_path: Path):
    truncate(save(tmp_path, 7) / WEIGHTS)
    assert damage(save(tmp_path, 7)) is None
    assert names(tmp_path) == ["step-000000007"]


def test_a_writer_that_fails_publishes_nothing(tmp_path: Path):
    save(tmp_path, 1)

    def write(staging: Path) -> None:
        (staging / WEIGHTS).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        publish(tmp_path, 2, write)
    assert names(tmp_path) == ["step-000000001"]


@pytest.mark.parametrize("name", ["fsync", "rename"])
def test_a_failing_disk_never_leaves_half_a_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str):
    """os.fsync or a rename fails at its first call, at its second, and so on until none is left to fail."""
    place: object = os if name == "fsync" else Path
    real = getattr(place, name)
    failed = 0
    for turn in range(50):
        folder = tmp_path / str(turn)
        for step in (10, 20):
            save(folder, step)
        calls = 0

        def fail(*arguments: object, turn: int = turn) -> object:
            nonlocal calls
            calls += 1
            if calls == turn + 1:
                raise OSError(5, "Input/output error")
            return real(*arguments)

        with monkeypatch.context() as patch:
            patch.setattr(place, name, fail)
            try:
                save(folder, 30)
            except OSError:
                failed += 1
        assert_sound(folder, before=20, after=30)
        if calls <= turn:
            break
    else:
        pytest.fail("it never came to an end")
    assert failed >= {"fsync": 5, "rename": 2}[name]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("again", [False, True], ids=["a new step", "a step whose checkpoint is damaged"])
def test_a_process_killed_before_any_of_its_file_operations_leaves_sound_checkpoints(tmp_path: Path, again: bool):
    """kill -9 before the first file operation of a save, before the second, and so on to the last: whatever is
    opened, written, flushed, made, renamed or removed. Writes are also killed when they are half done."""
    step = 20 if again else 30
    for old in (10, 20):
        save(tmp_path / "before", old)
    if again:
        flip(tmp_path / "before/step-000000020" / WEIGHTS)
    turn, operations = 0, []
    while not operations:
        folder = tmp_path / str(turn)
        shutil.copytree(tmp_path / "before", folder)
        operations = killed_at(turn, lambda folder=folder: save(folder, step, extra=300_000))
        assert_sound(folder, before=10 if again else 20, after=step)
        turn += 1
    count = {kind: operations.count(kind) for kind in set(operations)}
    assert turn == len(operations) + 1, "every operation had its turn"
    assert count["write"] >= 4, "three files and the manifest"
    assert count["fsync"] >= 6, "the files, the manifest, the staging folder and the one above it"
    assert count["os.rename"] >= 2, "the old checkpoint out of sight, the new one into its place"


def killed_at(turn: int, work: Callable[[], object]) -> list[str]:
    """Do the work in a child that kills itself before its operation number `turn`; the kinds of all its operations
    when it has fewer, else nothing."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        operations: list[str] = []

        def count(kind: str) -> None:
            if len(operations) == turn:
                os.kill(os.getpid(), signal.SIGKILL)
            operations.append(kind)

        try:
            count_file_operations(count)
            work()
            os.write(writing, "\n".join(operations).encode())
            os._exit(0)
        finally:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading) as said:
        operations = said.read().split()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return []
    assert os.WEXITSTATUS(status) == 0
    return operations


def count_file_operations(count: Callable[[str], object]) -> None:
    """From now on this process calls `count` before each of its file operations, and between the halves of a write."""
    flush = os.fsync

    class File(io.FileIO):
        def write(self, data: Any) -> int:
            count("write")
            half = len(data) // 2
            done = super().write(data[:half])
            count("half")
            return done + super().write(data[half:])

    def open_file(path: Any, mode: str = "r", *rest: Any, **options: Any) -> Any:
        if not set(mode) & set("wxa+"):
            return io.open_code(str(path)) if mode == "rb" else io.TextIOWrapper(io.open_code(str(path)))
        file = io.BufferedWriter(File(path, mode.replace("b", "")))
        return file if "b" in mode else io.TextIOWrapper(file, encoding="utf-8")

    def flush_file(descriptor: int) -> None:
        count("fsync")
        flush(descriptor)

    def heard(event: str, _: object) -> None:
        if event == "open" or (event.startswith(("os.", "shutil.")) and event != "os.kill"):
            count(event)

    io.open, os.fsync = open_file, flush_file  # type: ignore[assignment]
    sys.addaudithook(heard)


def assert_sound(folder: Path, before: int, after: int) -> None:
    """What is in sight loads, the newest is the one before or after, and the next save works and tidies up."""
    said: list[str] = []
    chosen = choose_checkpoint(folder, said.append)
    assert chosen
    assert chosen.step in (before, after)
    assert (chosen.path / WEIGHTS).read_bytes().startswith(f"weights of {chosen.step}".encode())
    assert all("step-000000020" in line for line in said), "only what was damaged before may be damaged now"
    save(folder, 40)
    assert not [name for name in names(folder) if name.startswith(".tmp-")]
    chosen = choose_checkpoint(folder, said.append)
    assert chosen
    assert chosen.step == 40
