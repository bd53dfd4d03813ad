"""Uploads killed and started again: `python -m benchmarks.kill_upload` in short."""

from __future__ import annotations

from pathlib import Path

from benchmarks.kill_upload import killed_uploads

KILLS = 5


def test_killed_uploads_are_completed_without_sending_anything_twice(tmp_path: Path) -> None:
    outcomes = list(killed_uploads(tmp_path, KILLS, seed=5))
    assert len(outcomes) == KILLS
    assert any(outcome.there for outcome in outcomes), "some were killed when something was there"
    assert [outcome for outcome in outcomes if not outcome.is_good] == []
