"""kill -9 at random moments, half of them during a save: `python -m benchmarks.kill9` in short."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import kill_ours
from tests.container.jobs import Base

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds the processes of a run in /proc")

KILLS = 8


@pytest.mark.slow
def test_eight_kills_lose_less_than_a_save_interval_and_change_nothing(tmp_path: Path):
    ours = kill_ours.kill_ours(tmp_path, KILLS, seed=8)
    assert len(ours.kills) == KILLS
    assert sum(kill.in_save for kill in ours.kills) >= KILLS // 2 - 1
    assert ours.failures == []
    assert ours.resumed == KILLS
    assert ours.unloadable == ours.mixed == ours.over_interval == 0, ours.kills
    assert ours.different_ends == [], "final and best weights, optimizer and score are those of the uninterrupted run"


def test_the_trainer_dies_with_its_supervisor(tmp_path: Path):
    base = Base(tmp_path / "ml", kill_ours.draw_small_dataset(tmp_path / "digits"), **kill_ours.RECIPE)
    assert kill_ours.kill_only_the_supervisor(base) < 10


def test_the_step_of_an_optimizer_is_read_from_its_content():
    """Else the proof above would prove nothing."""
    import numpy as np

    def content(*steps: int) -> dict:
        return {
            f"conv_{place}.w_0_beta{number}_pow_acc_0": np.array([beta ** (step + 1)], np.float32)
            for place, step in enumerate(steps)
            for number, beta in ((1, 0.9), (2, 0.999))
        } | {"LR_Scheduler": {"last_epoch": steps[0]}}

    for step in (1, 12, 119, 120, 700):
        assert kill_ours.steps_in_optimizer(content(step, step)) == {step}
    assert kill_ours.steps_in_optimizer(content(12, 13)) == {12, 13}
