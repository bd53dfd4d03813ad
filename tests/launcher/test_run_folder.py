"""The folder of a run between launchers: who made it, who holds it, and what may be deleted."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import pytest

from contract.errors import UserError
from launcher.plan import Plan, plan_run
from launcher.run_folder import open_run_folder
from launcher.settings import load_settings
from tests.launcher.running import call

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="locks of folders")


def plan(tmp_path: Path, *flags: str) -> Plan:
    return plan_run(load_settings(call(tmp_path, *flags), {}, tmp_path))


def quiet(_: str) -> None:
    """Say nothing."""


def everything(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_who_loses_the_lock_deletes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("launcher.run_folder.LOCK_WAIT_S", 0.1)
    first, second = plan(tmp_path), plan(tmp_path)  # both see no folder
    with open_run_folder(first, quiet):
        before = everything(tmp_path)
        with pytest.raises(UserError, match="is in use"), open_run_folder(second, quiet):
            pass
        assert everything(tmp_path) == before


def test_a_maker_who_loses_the_lock_deletes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another launcher takes the lock in the moment between mkdir and flock."""
    monkeypatch.setattr("launcher.run_folder.LOCK_WAIT_S", 0.1)
    import fcntl

    planned = plan(tmp_path)
    real_open, other = os.open, []

    def open_after_another(path, flags, *rest, **named):
        if Path(path) == planned.folder and not other:
            other.append(real_open(path, os.O_RDONLY))
            fcntl.flock(other[0], fcntl.LOCK_EX)
        return real_open(path, flags, *rest, **named)

    monkeypatch.setattr(os, "open", open_after_another)
    with pytest.raises(UserError, match="is in use"), open_run_folder(planned, quiet):
        pass
    assert planned.folder.is_dir()
    os.close(other[0])


def test_a_shared_checkpoint_folder_stays_with_its_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("launcher.run_folder.LOCK_WAIT_S", 0.1)
    saved = str(tmp_path / "saved")
    with open_run_folder(plan(tmp_path, "--checkpoint-uri", saved), quiet):
        second = plan(tmp_path, "--run", "other", "--checkpoint-uri", saved)
        with pytest.raises(UserError, match="saved is in use"), open_run_folder(second, quiet):
            pass
        assert everything(tmp_path / "out") == ["r", "r/model"]
        assert (tmp_path / "saved").is_dir()


def test_another_run_cannot_take_the_checkpoints_of_one_that_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("launcher.run_folder.LOCK_WAIT_S", 0.1)
    victim = plan(tmp_path, "--run", "victim")
    thief = plan(tmp_path, "--run", "thief", "--checkpoint-uri", str(victim.checkpoints))
    with (
        open_run_folder(victim, quiet),
        pytest.raises(UserError, match=r"victim/checkpoints is in use.* name another --checkpoint-uri"),
        open_run_folder(thief, quiet),
    ):
        pass
    assert not thief.folder.exists()


@pytest.mark.parametrize("place", ["checkpoints/step-000000001", "model/run.json", "notes"])
def test_what_somebody_has_put_there_is_not_taken_back(tmp_path: Path, place: str) -> None:
    planned = plan(tmp_path)
    with open_run_folder(planned, quiet) as folder:
        (planned.folder / place).write_text("x")
        planned.log.write_text("x")
        assert not folder.take_back()
    assert (planned.folder / place).exists()
    assert planned.log.exists() == (place != "notes")


def test_fresh_that_is_taken_back_leaves_the_run_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "out/r/model").mkdir(parents=True)
    (tmp_path / "out/r/model/run.json").write_text("{}")
    with open_run_folder(plan(tmp_path, "--fresh"), quiet) as folder:
        assert everything(tmp_path / "out/r") == ["checkpoints", "model"]
        assert folder.take_back()
    assert everything(tmp_path / "out") == ["r", "r/model", "r/model/run.json"]


def test_fresh_that_trained_is_not_taken_back(tmp_path: Path) -> None:
    (tmp_path / "out/r/model").mkdir(parents=True)
    planned = plan(tmp_path, "--fresh")
    with open_run_folder(planned, quiet) as folder:
        (planned.checkpoints / "step-000000001").mkdir()
        assert not folder.take_back()
    assert (planned.checkpoints / "step-000000001").is_dir()
    assert (tmp_path / "out/r.old-1/model").is_dir()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="Linux only")
@pytest.mark.parametrize("flag", ["--output", "--checkpoint-uri"])
def test_a_place_where_no_folder_can_be_made_is_one_sentence(tmp_path: Path, flag: str) -> None:
    with (
        pytest.raises(UserError, match=r"^/proc/x cannot be written .*: name another --output"),
        open_run_folder(plan(tmp_path, flag, "/proc/x/deep"), quiet),
    ):
        pass
    assert not (tmp_path / "out").exists()


def test_a_crowd_of_launchers_that_make_and_take_back_one_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is inside is alone, and the folder stays while it is."""
    monkeypatch.setattr("launcher.run_folder.LOCK_WAIT_S", 30.0)
    monkeypatch.setattr("time.sleep", lambda seconds, sleep=time.sleep: sleep(min(seconds, 0.001)))
    planned, wrong, turns = plan(tmp_path), [], []

    def launcher(number: int) -> None:
        for _ in range(15):
            try:
                with open_run_folder(planned, quiet) as folder:
                    planned.log.write_text(str(number))
                    time.sleep(0.001)
                    if planned.log.read_text() != str(number) or not planned.checkpoints.is_dir():
                        wrong.append("not alone")
                    folder.take_back()
                    turns.append(number)
            except Exception as error:
                wrong.append(repr(error))

    crowd = [threading.Thread(target=launcher, args=(number,)) for number in range(6)]
    for each in crowd:
        each.start()
    for each in crowd:
        each.join()
    assert wrong == []
    assert len(turns) == 90
